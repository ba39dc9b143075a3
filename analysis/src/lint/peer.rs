//! Peers that are others than they seem.
//!
//! In: the peers of members, and the cluster. Out: findings about dashes that
//! make one peer of two or two of one, and about peers nobody is.

use super::member::{Member, network_rules};
use netverdict::cluster::Cluster;
use netverdict::diagnostic::Severity::{Info, Warning};
use netverdict::diagnostic::{Code, Diagnostic, Findings};
use netverdict::label::keys;
use netverdict::object::network_policy::{NetworkPolicy, NetworkPolicyPeer};
use netverdict::object::{LabelSelector, Object, SelectorOperator, template};
use netverdict::selector::{LabelQuery, Selector};
use netverdict::source::Span;

/// A namespace and after it, with a dash of its own, pods: two peers, where one
/// was perhaps meant. A warning when the input's pods speak for one.
pub const SPLIT_PEER: Code = Code::new(1020, Info, "namespace and pods in two peers");
/// Pods of a namespace in one peer, where two were probably meant: there are
/// no such pods, and either half has some.
pub const JOINED_PEER: Code = Code::new(1021, Warning, "namespace and pods in one peer");
/// `{}` as a peer of a namespaced policy of Cilium: the pods of its own
/// namespace.
pub const OWN_NAMESPACE: Code = Code::new(1022, Info, "everybody of one namespace");
/// `{}` as a peer of a clusterwide policy: the pods of every namespace.
pub const EVERY_NAMESPACE: Code = Code::new(1023, Info, "everybody of every namespace");
/// The API server selected by labels of its pods, which have the identity of
/// their node.
pub const API_SERVER_POD: Code = Code::new(1024, Warning, "API server selected as a pod");

/// Pods named in one message.
const LISTED: usize = 4;

pub(super) fn check(object: &Object, cluster: &Cluster, found: &mut Findings) {
    for member in Member::of(object) {
        let endpoints = member.own.endpoints.as_deref().unwrap_or_default();
        for selector in endpoints {
            empty(&member, selector, found);
            api_server(selector, object, &member.own.path, found);
        }
        if let Object::CiliumPolicy(policy) = object {
            let namespace = object.namespace();
            for pair in endpoints.windows(2) {
                let [a, b] = pair else { continue };
                if only_namespace(a) && no_namespace(b) && !policy.clusterwide {
                    let first = query(a, namespace);
                    let second = query(b, namespace);
                    let both = joined(a, b);
                    let halves = Halves::new(cluster, [&first, &second, &both]);
                    let field = member.field("Endpoints");
                    let finding = split(&halves, (a.span, b.span), &field, namespace);
                    found.push(
                        finding
                            .at(member.own.path.as_str())
                            .of(object.object_ref().to_string()),
                    );
                }
            }
        }
    }
    if let Object::NetworkPolicy(policy) = object {
        network_policy(policy, object, cluster, found);
    }
}

fn empty(member: &Member<'_>, selector: &LabelSelector, found: &mut Findings) {
    if !selector.match_labels.is_empty() || !selector.match_expressions.is_empty() {
        return;
    }
    let finding = if member.policy.clusterwide {
        let message = "`{}` is every pod of every namespace of the cluster";
        let finding = member.finding(EVERY_NAMESPACE, selector.span, message);
        finding.help("select namespaces by `io.kubernetes.pod.namespace` or their labels")
    } else {
        let namespace = member.object.namespace();
        let message = format!("`{{}}` is every pod of namespace `{namespace}`, and nobody else");
        let finding = member.finding(OWN_NAMESPACE, selector.span, message);
        let field = member.field("Entities");
        finding.help(format!(
            "everybody in the cluster is `{field}: [cluster]`, everybody at all `{field}: [all]`"
        ))
    };
    found.push(finding);
}

fn plain(key: &str) -> &str {
    let key = key.strip_prefix("k8s:").unwrap_or(key);
    key.strip_prefix("any:").unwrap_or(key)
}

fn of_namespace(key: &str) -> bool {
    let key = plain(key);
    key == keys::POD_NAMESPACE || key.starts_with(keys::NAMESPACE_LABELS)
}

