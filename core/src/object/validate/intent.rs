//! What is accepted, and hardly meant.
//!
//! In: a policy that nothing refuses. Out: remarks on places that say another
//! thing than their author seems to want: a dash too many, a path that matches
//! less than it looks like. A warning is given only where the text itself
//! speaks against the other reading.

use crate::diagnostic::Severity::{Info, Warning};
use crate::diagnostic::{Code, Diagnostic, Findings};
use crate::object::cilium::{CiliumPolicy, FqdnSelector, HttpRule, PolicyMember, PolicySpec};
use crate::object::network_policy::{IntOrString, NetworkPolicy};
use crate::object::template;
use crate::source::{Span, Spanned};
use std::collections::BTreeSet;

/// A member with peers and no ports, and after it one with ports and no peers:
/// the second is for everybody.
pub const SPLIT_MEMBER: Code = Code::new(1001, Warning, "peers and ports in two members");
/// `path: /`, which is that path alone. A warning when the rule's description
/// speaks of another one.
pub const ROOT_PATH: Code = Code::new(1002, Info, "path of the root alone");
/// `/*` in a path, where `*` repeats the slash.
pub const GLOB_PATH: Code = Code::new(1003, Warning, "glob where an expression stands");
/// `**` that is not a leading `**.`: it counts as `*`.
pub const LATE_STARS: Code = Code::new(1004, Warning, "`**` that counts as `*`");
/// A service of the cluster in `toFQDNs`.
pub const CLUSTER_NAME: Code = Code::new(1005, Warning, "name of the cluster in `toFQDNs`");

/// Remarks on a policy of Cilium's.
#[must_use]
pub fn check_policy(policy: &CiliumPolicy) -> Vec<Diagnostic> {
    let mut found = Findings::default();
    for spec in &policy.specs {
        split_members(&spec.ingress, &mut found);
        split_members(&spec.egress, &mut found);
        let described = described_path(spec);
        for member in spec.ingress.iter().chain(&spec.egress) {
            http_paths(member, described, &mut found);
            names(member, &mut found);
        }
    }
    found.finish()
}

/// Remarks on a NetworkPolicy.
///
/// ```
/// use netverdict::object::{Object, load, validate::intent};
/// use netverdict::{config::Config, source::SourceId};
///
/// let config = Config::default();
/// let text = include_str!("../../../examples/shop.yaml");
/// let loaded = load::load(SourceId(0), text, &load::LoadOptions::new(&config));
/// for object in loaded.objects() {
///     let remarks = match object {
///         Object::CiliumPolicy(policy) => intent::check_policy(policy),
///         Object::NetworkPolicy(policy) => intent::check_network_policy(policy),
///         _ => continue,
///     };
///     assert!(remarks.is_empty());
/// }
/// ```
#[must_use]
pub fn check_network_policy(policy: &NetworkPolicy) -> Vec<Diagnostic> {
    let mut found = Findings::default();
    for rules in [&policy.ingress, &policy.egress] {
        for (rule, next) in rules.iter().zip(rules.iter().skip(1)) {
            let split = !rule.peers.is_empty()
                && rule.ports.is_empty()
                && next.peers.is_empty()
                && !next.ports.is_empty();
            if !split {
                continue;
            }
            let ports = next.ports.iter().map(|p| match &p.port {
                Some(port) => match &port.value {
                    IntOrString::Int(n) => n.to_string(),
                    IntOrString::String(name) => name.clone(),
                },
                None => "0".to_owned(),
            });
            let place = (rule.span, next.span, &*next.path);
            let ports: Vec<String> = ports.collect();
            if !ports.iter().all(|p| p == "53") {
                found.push(split_member(place, &ports, "ports"));
            }
        }
    }
    found.finish()
}

fn split_members(members: &[PolicyMember], found: &mut Findings) {
    for (member, next) in members.iter().zip(members.iter().skip(1)) {
        // "All of the cluster, and for everybody else some ports" makes sense.
        let narrow = member.entities.is_none() && has_peers(member);
        let split = narrow && !has_ports(member) && !speaks_of_peers(next);
        let ports = next.to_ports.iter().flat_map(|r| &r.ports);
        let ports: Vec<String> = ports.map(|p| p.port.value.clone()).collect();
        // So does DNS for whichever server.
        if split && !ports.iter().all(|p| p == "53") {
            let place = (member.span, next.span, &*next.path);
            found.push(split_member(place, &ports, "toPorts"));
        }
    }
}

