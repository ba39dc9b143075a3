//! How the objects fit together.
//!
//! In: a cluster. Out: diagnostics about references that lead nowhere and
//! policies that do nothing, as far as the input shows. Nothing here is an
//! error: an object that is not in the input may exist all the same.

use super::namespace::METADATA_NAME;
use super::remembered::{Known, Memory, cidr_groups};
use super::subject::Subjects;
use super::{Cluster, ObjectKey, intent};
use crate::diagnostic::{Code, Diagnostic, Severity, suggest};
use crate::identity::AllocationError;
use crate::label::{Label, LabelSource, keys};
use crate::object::Object;
use crate::object::cilium::CiliumPolicy;
use crate::object::template;
use crate::rule::{Direction, Rule, RulePort, RuleVerdict};
use crate::selector::{Selector, SelectorKind};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// No endpoint of the input is selected by a policy.
pub const SUBJECT_EMPTY: Code = Code::new(610, Severity::Info, "policy selects nothing known");
/// A CIDR group that is not in the input.
pub const NO_CIDR_GROUP: Code = Code::new(611, Severity::Warning, "unknown CIDR group");
/// A service that is not in the input.
pub const NO_SERVICE: Code = Code::new(612, Severity::Warning, "unknown service");
/// A namespace's labels matter, and its object is not in the input.
pub const NAMESPACE_LABELS: Code = Code::new(613, Severity::Info, "namespace labels unknown");
/// A policy in a namespace that nothing in the input speaks of.
pub const NO_NAMESPACE: Code = Code::new(614, Severity::Warning, "unknown namespace");
/// A named port that no pod of the input defines.
pub const NAMED_PORT: Code = Code::new(615, Severity::Warning, "unknown named port");
/// A policy for nodes while the host firewall is off.
pub const HOST_FIREWALL_OFF: Code = Code::new(616, Severity::Warning, "host firewall is off");
/// Two pods with one address.
pub const ADDRESS_TWICE: Code = Code::new(617, Severity::Warning, "address used twice");
/// A pod's labels and the identity recorded for it differ.
pub const STALE_IDENTITY: Code = Code::new(618, Severity::Info, "recorded identity differs");
/// Nothing of the input is selected as a peer.
pub const PEER_EMPTY: Code = Code::new(619, Severity::Info, "peer selects nothing known");
/// No number is left for an identity.
pub const EXHAUSTED: Code = Code::new(623, Severity::Error, "out of identities");
/// A selector asks for a label that the agent leaves out of identities.
pub const NO_IDENTITY_LABEL: Code = Code::new(624, Severity::Warning, "label makes no identity");

/// Names compared in search of the one that was meant, in all of one check.
pub const MAX_COMPARISONS: usize = 1_000_000;

/// Names listed in one diagnostic.
pub const MAX_LISTED: usize = 10;

fn implied_namespaces(cluster: &Cluster) -> Option<String> {
    let all = cluster.namespaces.iter();
    let implied = all.filter(|(_, n)| n.span.is_none());
    let number = implied.clone().count();
    let names = some_of(implied.map(|(name, _)| format!("`{name}`")));
    let are = if number == 1 { "one is" } else { "some are" };
    (number > 0).then(|| format!("{are} without Namespace object in the input: {names}"))
}

/// The diagnostic for an allocator that has no number left.
pub(super) fn exhausted(error: &AllocationError) -> Diagnostic {
    Diagnostic::new(EXHAUSTED, Span::default(), error.to_string())
}

/// Everything worth telling.
pub(super) fn check(cluster: &Cluster, memory: &mut Memory) -> Vec<Diagnostic> {
    memory.follow(cluster);
    let Memory { around, policies } = memory;
    let Some(around) = around else {
        return Vec::new();
    };
    let mut checker = Checker {
        cluster,
        subjects: &mut around.subjects,
        on_hosts: &mut around.on_hosts,
        implied: implied_namespaces(cluster),
        port_names: &around.port_names,
        found: Vec::new(),
        seen: BTreeSet::new(),
        comparisons: MAX_COMPARISONS,
    };
    checker.policies(policies);
    checker.services();
    checker.endpoints();
    let mut found = checker.found;
    found.extend(intent::check(cluster, &mut around.subjects));
    found.sort_by_key(|d| (d.span, d.code.number()));
    found
}

struct Checker<'c> {
    cluster: &'c Cluster,
    subjects: &'c mut Subjects,
    on_hosts: &'c mut Subjects,
    /// What to say of namespaces without an object, if there are any.
    implied: Option<String>,
    port_names: &'c BTreeSet<Arc<str>>,
    found: Vec<Diagnostic>,
    seen: BTreeSet<(Span, u16)>,
    /// Names that may still be compared.
    comparisons: usize,
}

