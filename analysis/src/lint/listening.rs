//! Ports that nobody listens on.
//!
//! In: the ports of rules, and what containers and services declare. Out:
//! findings about ports that no pod of a rule has, with the one that a service
//! leads to.

use super::crowd::{Crowd, Selected, address, is_of_pods};
use netverdict::cluster::{Endpoint, ObjectKey};
use netverdict::diagnostic::Severity::{Info, Warning};
use netverdict::diagnostic::{Code, Diagnostic};
use netverdict::identity::NumericIdentity;
use netverdict::object::Object;
use netverdict::object::network_policy::IntOrString;
use netverdict::object::workload::{Service, ServicePort};
use netverdict::policy_map::L4Key;
use netverdict::rule::{Direction, PortProtocol, Rule, RulePort, RuleVerdict, protocol};
use netverdict::source::Span;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// All pods of the rule declare ports, and none of them this one.
pub const NOBODY_LISTENS: Code = Code::new(628, Warning, "port that no container declares");
/// The port of a service, where policies see the port of its pods.
pub const SERVICE_PORT: Code = Code::new(629, Warning, "port of the service, not of the pods");
/// A named port that some of the peers have, and others have not.
pub const NAME_OF_SOME: Code = Code::new(630, Warning, "port name that only some pods have");
/// One port by its number and by its name in one rule.
pub const TWICE_NAMED: Code = Code::new(1037, Info, "port by number and by name");
/// A pod asks to be scraped by Prometheus, and its ingress lets nobody in on
/// that port.
pub const NOBODY_SCRAPES: Code = Code::new(1039, Warning, "metrics that nobody may read");

/// Annotations by which pods ask for it.
const SCRAPE: &str = "prometheus.io/scrape";
const SCRAPE_PORT: &str = "prometheus.io/port";

/// What was found about the ports of rules, with what it follows from beside
/// the endpoints.
#[derive(Debug, Default)]
pub(super) struct Memory {
    services: Vec<u64>,
    /// By address of a rule.
    rules: HashMap<usize, Known>,
}

#[derive(Debug)]
struct Known {
    /// Holds the address.
    rule: Arc<Rule>,
    /// Of rules whose receivers are peers.
    selected: Option<Selected>,
    found: Vec<Diagnostic>,
}

pub(super) fn check(crowd: &Crowd<'_>, memory: &mut Memory) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut told = BTreeSet::new();
    let objects = crowd.cluster.versions();
    let (services, versions): (Vec<&Service>, Vec<u64>) = objects
        .filter_map(|(o, version)| match o {
            Object::Service(s) => Some((s, version)),
            _ => None,
        })
        .unzip();
    let mut before = match crowd.stays() && memory.services == versions {
        true => std::mem::take(&mut memory.rules),
        false => HashMap::new(),
    };
    memory.rules.clear();
    memory.services = versions;
    for rule in crowd.cluster.repository().rules() {
        if rule.verdict != RuleVerdict::Allow || rule.selects_nodes || rule.ports.is_empty() {
            continue;
        }
        let known = before.remove(&address(rule)).filter(|known| {
            let selected = known.selected.as_ref();
            Arc::ptr_eq(&known.rule, rule) && selected.is_none_or(|s| s.holds(crowd))
        });
        let known = known.unwrap_or_else(|| Known {
            rule: Arc::clone(rule),
            selected: (rule.direction == Direction::Egress).then(|| Selected::new(crowd, rule)),
            found: ports(crowd, rule, &services),
        });
        let first = |d: &&Diagnostic| told.insert((d.span, d.code.number()));
        found.extend(known.found.iter().filter(first).cloned());
        memory.rules.insert(address(rule), known);
    }
    scraped(crowd, &mut found);
    found
}