fn split_member(
    (first, second, path): (Span, Span, &str),
    ports: &[String],
    field: &str,
) -> Diagnostic {
    let ports = match ports {
        [one] if one == "0" => "every port".to_owned(),
        [one] => format!("port {one}"),
        several => format!("ports {}", several.join(", ")),
    };
    Diagnostic::new(
        SPLIT_MEMBER,
        second,
        format!("the member names no peers: it opens {ports} to everybody"),
    )
    .at(path)
    .label(first, "and this one opens every port to its peers")
    .help(format!(
        "if they are one rule, take away the dash before `{field}`: peers and ports of one member have to match both"
    ))
}

fn has_peers(member: &PolicyMember) -> bool {
    member.endpoints.as_ref().is_some_and(|l| !l.is_empty())
        || member.nodes.as_ref().is_some_and(|l| !l.is_empty())
        || member.entities.as_ref().is_some_and(|l| !l.is_empty())
        || member.cidrs.as_ref().is_some_and(|l| !l.is_empty())
        || member.cidr_sets.as_ref().is_some_and(|l| !l.is_empty())
        || !(member.groups.is_empty() && member.services.is_empty() && member.fqdns.is_empty())
}

/// An empty list speaks of peers, too: it selects nobody.
fn speaks_of_peers(member: &PolicyMember) -> bool {
    has_peers(member)
        || member.endpoints.is_some()
        || member.nodes.is_some()
        || member.entities.is_some()
        || member.cidrs.is_some()
        || member.cidr_sets.is_some()
}

fn has_ports(member: &PolicyMember) -> bool {
    !(member.to_ports.is_empty() && member.icmps.is_empty())
}

fn http_rules(member: &PolicyMember) -> impl Iterator<Item = (String, &HttpRule)> {
    let rules = member.to_ports.iter().enumerate();
    rules.flat_map(move |(i, port)| {
        let http = port.rules.iter().flat_map(|r| r.http.iter().flatten());
        http.enumerate().map(move |(j, rule)| {
            let path = format!("{}.toPorts[{i}].rules.http[{j}].path", member.path);
            (path, rule)
        })
    })
}

fn http_paths(member: &PolicyMember, described: Option<&str>, found: &mut Findings) {
    for (at, rule) in http_rules(member) {
        let text = &rule.path;
        if text.value == "/" {
            found.push(root_path(text, described).at(at));
        } else if let Some(meant) = without_globs(&text.value) {
            let shown = &text.value;
            found.push(
                Diagnostic::new(
                    GLOB_PATH,
                    text.span,
                    format!("in `{shown}` the `*` repeats the slash before it"),
                )
                .at(at)
                .help(format!(
                    "a path is a regular expression, in which `.*` is anything: `{meant}`"
                ))
                .fix(format!("write `{meant}`"), text.span, quoted(&meant), false),
            );
        }
    }
}

fn root_path(text: &Spanned<String>, described: Option<&str>) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        ROOT_PATH,
        text.span,
        "`/` is the root and nothing below it: the whole path has to match",
    );
    match described {
        Some(word) => {
            let mut diagnostic = diagnostic
                .help(format!(
                    "the description speaks of `{word}`, which no path here matches: write `path: {word}`"
                ))
                .fix(format!("write `{word}`"), text.span, quoted(word), false);
            diagnostic.severity = Warning;
            diagnostic
        }
        None => diagnostic.help("`/.*` is every path, `/docs` that page alone"),
    }
}

/// A path of which the description speaks and which surely no rule matches.
fn described_path(spec: &PolicySpec) -> Option<&str> {
    let description = spec.description.as_ref()?;
    let all = spec.ingress.iter().chain(&spec.egress).flat_map(http_rules);
    let paths: BTreeSet<&str> = all.map(|(_, rule)| rule.path.value.as_str()).collect();
    // "Deny /status by allowing all else" is no promise of `/status`.
    let negative = [
        "deny", "denie", "block", "prevent", "forbid", "disallow", "except", "not", "without",
        "protect", "restrict", "exclude",
    ];
    let words = description.value.to_lowercase();
    if negative.iter().any(|n| words.contains(n)) {
        return None;
    }
    // An expression may match what it does not spell out.
    let spelled_out = |p: &&str| {
        !p.is_empty() && !p.contains(['*', '+', '?', '|', '(', '[', '{', '.', '\\', '$'])
    };
    if !paths.iter().all(spelled_out) {
        return None;
    }
    paths_in(&description.value).find(|word| !paths.contains(word))
}

/// The words of a text that are paths: `/docs`, but neither `a/b` nor `//`.
fn paths_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| c.is_whitespace() || "`'\"(),;:".contains(c));
    words
        .map(|word| word.trim_end_matches(['.', '!', '?']))
        .filter(|word| {
            let mut chars = word.chars();
            chars.next() == Some('/') && chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        })
}

