//! Differences for people, programs, pull requests and annotations.

use super::Compared;
use crate::command::reach::cell;
use crate::style::{self, clean, count};
use anstyle::Style;
use netverdict_analysis::connection::Terms;
use netverdict_analysis::difference::{ChangeKind, PairChange, PortChange};
use netverdict_analysis::json::JsonChange;
use netverdict_analysis::reason::{SideChange, sides};
use std::io::{self, Write};

/// One line of the answer: ports of a pair, and why.
struct Row<'a> {
    pair: &'a PairChange,
    change: &'a PortChange,
    sides: Vec<SideChange>,
}

fn rows<'a>(compared: &'a Compared<'_>) -> impl Iterator<Item = Row<'a>> {
    let [before, after] = compared.worlds.map(|w| &w.sources);
    let pairs = compared.difference.pairs.iter();
    let changes = pairs.flat_map(|pair| pair.ports.iter().map(move |change| (pair, change)));
    changes.map(move |(pair, change)| {
        let reason = pair.reason(change, compared.old, compared.new);
        Row {
            pair,
            change,
            sides: reason.map_or_else(Vec::new, |r| sides(&r, [before, after])),
        }
    })
}

/// `2 connections opened, 1 closed`.
fn tally(compared: &Compared<'_>) -> String {
    let of = |kind: ChangeKind| {
        let pairs = compared.difference.pairs.iter();
        pairs
            .filter(|p| p.ports.iter().any(|c| c.kind == kind))
            .count()
    };
    let mut parts = Vec::new();
    for kind in ChangeKind::ALL {
        match of(kind) {
            0 => {}
            n => parts.push(format!("{} {}", count(n, "connection"), kind.as_str())),
        }
    }
    let difference = compared.difference;
    for (list, word) in [
        (&difference.appeared, "new"),
        (&difference.disappeared, "gone"),
    ] {
        if !list.is_empty() {
            parts.push(format!("{} {word}", count(list.len(), "workload")));
        }
    }
    if parts.is_empty() {
        parts.push("nothing changes".to_owned());
    }
    parts.join(", ")
}

fn terms(terms: Option<&Terms>) -> String {
    match terms {
        None => "closed".to_owned(),
        Some(t) if t.brief().is_empty() => "open".to_owned(),
        Some(t) => format!("open ({})", t.brief()),
    }
}

const fn look(kind: ChangeKind) -> Style {
    match kind {
        ChangeKind::Opened => style::WARNING,
        ChangeKind::Closed => style::ERROR,
        ChangeKind::Changed | ChangeKind::Unsettled => style::INFO,
    }
}

/// For people.
pub(super) fn text(out: &mut dyn Write, compared: &Compared<'_>) -> io::Result<()> {
    let (strong, faint) = (style::STRONG, style::FAINT);
    for row in rows(compared) {
        let (kind, look) = (row.change.kind, look(row.change.kind));
        let (from, to) = (clean(&row.pair.from), clean(&row.pair.to));
        let ports = row.change.ports.to_string();
        writeln!(
            out,
            "{look}{}{look:#} {strong}{from} → {to}{strong:#}: {ports}",
            kind.as_str()
        )?;
        let (before, after) = (
            terms(row.change.before.as_ref()),
            terms(row.change.after.as_ref()),
        );
        if kind == ChangeKind::Changed
            || row
                .change
                .before
                .iter()
                .chain(&row.change.after)
                .any(|t| !t.brief().is_empty())
        {
            writeln!(out, "  {} → {}", clean(&before), clean(&after))?;
        }
        for side in &row.sides {
            let (before, after) = (&side.before, &side.after);
            writeln!(
                out,
                "  {} of {}: {} → {}",
                side.direction,
                clean(&side.of),
                before.words,
                after.words
            )?;
            for (sign, said) in [('-', before), ('+', after)] {
                for place in said.places() {
                    writeln!(out, "    {faint}{sign}{faint:#} {}", clean(&place))?;
                }
            }
        }
    }
    let difference = compared.difference;
    for name in &difference.appeared {
        writeln!(out, "{strong}new{strong:#} {}", clean(name))?;
    }
    for name in &difference.disappeared {
        writeln!(out, "{strong}gone{strong:#} {}", clean(name))?;
    }
    if !difference.is_empty() {
        writeln!(out)?;
    }
    writeln!(
        out,
        "{}; {} compared, all others are the same on every port",
        tally(compared),
        count(difference.compared, "pair")
    )?;
    match compared.idle {
        Some([]) => Ok(()),
        Some(idle) => writeln!(out, "changed without effect: {}", clean(&idle.join(", "))),
        None => writeln!(out, "too many policies changed to say which had no effect"),
    }
}

