//! One side of a flow's answer: what the policy of the sender, or of the
//! receiver, says, for people.

use crate::report;
use crate::style;
use anstyle::Style;
use netverdict::cluster::{Decision, ProxyRules, SideAnswer};
use netverdict::policy_map::Verdict;
use netverdict::resolve::Parser;
use netverdict::rule::Rule;
use netverdict::source::Sources;
use std::io::{self, Write};
use std::sync::Arc;

/// What happens, for people, and how it looks.
pub(crate) fn said(decision: &Decision) -> (&'static str, Style) {
    let look = match decision.verdict() {
        Some(Verdict::Allow | Verdict::Redirect) => style::GOOD,
        Some(_) => style::ERROR,
        None => style::WARNING,
    };
    (decision.words(), look)
}

/// Writes a side for people.
pub(crate) fn write(out: &mut dyn Write, side: &SideAnswer, sources: &Sources) -> io::Result<()> {
    let (said, look) = said(&side.decision);
    let strong = style::STRONG;
    let hubble = side
        .hubble()
        .map_or_else(String::new, |h| format!("  ({h})"));
    let subject = style::clean(&side.subject);
    writeln!(
        out,
        "{strong}{}{strong:#} of {subject}: {look}{said}{look:#}{hubble}",
        side.direction
    )?;
    if let Decision::Unknown { why } = &side.decision {
        for why in why {
            writeln!(out, "  {}", style::clean(why))?;
        }
        return Ok(());
    }
    proxy(out, side)?;
    if let Some(auth) = side.authentication() {
        writeln!(out, "  authentication: {auth}")?;
    }
    let authored: Vec<Arc<Rule>> = side
        .rules
        .iter()
        .filter(|r| !r.origin.is_synthesized())
        .cloned()
        .collect();
    let off = side.default_deny_by();
    if !authored.is_empty() {
        return rules(out, "by", &authored, sources);
    }
    if !off.is_empty() {
        return rules(out, "no rule allows it; default deny by", &off, sources);
    }
    let why = match side.decision.verdict() {
        Some(Verdict::DefaultDeny) => "no rule allows it, and `enable-policy` is `always`",
        _ => match side.rules.first().map(|r| &*r.origin.object.name) {
            Some("allow-localhost-ingress") => "the local host is allowed without a rule",
            _ if enforced(side) => "no policy denies by default in this direction",
            _ => "no policy applies in this direction",
        },
    };
    writeln!(out, "  {why}")
}

/// Writes where a redirect leads and what lets a request through there.
pub(crate) fn proxy(out: &mut dyn Write, side: &SideAnswer) -> io::Result<()> {
    const LISTED: usize = 8;
    let Some(to) = side.redirect() else {
        return Ok(());
    };
    let listener = match &*to.listener {
        "" => String::new(),
        name => format!(", listener {}", style::clean(name)),
    };
    let lines = side.proxy_rules.as_ref();
    let lines = lines.map(ProxyRules::lines).unwrap_or_default();
    let parser = to.parser.as_str();
    let then = match (lines.is_empty(), to.parser) {
        (false, _) => "which lets through",
        (true, Parser::Crd) => "which decides by its own configuration",
        (true, _) => "which lets everything through",
    };
    writeln!(out, "  to the {parser} proxy{listener}, {then}")?;
    for line in lines.iter().take(LISTED) {
        writeln!(out, "    {}", style::clean(line))?;
    }
    match lines.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => writeln!(out, "    and {more} more"),
    }
}

fn enforced(side: &SideAnswer) -> bool {
    let policy = side.policy.as_ref();
    policy.is_some_and(|p| p.subject.direction(side.direction).enforced)
}

fn rules(
    out: &mut dyn Write,
    head: &str,
    rules: &[Arc<Rule>],
    sources: &Sources,
) -> io::Result<()> {
    const LISTED: usize = 4;
    let faint = style::FAINT;
    for (i, rule) in rules.iter().take(LISTED).enumerate() {
        let head = if i == 0 { head } else { "and" };
        let object = rule.origin.object.to_string();
        let (object, path) = (style::clean(&object), style::clean(&rule.origin.path));
        writeln!(out, "  {head} {object}, {path}")?;
        let place = report::place(sources, rule.origin.span);
        writeln!(out, "    {faint}{place}{faint:#}")?;
    }
    match rules.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more"),
    }
}
