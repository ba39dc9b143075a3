//! A flow as a line of `hubble observe`: who, to whom, the event, the verdict
//! and a summary in parentheses.

use super::{
    Event, RecordedEnd, RecordedFlow, RecordedRequest, RecordedVerdict, is_policy_drop, turn,
};
use netverdict::identity::Reserved;
use netverdict::object::cilium::{IcmpFamily, icmp_type_number};
use netverdict::policy_map::MatchType;
use netverdict::rule::{Direction, protocol};
use std::net::{IpAddr, SocketAddr};

/// The words for verdicts, and what they mean.
const VERDICTS: [(&str, RecordedVerdict); 10] = [
    ("FORWARDED", RecordedVerdict::Forwarded),
    ("ALLOWED", RecordedVerdict::Forwarded),
    ("REDIRECTED", RecordedVerdict::Redirected),
    ("DROPPED", RecordedVerdict::Dropped),
    ("DENIED", RecordedVerdict::Dropped),
    ("AUDIT", RecordedVerdict::Audited),
    ("AUDITED", RecordedVerdict::Audited),
    ("ERROR", RecordedVerdict::Other),
    ("TRACED", RecordedVerdict::Other),
    ("TRANSLATED", RecordedVerdict::Other),
];

pub(super) fn read(line: &str) -> Result<RecordedFlow, String> {
    let line = without_colours(line);
    let arrows = [(" -> ", Some(false)), (" <- ", Some(true)), (" <> ", None)];
    let found = arrows
        .iter()
        .filter_map(|(arrow, reply)| Some((line.find(arrow)?, arrow.len(), *reply)))
        .min();
    let Some((at, length, reply)) = found else {
        return Err("neither JSON nor a line of `hubble observe`".to_owned());
    };
    let (left, right) = (&line[..at], &line[at + length..]);
    let (left, left_identity) = trailing_identity(left);
    let (time, sender) = match left.trim_end().rsplit_once(char::is_whitespace) {
        Some((time, sender)) => (time, sender),
        None => ("", left.trim()),
    };
    let (receiver, rest) = match right.trim_start().split_once(char::is_whitespace) {
        Some((receiver, rest)) => (receiver, rest.trim_start()),
        None => return Err("there is nothing after the receiver".to_owned()),
    };
    let (receiver_identity, rest) = leading_identity(rest);
    let (kind, verdict, rest) = verdict(rest)?;
    let (mut source, _) = end(sender, left_identity);
    let (mut destination, port) = end(receiver, receiver_identity);
    if reply == Some(true) {
        // Such lines name the one who asked first.
        std::mem::swap(&mut source, &mut destination);
    }
    let mut read = RecordedFlow {
        time: time
            .split(" [")
            .next()
            .unwrap_or(time)
            .trim_end_matches(':')
            .to_owned(),
        verdict: Some(verdict),
        source,
        destination,
        port,
        ..RecordedFlow::default()
    };
    let (by, summary) = match rest.strip_prefix("BY ") {
        Some(by) => by.rsplit_once(" (").unwrap_or((by, "")),
        None => ("", rest.find('(').map_or("", |at| &rest[at..])),
    };
    read.policies = policies(by);
    event(kind, &mut read);
    let summary = summary.trim().strip_prefix('(').unwrap_or(summary);
    let summary = summary.strip_suffix(')').unwrap_or(summary);
    let syn = summarised(summary, &mut read);
    let asked = read.event == Event::PolicyVerdict || is_policy_drop(&read.drop_reason);
    read.turn = turn(reply, syn, asked);
    Ok(read)
}

/// Without the escapes that colour a terminal.
fn without_colours(line: &str) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            clean.push(c);
            continue;
        }
        // CSI: parameters up to a letter.
        if chars.next() == Some('[') {
            for c in chars.by_ref() {
                if c.is_ascii_alphabetic() {
                    break;
                }
            }
        }
    }
    clean
}

/// `x (ID:1)` → `x`, `ID:1`.
fn trailing_identity(text: &str) -> (&str, &str) {
    let text = text.trim_end();
    let inner = text.strip_suffix(')').and_then(|t| t.rsplit_once(" ("));
    inner.unwrap_or((text, ""))
}

/// `(ID:1) x` → `ID:1`, `x`.
fn leading_identity(text: &str) -> (&str, &str) {
    let inner = text.strip_prefix('(').and_then(|t| t.split_once(')'));
    match inner {
        Some((identity, rest)) => (identity, rest.trim_start()),
        None => ("", text),
    }
}

/// The event, the verdict and what follows it.
fn verdict(rest: &str) -> Result<(&str, RecordedVerdict, &str), String> {
    // What stands in parentheses was written by whom the flow was sent by.
    let head = rest.split('(').next().unwrap_or(rest);
    let mut from = 0;
    for word in head.split_whitespace() {
        let at = rest[from..].find(word).map_or(from, |n| from + n);
        let end = at + word.len();
        if let Some((_, verdict)) = VERDICTS.iter().find(|(name, _)| *name == word) {
            return Ok((rest[..at].trim(), *verdict, rest[end..].trim_start()));
        }
        from = end;
    }
    Err("it has no verdict (FORWARDED, DROPPED, …)".to_owned())
}