/// The first of a list of names, and how many there are beside.
fn some_of(names: impl Iterator<Item = String>) -> String {
    let mut names = names.fuse();
    let mut first: Vec<String> = names.by_ref().take(MAX_LISTED).collect();
    match names.count() {
        0 => {}
        more => first.push(format!("and {more} more")),
    }
    first.join(", ")
}

impl<'c> Checker<'c> {
    /// The name that was probably meant, as long as not too many have been
    /// compared.
    fn meant(&mut self, word: &str, names: impl Iterator<Item = &'c str>) -> Option<&'c str> {
        let mut left = self.comparisons;
        let names = names.take(left).inspect(|_| left -= 1);
        let found = suggest(word, names);
        self.comparisons = left;
        found
    }

    /// Says a thing once: several rules may share a selector.
    fn tell(&mut self, diagnostic: Diagnostic) {
        if self
            .seen
            .insert((diagnostic.span, diagnostic.code.number()))
        {
            self.found.push(diagnostic);
        }
    }

    fn policies(&mut self, known: &mut BTreeMap<Arc<str>, Known>) {
        let cluster = self.cluster;
        let mut before = std::mem::take(known);
        for (resource, rules) in cluster.repository.resources() {
            let empty = self.empty_peers(rules);
            let of_policy = before.remove(resource).filter(|k| {
                let same = |(a, b): (&Arc<Rule>, &Arc<Rule>)| Arc::ptr_eq(a, b);
                k.rules.len() == rules.len()
                    && k.rules.iter().zip(rules).all(same)
                    && k.empty == empty
                    && k.comparisons <= self.comparisons
            });
            let of_policy = of_policy.unwrap_or_else(|| self.policy(rules, empty));
            self.comparisons -= of_policy.comparisons;
            for diagnostic in &of_policy.found {
                self.tell(diagnostic.clone());
            }
            known.insert(Arc::clone(resource), of_policy);
        }
    }

    /// Whether each of the peers of rules selects nobody.
    fn empty_peers(&self, rules: &[Arc<Rule>]) -> Vec<bool> {
        let peers = rules.iter().flat_map(|r| r.peers.iter().flatten());
        peers.map(|p| self.selects_nobody(p)).collect()
    }

    fn selects_nobody(&self, peer: &Selector) -> bool {
        let index = self.cluster.repository.selectors();
        let selected = index.find(peer).and_then(|id| index.selections(id));
        selected.is_none_or(roaring::RoaringBitmap::is_empty)
    }

    /// What there is to find about the rules of one policy.
    fn policy(&mut self, rules: &[Arc<Rule>], empty: Vec<bool>) -> Known {
        let before = self.comparisons;
        let (found, seen) = (
            std::mem::take(&mut self.found),
            std::mem::take(&mut self.seen),
        );
        self.namespace(rules);
        let mut subjects = BTreeSet::new();
        for rule in rules {
            if subjects.insert(rule.subject.key()) {
                self.subject(rule);
            }
            for peer in rule.peers.iter().flatten() {
                self.peer(rule, peer);
            }
            self.named_ports(rule);
        }
        self.seen = seen;
        let comparisons = before - self.comparisons;
        self.comparisons = before;
        Known {
            rules: rules.to_vec(),
            empty,
            comparisons,
            found: std::mem::replace(&mut self.found, found),
        }
    }

    /// A policy whose namespace is nowhere, while others are.
    fn namespace(&mut self, rules: &[Arc<Rule>]) {
        let Some(rule) = rules.first() else { return };
        let all = &self.cluster.namespaces;
        let ns = &*rule.namespace;
        let written_down = all.values().any(|n| n.span.is_some());
        if ns.is_empty() || !written_down || all.contains_key(ns) || template::find(ns).is_some() {
            return;
        }
        let object = rule.origin.object.to_string();
        let mut diagnostic = Diagnostic::new(
            NO_NAMESPACE,
            rule.origin.object.span,
            format!("nothing in the input is in namespace `{ns}`"),
        )
        .at("metadata.namespace")
        .of(object);
        if let Some(meant) = self.meant(ns, all.keys().map(String::as_str)) {
            diagnostic = diagnostic.help(format!("did you mean `{meant}`?"));
        }
        self.tell(diagnostic);
    }

    fn subject(&mut self, rule: &Rule) {
        let cluster = self.cluster;
        let object = rule.origin.object.to_string();
        if rule.selects_nodes {
            if !cluster.config.host_firewall {
                self.tell(
                    Diagnostic::new(
                        HOST_FIREWALL_OFF,
                        rule.subject.span(),
                        "a policy for nodes has no effect while the host firewall is off",
                    )
                    .of(object)
                    .help("Cilium's option `enable-host-firewall` (Helm: `hostFirewall.enabled`) turns it on"),
                );
            }
            return;
        }
        let selected = !self.subjects.selected(rule).is_empty();
        let has_variable = rule
            .subject
            .requirements()
            .iter()
            .any(|r| r.values.iter().any(|v| template::find(v).is_some()));
        self.filtered_labels(rule, &rule.subject);
        if selected || has_variable || cluster.endpoints.is_empty() {
            return;
        }
        let mut diagnostic = Diagnostic::new(
            SUBJECT_EMPTY,
            rule.subject.span(),
            format!(
                "no pod or workload in the input is selected by `{}`",
                rule.subject
            ),
        )
        .of(object);
        let on_host = self.on_hosts.selected(rule);
        let on_host = on_host.iter().filter_map(|n| self.on_hosts.get(n));
        let on_host = some_of(on_host.map(|s| format!("`{}`", s.endpoint)));
        if !on_host.is_empty() {
            diagnostic = diagnostic.help(format!(
                "{on_host} would be, but pods on the host network have the node's identity and no policy of their own"
            ));
        }
        self.tell(diagnostic);
    }

    fn peer(&mut self, rule: &Rule, peer: &Selector) {
        let cluster = self.cluster;
        let object = rule.origin.object.to_string();
        self.cidr_group(rule, peer);
        self.namespace_labels(rule, peer);
        if peer.kind() == SelectorKind::Labels {
            self.filtered_labels(rule, peer);
        }
        let variable = peer
            .requirements()
            .iter()
            .any(|r| r.values.iter().any(|v| template::find(v).is_some()));
        let of_pods = peer.kind() == SelectorKind::Labels
            && !peer
                .requirements()
                .iter()
                .any(|r| r.key.source() == &LabelSource::Reserved);
        if !of_pods || variable || peer.is_wildcard() || cluster.endpoints.is_empty() {
            return;
        }
        if self.selects_nobody(peer) {
            let side = match rule.direction {
                Direction::Ingress => "from",
                Direction::Egress => "to",
            };
            self.tell(
                Diagnostic::new(
                    PEER_EMPTY,
                    peer.span(),
                    format!("no endpoint in the input is selected by `{peer}`"),
                )
                .at(rule.origin.path.as_str())
                .of(object)
                .help(format!(
                    "as the input stands this peer admits no traffic {side} anybody"
                )),
            );
        }
    }

    /// Conditions on labels that no identity has.
    fn filtered_labels(&mut self, rule: &Rule, selector: &Selector) {
        let filter = &self.cluster.options.filter;
        let left_out = selector.requirements().iter().find(|r| {
            let key = r.key.key();
            let of_pods = matches!(r.key.source(), LabelSource::K8s | LabelSource::Any);
            let own = key.starts_with(keys::CILIUM_PREFIX) || key == keys::POD_NAMESPACE;
            let written = !own || key.starts_with(keys::NAMESPACE_LABELS);
            of_pods && written && !filter.keeps(&Label::k8s(key, ""))
        });
        let Some(requirement) = left_out else { return };
        let key = requirement.key.key();
        let shown = key
            .strip_prefix(keys::NAMESPACE_LABELS)
            .map_or(key, |k| k.trim_start_matches('.'));
        let diagnostic = Diagnostic::new(
            NO_IDENTITY_LABEL,
            selector.span(),
            format!("`{shown}` is not part of identities: to policies nothing has this label"),
        );
        self.tell(
            diagnostic
                .at(rule.origin.path.as_str())
                .of(rule.origin.object.to_string())
                .help("select by another label, or include this one by Cilium's option `labels`"),
        );
    }

    fn cidr_group(&mut self, rule: &Rule, peer: &Selector) {
        let prefix = format!("{}/", keys::CIDR_GROUP_NAME);
        let named = peer
            .requirements()
            .iter()
            .filter(|r| r.key.source() == &LabelSource::CidrGroup)
            .filter_map(|r| r.key.key().strip_prefix(prefix.as_str()));
        for group in named {
            let key = |name: &str| ObjectKey {
                kind: "CiliumCIDRGroup".to_owned(),
                namespace: String::new(),
                name: name.to_owned(),
            };
            if self.cluster.objects.contains_key(&key(group)) || template::find(group).is_some() {
                continue;
            }
            let help = match self.meant(group, cidr_groups(self.cluster)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "until it exists the reference selects no address".to_owned(),
            };
            let diagnostic = Diagnostic::new(
                NO_CIDR_GROUP,
                peer.span(),
                format!("CIDR group `{group}` is not in the input"),
            );
            self.tell(
                diagnostic
                    .at(rule.origin.path.as_str())
                    .of(rule.origin.object.to_string())
                    .help(help),
            );
        }
    }

    /// Namespaces whose labels a selector asks for and nobody has written.
    fn namespace_labels(&mut self, rule: &Rule, peer: &Selector) {
        let asks = peer.requirements().iter().any(|r| {
            r.key
                .key()
                .strip_prefix(keys::NAMESPACE_LABELS)
                .and_then(|k| k.strip_prefix('.'))
                .is_some_and(|k| k != METADATA_NAME)
        });
        if !asks {
            return;
        }
        let Some(implied) = &self.implied else {
            return;
        };
        self.tell(
            Diagnostic::new(
                NAMESPACE_LABELS,
                peer.span(),
                format!("labels of namespaces decide here, and {implied}"),
            )
            .at(rule.origin.path.as_str())
            .of(rule.origin.object.to_string())
            .help("add the Namespace objects; without them only the name is known"),
        );
    }

    fn named_ports(&mut self, rule: &Rule) {
        let cluster = self.cluster;
        if cluster.endpoints.is_empty() {
            return;
        }
        for port in rule.ports.iter().flat_map(|p| &p.ports) {
            let RulePort::Name(name) = &port.port else {
                continue;
            };
            if self.port_names.contains(name) || template::find(name).is_some() {
                continue;
            }
            let mut diagnostic = Diagnostic::new(
                NAMED_PORT,
                port.span,
                format!("no pod in the input defines a port named `{name}`"),
            )
            .at(rule.origin.path.as_str())
            .of(rule.origin.object.to_string());
            let lower = name.to_lowercase();
            let names: Vec<&str> = self.port_names.iter().map(|n| &**n).collect();
            let help = match self.meant(name, names.into_iter()) {
                _ if self.port_names.contains(lower.as_str()) => Some(format!(
                    "Cilium lower-cases port names of pods but not those of NetworkPolicy: write `{lower}`"
                )),
                Some(meant) => Some(format!("did you mean `{meant}`?")),
                None => (rule.verdict != RuleVerdict::Pass)
                    .then(|| "the rule matches nothing on that port".to_owned()),
            };
            if let Some(help) = help {
                diagnostic = diagnostic.help(help);
            }
            self.tell(diagnostic);
        }
    }

    /// `toServices` that name a service nobody knows.
    fn services(&mut self) {
        for object in self.cluster.objects.values() {
            if let Object::CiliumPolicy(policy) = object {
                self.services_of(policy, object);
            }
        }
    }

    fn services_of(&mut self, policy: &CiliumPolicy, object: &Object) {
        for member in policy.specs.iter().flat_map(|s| &s.egress) {
            for reference in &member.services {
                let Some(named) = reference
                    .name
                    .as_ref()
                    .filter(|_| reference.selector.is_none())
                else {
                    continue;
                };
                let (ns, name) = (&named.namespace.value, &named.service_name.value);
                let services = self.cluster.services.in_namespace(ns);
                let known = if ns.is_empty() {
                    self.cluster.services.has_name(name)
                } else {
                    services.binary_search_by(|s| s.name.cmp(name)).is_ok()
                };
                if known || template::find(name).is_some() {
                    continue;
                }
                let opens = !member.to_ports.is_empty()
                    && member.services.len() == 1
                    && member.endpoints.is_none();
                let help = match self.meant(name, services.iter().map(|s| s.name.as_str())) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None if opens => {
                        "while no service matches, `toPorts` beside it opens those ports to everybody"
                            .to_owned()
                    }
                    None => "while no service matches, it allows nothing".to_owned(),
                };
                self.tell(
                    Diagnostic::new(
                        NO_SERVICE,
                        named.service_name.span,
                        format!("service `{name}` is not in the input"),
                    )
                    .at(member.path.as_str())
                    .of(object.object_ref().to_string())
                    .help(help),
                );
            }
        }
    }

    fn endpoints(&mut self) {
        let cluster = self.cluster;
        for endpoint in &cluster.endpoints {
            if endpoint.stale_identity {
                self.tell(
                    Diagnostic::new(
                        STALE_IDENTITY,
                        endpoint.span,
                        format!(
                            "`{endpoint}` is recorded with identity {}, whose labels are not those of the pod",
                            endpoint.identity
                        ),
                    )
                    .of(format!("{}/{endpoint}", endpoint.kind))
                    .help("the recorded identity counts; Cilium follows changed labels within seconds"),
                );
            }
            if endpoint.host_network {
                continue;
            }
            for ip in &endpoint.addresses {
                let Some(owner) = cluster.pods_by_address.get(ip) else {
                    continue;
                };
                if !Arc::ptr_eq(owner, endpoint) {
                    self.tell(
                        Diagnostic::new(
                            ADDRESS_TWICE,
                            endpoint.span,
                            format!("`{endpoint}` and `{owner}` both have the address `{ip}`"),
                        )
                        .of(format!("{}/{endpoint}", endpoint.kind))
                        .label(owner.span, "has it too")
                        .help("traffic of that address is taken for the first one's"),
                    );
                }
            }
        }
    }
}