fn keys_of(selector: &LabelSelector) -> impl Iterator<Item = &str> {
    let labels = selector.match_labels.iter().map(|(k, _)| k.as_str());
    labels.chain(selector.match_expressions.iter().map(|e| e.key.as_str()))
}

fn only_namespace(selector: &LabelSelector) -> bool {
    keys_of(selector).next().is_some() && keys_of(selector).all(of_namespace)
}

fn no_namespace(selector: &LabelSelector) -> bool {
    let special = |k: &str| of_namespace(k) || k.starts_with("reserved:") || k.starts_with('$');
    keys_of(selector).next().is_some() && !keys_of(selector).any(special)
}

fn variable(selector: &LabelSelector) -> bool {
    let mut keys = keys_of(selector);
    let labels = selector.match_labels.iter().map(|(_, v)| v.as_str());
    let listed = selector.match_expressions.iter().flat_map(|e| &e.values);
    let mut values = labels.chain(listed.map(|v| v.as_str()));
    keys.any(|k| template::find(k).is_some()) || values.any(|v| template::find(v).is_some())
}

fn api_server(selector: &LabelSelector, object: &Object, path: &str, found: &mut Findings) {
    let named = selector.match_labels.iter().find(|(key, value)| {
        matches!(plain(&key.value), "component" | "k8s-app" | "app")
            && matches!(value.as_str(), "kube-apiserver" | "apiserver")
    });
    let Some((key, _)) = named else { return };
    found.push(
        Diagnostic::new(
            API_SERVER_POD,
            key.span,
            "an API server runs on its node's network: no policy sees it as a pod with these labels",
        )
        .at(path)
        .of(object.object_ref().to_string())
        .help("Cilium knows it as the entity `kube-apiserver`: `toEntities: [kube-apiserver]`, or `fromEntities`"),
    );
}

/// The selector of a CNP's peer, with the namespace that it leaves out.
fn query(selector: &LabelSelector, namespace: &str) -> Selector {
    let mut query = LabelQuery::from_object(selector, "any");
    if !keys_of(selector).any(of_namespace) {
        query.add_match(format!("k8s:{}", keys::POD_NAMESPACE), namespace);
    }
    query.build(selector.span)
}

fn joined(a: &LabelSelector, b: &LabelSelector) -> Selector {
    let mut query = LabelQuery::from_object(a, "any");
    query.extend_from(b, "any", str::to_owned);
    query.build(a.span)
}

/// What two selectors select by themselves, and what both together.
struct Halves {
    /// Some pod of the input is among them.
    known: bool,
    first: Vec<String>,
    second: Vec<String>,
    both: Vec<String>,
}

impl Halves {
    fn new(cluster: &Cluster, selectors: [&Selector; 3]) -> Self {
        let [first, second, both] = selectors.map(|s| pods(cluster, s));
        let known = !(first.is_empty() && second.is_empty() && both.is_empty());
        Self {
            known,
            first,
            second,
            both,
        }
    }
}

/// The endpoints that a selector selects.
fn pods(cluster: &Cluster, selector: &Selector) -> Vec<String> {
    let own = cluster.endpoints().iter().filter(|e| !e.host_network);
    let selected = own.filter(|e| selector.matches(&e.labels, cluster.config()));
    selected.map(ToString::to_string).collect()
}

fn listed(pods: &[String]) -> String {
    let shown: Vec<String> = pods.iter().take(LISTED).map(|p| format!("`{p}`")).collect();
    match pods.len().checked_sub(shown.len()) {
        _ if pods.is_empty() => "nobody in the input".to_owned(),
        None | Some(0) => shown.join(", "),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
    }
}

fn split(
    halves: &Halves,
    (first, second): (Span, Span),
    field: &str,
    namespace: &str,
) -> Diagnostic {
    let mut finding = Diagnostic::new(
        SPLIT_PEER,
        second,
        format!("the dash makes two peers: whole namespaces, and besides pods of `{namespace}`"),
    )
    .label(first, "every pod of these namespaces");
    let Halves { known, .. } = halves;
    if !known {
        return finding.help(format!(
            "if only such pods of those namespaces are meant, take the second dash away: conditions of one element of `{field}` hold together"
        ));
    }
    // The pods speak for one peer: as two, the second is nobody.
    let speaks = halves.second.is_empty() && !halves.both.is_empty();
    if speaks {
        finding.severity = Warning;
    }
    finding.help(format!(
        "as it stands: {}, and {}; without the second dash: {} alone",
        listed(&halves.first),
        listed(&halves.second),
        listed(&halves.both)
    ))
}