/// What there is to say about the ports of one rule.
fn ports(crowd: &Crowd<'_>, rule: &Arc<Rule>, services: &[&Service]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let Some(receivers) = receivers(crowd, rule) else {
        return found;
    };
    for port in rule.ports.iter().flat_map(|p| &p.ports) {
        if let RulePort::Name(name) = &port.port
            && let Some((message, number)) = twice(name, port, rule, &receivers)
        {
            found.push(
                Diagnostic::new(TWICE_NAMED, port.span, message)
                    .at(rule.origin.path.as_str())
                    .of(rule.origin.object.to_string())
                    .label(number, "the number is here")
                    .help("keep one of them: they are two filters with one port, and requests may be looked at by the rules of either"),
            );
        }
        let finding = match &port.port {
            RulePort::Number(n) if *n > 0 && port.end_port <= *n => {
                number(*n, port, &receivers, services)
            }
            RulePort::Number(_) => None,
            RulePort::Name(name) => named(name, &receivers),
        };
        if let Some((code, message, help, fix)) = finding {
            let mut finding = Diagnostic::new(code, port.span, message)
                .at(rule.origin.path.as_str())
                .of(rule.origin.object.to_string())
                .help(help);
            if let Some(label) = fix {
                finding = finding.label(label, "this service leads there");
            }
            found.push(finding);
        }
    }
    found
}

/// Pods that ask to be scraped, and are isolated against everybody.
fn scraped(crowd: &Crowd<'_>, found: &mut Vec<Diagnostic>) {
    let mut told = BTreeSet::new();
    for group in crowd.groups() {
        let ingress = group.policy.map.direction(Direction::Ingress);
        if !group.policy.subject.ingress.enforced {
            continue;
        }
        for endpoint in &group.endpoints {
            let Some((port, span)) = scrape_port(crowd, endpoint) else {
                continue;
            };
            let wanted = L4Key::port(protocol::TCP, port);
            // Its own node always reaches it.
            let somebody = ingress.iter().any(|(identity, l4, entry)| {
                let passes = !entry.invalid && !entry.is_deny() && l4.covers(wanted);
                passes && identity != NumericIdentity::HOST
            });
            if somebody || !told.insert(span) {
                continue;
            }
            let rules = group.policy.subject.ingress.rules.iter();
            let mut finding = Diagnostic::new(
                NOBODY_SCRAPES,
                span,
                format!("`{endpoint}` asks to be scraped, and nobody may connect to its port {port}"),
            )
            .help(format!(
                "allow whoever scrapes, and nobody else: pods of the namespace of Prometheus on port {port}"
            ));
            if let Some(rule) = rules.into_iter().find(|r| r.default_deny) {
                finding = finding
                    .of(rule.origin.object.to_string())
                    .label(rule.origin.span, "default deny is from here");
            }
            found.push(finding);
        }
    }
}

/// The port that a pod's annotations name, if they ask to be scraped.
fn scrape_port(crowd: &Crowd<'_>, endpoint: &Endpoint) -> Option<(u16, Span)> {
    let key = ObjectKey {
        kind: endpoint.kind.to_owned(),
        namespace: endpoint.namespace.clone(),
        name: endpoint.name.clone(),
    };
    let meta = match crowd.cluster.object(&key)? {
        Object::Pod(pod) => &pod.meta,
        Object::Controller(controller) => &controller.template.meta,
        _ => return None,
    };
    let said = |wanted: &str| meta.annotations.iter().find(|(k, _)| k.value == wanted);
    let (key, asks) = said(SCRAPE)?;
    let (_, port) = said(SCRAPE_PORT)?;
    let port = port.value.parse().ok().filter(|p| *p > 0)?;
    (asks.value == "true").then_some((port, key.span))
}

/// The pods that a rule lets somebody connect to; `None` when there are others
/// than pods of the input.
fn receivers(crowd: &Crowd<'_>, rule: &Arc<Rule>) -> Option<Vec<Arc<Endpoint>>> {
    let all: Vec<Arc<Endpoint>> = match rule.direction {
        Direction::Ingress => {
            let groups = crowd.subjects(rule);
            groups.flat_map(|g| g.endpoints.iter().cloned()).collect()
        }
        Direction::Egress => {
            let peers = rule.peers.as_ref()?;
            if !peers.iter().all(|p| is_of_pods(p)) {
                return None;
            }
            let ids = crowd.peers(rule)?;
            let pods = ids.iter().flat_map(|id| crowd.of_identity(*id));
            pods.map(|(_, e)| Arc::clone(e)).collect()
        }
    };
    // Containers need not declare a port to listen on it: those that declare
    // none say nothing.
    let known = |e: &Arc<Endpoint>| !e.ports.is_empty();
    (!all.is_empty() && all.iter().all(known)).then_some(all)
}

