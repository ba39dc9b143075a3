//! One side of a flow's answer: what the policy of the sender, or of the
//! receiver, says; for people and for programs.

use crate::question::protocol_name;
use crate::report;
use crate::style;
use anstyle::Style;
use netverdict::cluster::{Decision, ProxyRules, SideAnswer};
use netverdict::explain::JsonPlace;
use netverdict::policy_map::Verdict;
use netverdict::resolve::Parser;
use netverdict::rule::{Direction, Rule};
use netverdict::source::Sources;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;

/// A side for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JsonSide {
    direction: &'static str,
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<u32>,
    verdict: &'static str,
    match_type: &'static str,
    /// As Hubble prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hubble: Option<String>,
    code: i16,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<JsonRedirect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<String>,
    rules: Vec<JsonPlace>,
    default_deny_by: Vec<JsonPlace>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    why: Vec<String>,
}

#[derive(Debug, Serialize)]
struct JsonRedirect {
    parser: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    listener: String,
    port: u16,
    protocol: String,
    /// What it lets through; empty when it restricts nothing.
    rules: Vec<String>,
}

impl JsonSide {
    /// Resolves an answer's places.
    pub(crate) fn new(side: &SideAnswer, sources: &Sources) -> Self {
        let places = |rules: &[Arc<Rule>]| -> Vec<JsonPlace> {
            rules.iter().map(|r| JsonPlace::new(r, sources)).collect()
        };
        let why = match &side.decision {
            Decision::Unknown { why } => why.clone(),
            Decision::Verdict(_) => Vec::new(),
        };
        let redirect = redirect(side).map(|r| JsonRedirect {
            parser: r.parser.as_str(),
            listener: r.listener.to_string(),
            port: r.port,
            protocol: protocol_name(r.protocol),
            rules: side.proxy_rules.as_ref().map(requests).unwrap_or_default(),
        });
        Self {
            direction: side.direction.as_str(),
            subject: side.subject.clone(),
            peer: side.peer.map(|p| p.0),
            verdict: word(&side.decision),
            match_type: side.match_type.as_str(),
            hubble: hubble(side),
            code: side.code,
            redirect,
            authentication: authentication(side),
            rules: places(&side.rules),
            default_deny_by: places(&default_deny(side)),
            why,
        }
    }
}

/// `allow`, …, or `unknown`.
pub(crate) fn word(decision: &Decision) -> &'static str {
    decision.verdict().map_or("unknown", Verdict::as_str)
}

/// What happens, for people, and how it looks.
pub(crate) fn said(decision: &Decision) -> (&'static str, Style) {
    match decision.verdict() {
        Some(Verdict::Allow) => ("allowed", style::GOOD),
        Some(Verdict::Redirect) => ("allowed by way of a proxy", style::GOOD),
        Some(Verdict::Deny) => ("denied", style::ERROR),
        Some(Verdict::DefaultDeny) => ("denied by default", style::ERROR),
        Some(Verdict::AuthRequired) => ("dropped until authenticated", style::ERROR),
        None => ("unknown", style::WARNING),
    }
}

/// The line `hubble observe --type policy-verdict` would show.
fn hubble(side: &SideAnswer) -> Option<String> {
    let verdict = side.decision.verdict()?;
    let word = if verdict.is_allowed() {
        "ALLOWED"
    } else {
        "DENIED"
    };
    let direction = match side.direction {
        Direction::Ingress => "INGRESS",
        Direction::Egress => "EGRESS",
    };
    Some(format!(
        "policy-verdict:{} {direction} {word}",
        side.match_type.as_str()
    ))
}

fn redirect(side: &SideAnswer) -> Option<&netverdict::policy_map::RedirectKey> {
    let (_, entry) = side.entry.as_ref()?;
    if side.proxy_port == 0 {
        return None;
    }
    let policy = side.policy.as_ref()?;
    policy.map.direction(side.direction).redirect_of(entry)
}

fn authentication(side: &SideAnswer) -> Option<String> {
    Some(match side.auth_type {
        0 => return None,
        1 => "spire".to_owned(),
        2 => "test-always-fail".to_owned(),
        n => n.to_string(),
    })
}

/// The rules that made this side deny by default, when it does.
fn default_deny(side: &SideAnswer) -> Vec<Arc<Rule>> {
    if side.decision.verdict() != Some(Verdict::DefaultDeny) {
        return Vec::new();
    }
    let Some(policy) = &side.policy else {
        return Vec::new();
    };
    let rules = &policy.subject.direction(side.direction).rules;
    rules.iter().filter(|r| r.default_deny).cloned().collect()
}

/// Writes a side for people.
pub(crate) fn write(out: &mut dyn Write, side: &SideAnswer, sources: &Sources) -> io::Result<()> {
    let (said, look) = said(&side.decision);
    let strong = style::STRONG;
    let hubble = hubble(side).map_or_else(String::new, |h| format!("  ({h})"));
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
    if let Some(auth) = authentication(side) {
        writeln!(out, "  authentication: {auth}")?;
    }
    let authored: Vec<Arc<Rule>> = side
        .rules
        .iter()
        .filter(|r| !r.origin.is_synthesized())
        .cloned()
        .collect();
    let off = default_deny(side);
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
    let Some(to) = redirect(side) else {
        return Ok(());
    };
    let listener = match &*to.listener {
        "" => String::new(),
        name => format!(", listener {}", style::clean(name)),
    };
    let lines = side.proxy_rules.as_ref().map(requests).unwrap_or_default();
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

/// What a proxy lets through, a line each: `GET /public/.*`, `queries for
/// *.example.com`.
fn requests(rules: &ProxyRules) -> Vec<String> {
    let http = rules.l7.http.iter().map(ToString::to_string);
    let dns = rules.l7.dns.iter().map(|(name, pattern)| {
        let name = if name.is_empty() { pattern } else { name };
        format!("queries for {name}")
    });
    let names = rules.server_names.iter();
    let names = names.map(|n| format!("TLS for {n}"));
    http.chain(dns).chain(names).collect()
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