fn network_policy(
    policy: &NetworkPolicy,
    object: &Object,
    cluster: &Cluster,
    found: &mut Findings,
) {
    let namespace = object.namespace();
    for (_, rule) in network_rules(policy) {
        for peer in &rule.peers {
            if let Some(pods) = &peer.pod_selector {
                api_server(pods, object, &rule.path, found);
            }
            let finding = joined_peer(peer, cluster, namespace);
            found_at(finding, &rule.path, object, found);
        }
        for pair in rule.peers.windows(2) {
            let [a, b] = pair else { continue };
            let finding = split_peer(a, b, cluster, namespace);
            found_at(finding, &rule.path, object, found);
        }
    }
}

fn found_at(finding: Option<Diagnostic>, path: &str, object: &Object, found: &mut Findings) {
    if let Some(finding) = finding {
        found.push(finding.at(path).of(object.object_ref().to_string()));
    }
}

fn conditions(selector: Option<&LabelSelector>) -> Option<&LabelSelector> {
    selector.filter(|s| keys_of(s).next().is_some() && !variable(s))
}

/// The selector of a NetworkPolicy's peer.
fn network_query(
    namespaces: Option<&LabelSelector>,
    pods: Option<&LabelSelector>,
    own: &str,
    span: Span,
) -> Selector {
    let mut query = LabelQuery::default();
    match namespaces {
        Some(s) => {
            query.extend_from(s, "k8s", |k| format!("{}.{k}", keys::NAMESPACE_LABELS));
            query.add_expression(
                format!("k8s:{}", keys::POD_NAMESPACE),
                SelectorOperator::Exists,
            );
        }
        None => query.add_match(format!("k8s:{}", keys::POD_NAMESPACE), own),
    }
    if let Some(pods) = pods {
        query.extend_from(pods, "k8s", str::to_owned);
    }
    query.build(span)
}

fn split_peer(
    a: &NetworkPolicyPeer,
    b: &NetworkPolicyPeer,
    cluster: &Cluster,
    own: &str,
) -> Option<Diagnostic> {
    let namespaces = conditions(a.namespace_selector.as_ref())?;
    let pods = conditions(b.pod_selector.as_ref())?;
    let alone = a.pod_selector.is_none()
        && a.ip_block.is_none()
        && b.namespace_selector.is_none()
        && b.ip_block.is_none();
    if !alone {
        return None;
    }
    let query = |n, p| network_query(n, p, own, b.span);
    let halves = Halves::new(
        cluster,
        [
            &query(Some(namespaces), None),
            &query(None, Some(pods)),
            &query(Some(namespaces), Some(pods)),
        ],
    );
    Some(split(&halves, (a.span, b.span), "from` and `to", own))
}

fn joined_peer(peer: &NetworkPolicyPeer, cluster: &Cluster, own: &str) -> Option<Diagnostic> {
    let namespaces = conditions(peer.namespace_selector.as_ref())?;
    let pods = conditions(peer.pod_selector.as_ref())?;
    let query = |n, p| network_query(n, p, own, peer.span);
    let halves = Halves::new(
        cluster,
        [
            &query(Some(namespaces), None),
            &query(None, Some(pods)),
            &query(Some(namespaces), Some(pods)),
        ],
    );
    // Each half is somebody, and together they are nobody.
    let speaks = halves.both.is_empty() && !halves.first.is_empty() && !halves.second.is_empty();
    speaks.then(|| {
        Diagnostic::new(
            JOINED_PEER,
            peer.span,
            "no pod in the input is in these namespaces and has these labels",
        )
        .label(namespaces.span, format!("these are {}", listed(&halves.first)))
        .label(pods.span, format!("in `{own}` these are {}", listed(&halves.second)))
        .help("conditions of one element hold together; if both were meant to be let in, give `podSelector` a dash of its own")
    })
}