/// The path with `.*` for the stars that stand after a slash, if there are
/// such: at its end, or as a whole part of it.
fn without_globs(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    if template::find(path).is_some() || !parts.iter().skip(1).any(|p| *p == "*" || *p == "**") {
        return None;
    }
    let last = parts.len() - 1;
    let parts = parts.iter().enumerate().map(|(i, part)| match *part {
        "*" if i < last => "[^/]*",
        "*" | "**" if i > 0 => ".*",
        other => other,
    });
    Some(parts.collect::<Vec<_>>().join("/"))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn names(member: &PolicyMember, found: &mut Findings) {
    for (i, rule) in member.to_ports.iter().enumerate() {
        let dns = rule.rules.iter().flat_map(|r| r.dns.iter().flatten());
        for (j, name) in dns.enumerate() {
            let at = format!("{}.toPorts[{i}].rules.dns[{j}]", member.path);
            late_stars(name, &at, found);
        }
    }
    for (i, name) in member.fqdns.iter().enumerate() {
        let at = format!("{}.toFQDNs[{i}]", member.path);
        late_stars(name, &at, found);
        cluster_name(name, &at, found);
    }
}

fn late_stars(name: &FqdnSelector, at: &str, found: &mut Findings) {
    let text = &name.match_pattern;
    let pattern = text.value.trim();
    // Any number of them counts as two at the start, and alone as all names.
    let rest = pattern.trim_start_matches('*');
    let whole_labels = rest.is_empty() || (rest.starts_with('.') && pattern.len() > rest.len() + 1);
    let rest = if whole_labels { rest } else { pattern };
    if !rest.contains("**") || template::find(pattern).is_some() {
        return;
    }
    found.push(
        Diagnostic::new(
            LATE_STARS,
            text.span,
            format!("`**` in `{pattern}` counts as `*`: it stays within one label"),
        )
        .at(format!("{at}.matchPattern"))
        .help("only a leading `**.` stands for several labels"),
    );
}

fn cluster_name(name: &FqdnSelector, at: &str, found: &mut Findings) {
    for (text, field) in [
        (&name.match_name, "matchName"),
        (&name.match_pattern, "matchPattern"),
    ] {
        let plain = text.value.trim().trim_end_matches('.').to_ascii_lowercase();
        if plain.ends_with(".svc.cluster.local") || plain.ends_with(".svc") {
            found.push(
                Diagnostic::new(
                    CLUSTER_NAME,
                    text.span,
                    format!("`{}` is a service of the cluster", text.value),
                )
                .at(format!("{at}.{field}"))
                .help("what answers there are pods, known by their labels and not by their addresses: select them with `toEndpoints` or `toServices`"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::object::load::{LoadOptions, load};
    use crate::source::SourceId;

    fn remarks(kind: &str, version: &str, spec: &str) -> Vec<Diagnostic> {
        let text = format!(
            "{{apiVersion: {version}, kind: {kind}, metadata: {{name: x, namespace: ns}}, spec: {spec}}}"
        );
        let config = Config::default();
        let loaded = load(SourceId(0), &text, &LoadOptions::new(&config));
        assert!(loaded.objects().count() == 1, "{:?}", loaded.diagnostics);
        let all = loaded.diagnostics.into_iter();
        all.filter(|d| d.code.number() / 100 == 10).collect()
    }

    fn cilium(rule: &str) -> Vec<Diagnostic> {
        let spec = format!("{{endpointSelector: {{}}, {rule}}}");
        remarks("CiliumNetworkPolicy", "cilium.io/v2", &spec)
    }

    fn network(rule: &str) -> Vec<Diagnostic> {
        let spec = format!("{{podSelector: {{}}, {rule}}}");
        remarks("NetworkPolicy", "networking.k8s.io/v1", &spec)
    }

    fn codes(found: &[Diagnostic]) -> Vec<u16> {
        found.iter().map(|d| d.code.number()).collect()
    }

    const PEERS: &str = "fromEndpoints: [{matchLabels: {a: b}}]";
    const PORTS: &str = "toPorts: [{ports: [{port: '80', protocol: TCP}]}]";

    #[test]
    fn a_dash_too_many() {
        let found = cilium(&format!("ingress: [{{{PEERS}}}, {{{PORTS}}}]"));
        assert_eq!(codes(&found), [1001]);
        let [d] = &*found else { panic!() };
        assert_eq!(d.path, "spec.ingress[1]");
        assert_eq!(
            d.message,
            "the member names no peers: it opens port 80 to everybody"
        );
        assert_eq!(d.labels.len(), 1);
        let found = network("ingress: [{from: [{podSelector: {}}]}, {ports: [{port: 80}]}]");
        assert_eq!(codes(&found), [1001]);
        let egress = "egress: [{toCIDR: [10.0.0.0/8]}, {toPorts: [{ports: [{port: '0'}]}]}]";
        let found = cilium(egress);
        assert!(
            found
                .iter()
                .any(|d| d.message.contains("every port to everybody"))
        );
    }

    #[test]
    fn no_dash_too_many() {
        let fine = [
            format!("{{{PEERS}, {PORTS}}}"),
            // Peers with ports of their own, then ports for everybody.
            format!("{{{PEERS}, {PORTS}}}, {{{PORTS}}}"),
            format!("{{{PORTS}}}, {{{PEERS}}}"),
            format!("{{{PEERS}}}, {{{PEERS}, {PORTS}}}"),
            format!("{{{PEERS}}}, {{fromEntities: [], {PORTS}}}"),
            format!("{{}}, {{{PORTS}}}"),
            format!("{{fromEntities: [cluster]}}, {{{PORTS}}}"),
            format!("{{{PEERS}}}, {{toPorts: [{{ports: [{{port: '53'}}]}}]}}"),
        ];
        for members in fine {
            let found = cilium(&format!("ingress: [{members}]"));
            assert!(found.is_empty(), "{members}: {found:?}");
        }
        let both =
            "ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}, {ports: [{port: 81}]}]";
        assert!(network(both).is_empty());
    }

    fn with_paths(paths: &[&str], description: &str) -> Vec<Diagnostic> {
        let rules: Vec<String> = paths.iter().map(|p| format!("{{path: '{p}'}}")).collect();
        let rules = rules.join(", ");
        cilium(&format!(
            "description: '{description}', ingress: [{{toPorts: [{{ports: [{{port: '80', protocol: TCP}}], rules: {{http: [{rules}]}}}}]}}]"
        ))
    }

    #[test]
    fn paths() {
        let found = with_paths(&["/"], "the start page");
        assert_eq!(codes(&found), [1002]);
        assert!(found.iter().all(|d| d.severity == Info));
        let found = with_paths(&["/"], "the office may GET /docs.");
        let [d] = &*found else { panic!("{found:?}") };
        assert_eq!(d.severity, Warning);
        assert_eq!(d.path, "spec.ingress[0].toPorts[0].rules.http[0].path");
        let help = d.help.as_deref().unwrap_or_default();
        assert!(help.contains("`path: /docs`"), "{help}");
        // What is described is allowed, or may be.
        for (paths, description) in [
            (&["/", "/docs"][..], "GET /docs"),
            (&["/", "/.*"], "GET /docs"),
            (&["/"], "ingress/egress over https://a/b"),
            (&["/"], "Deny /status by allowing all else"),
        ] {
            let found = with_paths(paths, description);
            assert!(found.iter().all(|d| d.severity == Info), "{found:?}");
        }
        let found = with_paths(&["/api/*", "/api/v1/.*", "/a*", "/(v1|v2)/*/x", "/x*/"], "");
        assert_eq!(codes(&found), [1003, 1003]);
        let fixes: Vec<&str> = found.iter().map(|d| &*d.fixes[0].edits[0].1).collect();
        assert_eq!(fixes, ["\"/api/.*\"", "\"/(v1|v2)/[^/]*/x\""]);
    }

    #[test]
    fn patterns_and_names() {
        let ports = "toPorts: [{ports: [{port: '443'}]}]";
        let to = |selector: &str| cilium(&format!("egress: [{{toFQDNs: [{selector}], {ports}}}]"));
        for (selector, code) in [
            ("{matchPattern: 'a.**.io'}", Some(1004)),
            ("{matchPattern: '**.**.io'}", Some(1004)),
            ("{matchPattern: '**.a.io'}", None),
            ("{matchPattern: '*.*.io'}", None),
            ("{matchPattern: '***.a.io'}", None),
            ("{matchPattern: '**'}", None),
            ("{matchPattern: '**a.io'}", Some(1004)),
            ("{matchName: db.prod.svc.cluster.local}", Some(1005)),
            ("{matchPattern: '*.svc.cluster.local.'}", Some(1005)),
            ("{matchName: svc.example.com}", None),
        ] {
            let expected: Vec<u16> = code.into_iter().collect();
            assert_eq!(codes(&to(selector)), expected, "{selector}");
        }
    }
}
