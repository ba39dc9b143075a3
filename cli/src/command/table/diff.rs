//! `table diff`: what changes from one table to another.

use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::style;
use clap::Args;
use netverdict::listing::{
    direction_name, identity_ranges, match_type_name, plane_name, port_names, unlisted_name,
};
use netverdict_table::{Change, Difference, FieldChange, View, difference};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

/// Print whose traffic gets another verdict from one table to another, and
/// where a verdict stays but its proxy port, authentication, cookie or match
/// type changes.
#[derive(Args, Debug)]
pub(super) struct DiffArgs {
    /// The table before.
    #[arg(value_name = "BEFORE")]
    before: PathBuf,
    /// The table after. Its identities must have the same numbers: compile
    /// both with one `--state`.
    #[arg(value_name = "AFTER")]
    after: PathBuf,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Prints it.
pub(super) fn run(args: &DiffArgs) -> Result<Exit, Failure> {
    let (before, after) = (super::read(&args.before)?, super::read(&args.after)?);
    let a = super::view(&before, &args.before)?;
    let b = super::view(&after, &args.after)?;
    let found = difference(&a, &b);
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &json(&found))?;
            writeln!(out)?;
        }
        Format::Text => text(&mut out, &found, &a, &b)?,
    }
    out.flush()?;
    Ok(match found.is_empty() {
        true => Exit::Fine,
        false => Exit::Differs,
    })
}

fn peers(change: &Change) -> Vec<String> {
    let mut names = identity_ranges(change.peers.listed.iter().copied());
    let others = change.peers.unlisted.iter();
    names.extend(others.map(|key| unlisted_name(*key).to_owned()));
    names
}

/// A field's name in JSON and in words, and its values.
fn field(change: &FieldChange) -> (&'static str, &'static str, [Value; 2]) {
    match *change {
        FieldChange::ProxyPort(a, b) => ("proxyPort", "proxy port", [json!(a), json!(b)]),
        FieldChange::AuthType(a, b) => ("authType", "authentication", [json!(a), json!(b)]),
        FieldChange::AuthDonor(a, b) => (
            "authInheritedFrom",
            "authentication inherited from prefix length",
            [json!(a), json!(b)],
        ),
        FieldChange::Cookie(a, b) => ("cookie", "cookie", [json!(a), json!(b)]),
        FieldChange::MatchType(a, b) => (
            "matchType",
            "match type",
            [json!(match_type_name(a)), json!(match_type_name(b))],
        ),
    }
}

/// What changes, in words.
fn words(change: &Change) -> String {
    if change.before != change.after {
        let names = [change.before, change.after].map(plane_name);
        return names.join(" → ");
    }
    let value = |v: &Value| match v {
        Value::Null => "none".to_owned(),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    let fields = change.fields.iter().map(|change| {
        let (_, name, [before, after]) = field(change);
        format!("{name} {} → {}", value(&before), value(&after))
    });
    let fields: Vec<String> = fields.collect();
    format!("{}: {}", plane_name(change.after), fields.join(", "))
}

fn json(found: &Difference) -> Value {
    let subjects = found.changed.iter().map(|s| {
        let changes = s.changes.iter().map(|c| {
            let fields = c.fields.iter().map(|change| {
                let (name, _, [before, after]) = field(change);
                json!({"field": name, "before": before, "after": after})
            });
            json!({
                "ports": port_names(&c.ports),
                "before": plane_name(c.before),
                "after": plane_name(c.after),
                "fields": fields.collect::<Vec<_>>(),
                "peers": peers(c),
            })
        });
        json!({
            "before": s.before,
            "after": s.after,
            "direction": direction_name(s.direction),
            "changes": changes.collect::<Vec<_>>(),
        })
    });
    json!({
        "changed": subjects.collect::<Vec<_>>(),
        "removed": found.removed,
        "added": found.added,
        "identitiesRemoved": identity_ranges(found.identities_removed.iter().copied()),
        "identitiesAdded": identity_ranges(found.identities_added.iter().copied()),
    })
}

fn text(out: &mut dyn Write, found: &Difference, a: &View<'_>, b: &View<'_>) -> io::Result<()> {
    if found.is_empty() {
        return writeln!(out, "nothing changes");
    }
    let (strong, good, bad) = (style::STRONG, style::GOOD, style::ERROR);
    let of = |view: &View<'_>| -> BTreeMap<u32, u32> {
        view.subject_identities().map(|(i, s)| (s, i)).collect()
    };
    let (in_a, in_b) = (of(a), of(b));
    let name = |subjects: &BTreeMap<u32, u32>, subject: u32| match subjects.get(&subject) {
        Some(identity) => format!("subject {subject}, identity {identity}"),
        None => format!("subject {subject}"),
    };
    for subject in &found.changed {
        let who = name(&in_a, subject.before);
        let direction = direction_name(subject.direction);
        writeln!(out, "{strong}{direction} of {who}{strong:#}")?;
        for change in subject.changes.iter() {
            let look = match (change.opens(), change.closes()) {
                (true, _) => good,
                (_, true) => bad,
                _ => style::INFO,
            };
            let ports = port_names(&change.ports);
            writeln!(
                out,
                "  {}: {look}{}{look:#}",
                ports.join(", "),
                words(change)
            )?;
            writeln!(out, "    {}", peers(change).join(", "))?;
        }
    }
    for subject in &found.removed {
        writeln!(out, "{bad}gone{bad:#}: {}", name(&in_a, *subject))?;
    }
    for subject in &found.added {
        writeln!(out, "{good}new{good:#}: {}", name(&in_b, *subject))?;
    }
    let lists = [
        ("identities gone", &found.identities_removed),
        ("identities new", &found.identities_added),
    ];
    for (what, list) in lists {
        if !list.is_empty() {
            let ranges = identity_ranges(list.iter().copied());
            writeln!(out, "{what}: {}", ranges.join(", "))?;
        }
    }
    Ok(())
}