/// For programs.
pub(super) fn json(out: &mut dyn Write, compared: &Compared<'_>) -> io::Result<()> {
    let difference = compared.difference;
    write!(
        out,
        "{{\n  \"compared\": {},\n  \"appeared\": ",
        difference.compared
    )?;
    serde_json::to_writer(&mut *out, &difference.appeared)?;
    write!(out, ",\n  \"disappeared\": ")?;
    serde_json::to_writer(&mut *out, &difference.disappeared)?;
    write!(out, ",\n  \"withoutEffect\": ")?;
    serde_json::to_writer(&mut *out, &compared.idle)?;
    write!(out, ",\n  \"changes\": [")?;
    let mut between = "\n    ";
    for row in rows(compared) {
        let json = JsonChange::new(row.pair, row.change, row.sides);
        out.write_all(between.as_bytes())?;
        between = ",\n    ";
        serde_json::to_writer(&mut *out, &json)?;
    }
    let end = if between.starts_with(',') { "\n  " } else { "" };
    writeln!(out, "{end}]\n}}")
}

/// So many lines fit a comment.
const LINES: usize = 100;

/// For a comment on a pull request.
pub(super) fn markdown(out: &mut dyn Write, compared: &Compared<'_>) -> io::Result<()> {
    writeln!(out, "### Network policy: {}\n", tally(compared))?;
    let difference = compared.difference;
    let mut lines = 0;
    for row in rows(compared) {
        lines += 1;
        if lines > LINES {
            continue;
        }
        if lines == 1 {
            writeln!(out, "| | From | To | Ports | Why |\n|---|---|---|---|---|")?;
        }
        let mut why = Vec::new();
        let (before, after) = (&row.change.before, &row.change.after);
        if before.iter().chain(after).any(|t| !t.brief().is_empty()) {
            why.push(format!(
                "{} → {}",
                terms(before.as_ref()),
                terms(after.as_ref())
            ));
        }
        for side in &row.sides {
            let list = |places: Vec<String>| match places.is_empty() {
                true => String::new(),
                false => format!(" by {}", places.join(", ")),
            };
            why.push(format!(
                "{}: {}{} → {}{}",
                side.direction,
                side.before.words,
                list(side.before.places()),
                side.after.words,
                list(side.after.places()),
            ));
        }
        let why: Vec<String> = why.iter().map(|w| cell(w)).collect();
        writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            row.change.kind.as_str(),
            cell(&row.pair.from),
            cell(&row.pair.to),
            cell(&row.change.ports.to_string()),
            why.join("<br>")
        )?;
    }
    if lines > LINES {
        writeln!(out, "\nand {} more.", count(lines - LINES, "line"))?;
    }
    for (list, word) in [
        (&difference.appeared, "New"),
        (&difference.disappeared, "Gone"),
    ] {
        if !list.is_empty() {
            let names: Vec<String> = list.iter().map(|n| cell(n)).collect();
            writeln!(out, "\n{word}: {}", names.join(", "))?;
        }
    }
    if let Some(idle) = compared.idle
        && !idle.is_empty()
    {
        writeln!(out, "\nChanged without effect: {}", cell(&idle.join(", ")))?;
    }
    writeln!(
        out,
        "\n{} compared; what is not listed is the same on every port.",
        count(difference.compared, "pair")
    )
}

/// Annotations at the rules that decide now, or decided before where no rule
/// does any more.
pub(super) fn github(out: &mut dyn Write, compared: &Compared<'_>) -> io::Result<()> {
    let escaped = |text: &str| {
        text.replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    };
    let property = |text: &str| escaped(text).replace(':', "%3A").replace(',', "%2C");
    for row in rows(compared) {
        let kind = row.change.kind;
        let level = if kind == ChangeKind::Opened {
            "warning"
        } else {
            "notice"
        };
        let message = format!(
            "{} → {}: {} {}",
            row.pair.from,
            row.pair.to,
            row.change.ports,
            kind.as_str()
        );
        let places = row.sides.iter().map(|s| {
            let now = (!s.after.rules.is_empty()).then_some((s.after.span, 1));
            now.or((!s.before.rules.is_empty()).then_some((s.before.span, 0)))
        });
        let place = places.flatten().next().and_then(|(span, which)| {
            let sources = &compared.worlds[which].sources;
            let source = sources.get(span.source)?;
            Some((source.name(), source.position(span.start).line))
        });
        let at = place.map_or_else(String::new, |(file, line)| {
            format!("file={},line={line},", property(file))
        });
        writeln!(
            out,
            "::{level} {at}title=connection {}::{}",
            kind.as_str(),
            escaped(&message)
        )?;
    }
    writeln!(out, "{}", tally(compared))
}