type Told = (Code, String, String, Option<Span>);

fn fits(rule: u8, pod: u8) -> bool {
    rule == pod || rule == protocol::ANY
}

fn number(
    n: u16,
    port: &PortProtocol,
    receivers: &[Arc<Endpoint>],
    services: &[&Service],
) -> Option<Told> {
    let declared = |e: &Arc<Endpoint>| {
        let mut ports = e.ports.iter();
        ports.any(|p| p.port == n && fits(port.protocol, p.protocol))
    };
    if receivers.iter().any(declared) {
        return None;
    }
    let first = receivers.first()?;
    // Where a service leads, somebody listens, declared or not.
    let leads = |s: &&&Service| {
        let mut ports = s.ports.iter();
        selects(s, first) && ports.any(|p| target(p, first) == Some(n))
    };
    if services.iter().any(|s| leads(&s)) {
        return None;
    }
    for service in services {
        for own in &service.ports {
            let number = u16::try_from(own.port.value).ok();
            if number == Some(n)
                && selects(service, first)
                && let Some(target) = target(own, first)
                && target != n
            {
                let name = &service.meta.name.value;
                return Some((
                    SERVICE_PORT,
                    format!("{n} is the port of service `{name}`; its pods listen on {target}"),
                    format!(
                        "policies see connections after the service chose a pod: write {target}"
                    ),
                    Some(own.span),
                ));
            }
        }
    }
    let mut known: Vec<String> = first.ports.iter().map(|p| p.port.to_string()).collect();
    known.dedup();
    let more = match receivers.len() {
        1 => String::new(),
        n => format!(", and none of {} other pods", n - 1),
    };
    Some((
        NOBODY_LISTENS,
        format!("no container of `{first}` declares port {n}{more}"),
        format!(
            "declared are {}; if the port is right, declare it too",
            known.join(", ")
        ),
        None,
    ))
}

fn selects(service: &Service, endpoint: &Endpoint) -> bool {
    let namespace = service
        .meta
        .namespace
        .as_ref()
        .map_or("default", |n| &n.value);
    let has = |key: &str, value: &str| {
        endpoint.labels.k8s_value(key) == Some(value)
            || endpoint.other_labels.k8s_value(key) == Some(value)
    };
    namespace == endpoint.namespace
        && service
            .selector
            .as_ref()
            .is_some_and(|s| s.iter().all(|(k, v)| has(&k.value, &v.value)))
}

fn target(port: &ServicePort, endpoint: &Endpoint) -> Option<u16> {
    match port.target_port.as_ref().map(|t| &t.value) {
        None => u16::try_from(port.port.value).ok(),
        Some(IntOrString::Int(n)) => u16::try_from(*n).ok(),
        Some(IntOrString::String(name)) => {
            let named = endpoint.ports.iter().find(|p| p.name == *name);
            named.map(|p| p.port)
        }
    }
}

fn named(name: &Arc<str>, receivers: &[Arc<Endpoint>]) -> Option<Told> {
    let has = |e: &&Arc<Endpoint>| e.named_ports.contains_key(name);
    let without = receivers.iter().find(|e| !has(e))?;
    let with = receivers.iter().find(has)?;
    Some((
        NAME_OF_SOME,
        format!("`{with}` has a port named `{name}`, and `{without}` has none"),
        "where the name is missing the rule matches nothing: name the port there, too, or write its number".to_owned(),
        None,
    ))
}

/// A name for a port that the rule has by its number, too.
fn twice(
    name: &Arc<str>,
    port: &PortProtocol,
    rule: &Rule,
    receivers: &[Arc<Endpoint>],
) -> Option<(String, Span)> {
    for receiver in receivers {
        let Some((protocol, number)) = receiver.named_ports.get(name) else {
            continue;
        };
        let same = |p: &&PortProtocol| {
            let here = match p.port {
                RulePort::Number(n) => n == *number || n < *number && *number <= p.end_port,
                RulePort::Name(_) => false,
            };
            here && fits(p.protocol, *protocol) && fits(port.protocol, *protocol)
        };
        if let Some(other) = rule.ports.iter().flat_map(|p| &p.ports).find(same) {
            let message =
                format!("`{name}` of `{receiver}` is {number}, which the rule names, too");
            return Some((message, other.span));
        }
    }
    None
}