/// An end and its port.
fn end(text: &str, identity: &str) -> (RecordedEnd, Option<u16>) {
    let mut end = RecordedEnd::default();
    if let Some(number) = identity.strip_prefix("ID:") {
        end.identity = number.parse().ok();
    } else if let Some(reserved) = Reserved::by_name(identity) {
        end.identity = Some(reserved.id.0);
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        end.address = Some(address.ip().to_canonical());
        return (end, Some(address.port()));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        end.address = Some(address.to_canonical());
        return (end, None);
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().ok()),
        None => (text, None),
    };
    if let Some((namespace, pod)) = name.split_once('/') {
        end.namespace = namespace.to_owned();
        end.pod = pod.to_owned();
    } else {
        let names = name
            .split(',')
            .map(|n| n.trim_end_matches('.').to_lowercase());
        end.names = names.filter(|n| !n.is_empty()).collect();
    }
    (end, port)
}

/// `a (CiliumNetworkPolicy), b (NetworkPolicy)`: their namespaces are not
/// printed.
fn policies(text: &str) -> Vec<String> {
    let all = text.split("), ").filter(|p| !p.is_empty());
    all.filter_map(|p| {
        let (name, kind) = p.trim_end_matches(')').rsplit_once(" (")?;
        Some(format!("{kind}/{name}"))
    })
    .collect()
}

fn event(kind: &str, read: &mut RecordedFlow) {
    let dropped = read.verdict == Some(RecordedVerdict::Dropped);
    if let Some(verdict) = kind.strip_prefix("policy-verdict:") {
        read.event = Event::PolicyVerdict;
        let (matched, direction) = verdict.split_once(' ').unwrap_or((verdict, ""));
        read.match_type = MatchType::EVERY.into_iter().find(|m| m.as_str() == matched);
        read.direction = match direction.trim() {
            "INGRESS" => Some(Direction::Ingress),
            "EGRESS" => Some(Direction::Egress),
            _ => None,
        };
        // It says that a rule matched, or that none did.
        if dropped {
            let by_rule = read.match_type.is_some_and(|m| m != MatchType::None);
            let reason = if by_rule {
                "POLICY_DENY"
            } else {
                "POLICY_DENIED"
            };
            read.drop_reason = reason.to_owned();
        }
        return;
    }
    read.proxied = kind == "to-proxy" || read.verdict == Some(RecordedVerdict::Redirected);
    let layer7 = ["http-", "dns-", "kafka-", "l7-"]
        .iter()
        .any(|p| kind.starts_with(p));
    read.event = if layer7 {
        read.proxied = true;
        Event::Layer7
    } else if kind.starts_with("to-") || kind.starts_with("from-") {
        Event::Trace
    } else if dropped {
        Event::Drop
    } else {
        Event::Other
    };
    if read.event == Event::Drop {
        read.drop_reason = match kind {
            "Policy denied" => "POLICY_DENIED".to_owned(),
            "Policy denied by denylist" => "POLICY_DENY".to_owned(),
            "Authentication required" => "AUTH_REQUIRED".to_owned(),
            other => other.to_owned(),
        };
    }
}

/// Reads the summary; says whether TCP's SYN and ACK are set.
fn summarised(summary: &str, read: &mut RecordedFlow) -> Option<(bool, bool)> {
    let first = summary
        .split("; ")
        .find(|part| !part.starts_with("IP Trace"));
    let summary = first.unwrap_or(summary);
    if let Some(flags) = summary.strip_prefix("TCP Flags:") {
        read.protocol = Some(protocol::TCP);
        let set = |name: &str| flags.split(',').any(|f| f.trim() == name);
        return Some((set("SYN"), set("ACK")));
    }
    if let Some(request) = summary.strip_prefix("HTTP/") {
        read.protocol = Some(protocol::TCP);
        let mut words = request.split_whitespace().skip(1);
        if let (Some(method), Some(url)) = (words.next(), words.next())
            && method.bytes().all(|b| b.is_ascii_uppercase())
        {
            read.sent = Some(RecordedRequest::http(method, url));
        }
        return None;
    }
    if let Some(query) = summary.strip_prefix("DNS Query ") {
        let name = query.split_whitespace().next().unwrap_or_default();
        read.sent = Some(RecordedRequest::dns(name));
        return None;
    }
    let families = [
        ("ICMPv4 ", IcmpFamily::V4, protocol::ICMP),
        ("ICMPv6 ", IcmpFamily::V6, protocol::ICMPV6),
    ];
    for (prefix, family, number) in families {
        let Some(kind) = summary.strip_prefix(prefix) else {
            continue;
        };
        read.protocol = Some(number);
        let (kind, code) = kind.split_once('(').unwrap_or((kind, ""));
        read.port = icmp_type_number(family, kind.trim()).map(u16::from);
        if code.starts_with("FragmentationNeeded") {
            read.icmp_code = Some(4);
        }
        return None;
    }
    read.protocol = match summary.split_whitespace().next() {
        Some("TCP") => Some(protocol::TCP),
        Some("UDP") => Some(protocol::UDP),
        Some("SCTP") => Some(protocol::SCTP),
        _ => None,
    };
    None
}
