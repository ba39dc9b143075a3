//! Diagnostics for people.
//!
//! In: diagnostics and their sources. Out: each with its place, the line it
//! speaks of, advice, and the change that would mend it.

use crate::excerpt::{self, Mark};
use crate::style::{self, clean};
use netverdict::diagnostic::{Diagnostic, Fix};
use netverdict::source::{Source, SourceId, Sources, Span};
use std::io::{self, Write};

/// Writes one diagnostic; `again` says where else it applies.
pub(crate) fn write(
    out: &mut dyn Write,
    diagnostic: &Diagnostic,
    again: Option<&str>,
    sources: &Sources,
) -> io::Result<()> {
    let Diagnostic {
        code,
        severity,
        message,
        span,
        ..
    } = diagnostic;
    let (color, strong, faint) = (style::of(*severity), style::STRONG, style::FAINT);
    let message = clean(message);
    writeln!(
        out,
        "{color}{severity}[{code}]{color:#}{strong}: {message}{strong:#}"
    )?;
    let source = sources.get(span.source).filter(|s| !s.text().is_empty());
    let mut gutter = 1;
    if let Some(source) = source {
        let mut marks = vec![Mark {
            span: *span,
            text: "",
            style: color,
            sign: '^',
        }];
        marks.extend(labels_in(diagnostic, span.source));
        gutter = excerpt::gutter(source, &marks);
        let place = sources.locate(*span);
        let place = clean(&place);
        writeln!(out, "{:gutter$}{faint}-->{faint:#} {place}", "")?;
        excerpt::write(out, source, &marks, gutter)?;
    }
    for label in diagnostic
        .labels
        .iter()
        .filter(|l| l.span.source != span.source)
    {
        let Some(other) = sources.get(label.span.source) else {
            continue;
        };
        let mark = Mark {
            span: label.span,
            text: &label.message,
            style: style::FAINT,
            sign: '-',
        };
        let place = sources.locate(label.span);
        let place = clean(&place);
        writeln!(out, "{:gutter$}{faint}:::{faint:#} {place}", "")?;
        excerpt::write(out, other, &[mark], gutter)?;
    }
    notes(out, diagnostic, again, source, gutter)
}

fn labels_in(diagnostic: &Diagnostic, source: SourceId) -> impl Iterator<Item = Mark<'_>> {
    let own = diagnostic
        .labels
        .iter()
        .filter(move |l| l.span.source == source);
    own.map(|l| Mark {
        span: l.span,
        text: &l.message,
        style: style::FAINT,
        sign: '-',
    })
}

fn notes(
    out: &mut dyn Write,
    diagnostic: &Diagnostic,
    again: Option<&str>,
    source: Option<&Source>,
    gutter: usize,
) -> io::Result<()> {
    let (faint, strong) = (style::FAINT, style::STRONG);
    let mut note =
        |text: std::fmt::Arguments<'_>| writeln!(out, "{:gutter$} {faint}={faint:#} {text}", "");
    let (object, path) = (clean(&diagnostic.object), clean(&diagnostic.path));
    match (object.is_empty(), path.is_empty()) {
        (false, false) => note(format_args!("in {object}: {path}"))?,
        (false, true) => note(format_args!("in {object}"))?,
        (true, false) => note(format_args!("at {path}"))?,
        (true, true) => {}
    }
    if let Some(again) = again {
        note(format_args!("{}", clean(again)))?;
    }
    if let Some(help) = &diagnostic.help {
        let help = clean(help);
        note(format_args!("{strong}help:{strong:#} {help}"))?;
    }
    for fix in &diagnostic.fixes {
        let title = clean(&fix.title);
        let by = if fix.machine_applicable {
            " (`--fix` does it)"
        } else {
            ""
        };
        note(format_args!("{strong}fix:{strong:#} {title}{by}"))?;
    }
    if let ([fix], Some(source)) = (&*diagnostic.fixes, source)
        && let Some((line, text)) = fixed_line(fix, source)
    {
        let good = style::GOOD;
        let text = clean(&text);
        writeln!(
            out,
            "{faint}{line:>gutter$}{faint:#} {good}+ {text}{good:#}"
        )?;
    }
    Ok(())
}

/// The line a fix changes, as it is afterwards; `None` when it changes
/// several, or very long ones.
fn fixed_line(fix: &Fix, source: &Source) -> Option<(u32, String)> {
    let [(span, replacement)] = &*fix.edits else {
        return None;
    };
    let (start, end) = (source.position(span.start), source.position(span.end));
    let line = source.line(start.line)?;
    if start.line != end.line || replacement.contains('\n') || line.len() > 160 {
        return None;
    }
    let chars = |from: usize, to: usize| line.chars().skip(from).take(to - from);
    let head = chars(0, start.column as usize - 1);
    let tail = chars(end.column as usize - 1, usize::MAX);
    let fixed: String = head.chain(replacement.chars()).chain(tail).collect();
    (!fixed.trim().is_empty()).then(|| (start.line, fixed.trim_end().to_owned()))
}

/// What `a:1:1` a span is at, or a dash when it is nowhere.
pub(crate) fn place(sources: &Sources, span: Span) -> String {
    match sources.get(span.source) {
        Some(source) if !source.text().is_empty() => clean(&sources.locate(span)).into_owned(),
        _ => "-".to_owned(),
    }
}
