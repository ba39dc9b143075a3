//! Keys of selectors that nothing has.
//!
//! In: selectors as written. Out: findings about keys that were probably meant
//! for the namespace, and about labels of a single run.

use super::member::Member;
use netverdict::cluster::Cluster;
use netverdict::diagnostic::Severity::{Info, Warning};
use netverdict::diagnostic::{Code, Diagnostic, Findings, suggest};
use netverdict::label::{Label, keys};
use netverdict::object::cilium::CiliumPolicy;
use netverdict::object::{LabelSelector, Object, template};
use netverdict::source::Spanned;

/// A key that looks like a namespace or its labels and is none of those that
/// Cilium gives to pods: nothing has it.
pub const NAMESPACE_KEY: Code = Code::new(1025, Warning, "no such key of namespaces");
/// A label that every run of a job, or every revision, has anew.
pub const RUN_LABEL: Code = Code::new(1026, Info, "label of a single run");

/// Labels that a controller makes up anew each time.
const RUN_LABELS: [&str; 7] = [
    "job-name",
    "batch.kubernetes.io/job-name",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
];

pub(super) fn check(object: &Object, cluster: &Cluster, found: &mut Findings) {
    if let Object::CiliumPolicy(policy) = object {
        for (selector, path) in subjects(policy) {
            keys_of(selector, &path, object, cluster, found);
        }
    }
    for member in Member::of(object) {
        for selector in member.own.endpoints.iter().flatten() {
            let path = format!("{}.{}", member.own.path, member.field("Endpoints"));
            keys_of(selector, &path, object, cluster, found);
        }
    }
}

fn subjects(policy: &CiliumPolicy) -> impl Iterator<Item = (&LabelSelector, String)> {
    policy.specs.iter().filter_map(|spec| {
        let selector = spec.endpoint_selector.as_ref()?;
        Some((selector, format!("{}.endpointSelector", spec.path)))
    })
}

fn keys_of(
    selector: &LabelSelector,
    path: &str,
    object: &Object,
    cluster: &Cluster,
    found: &mut Findings,
) {
    let labels = selector.match_labels.iter().map(|(key, _)| key);
    let expressions = selector.match_expressions.iter().map(|e| &e.key);
    for key in labels.chain(expressions) {
        let finding = namespace_key(key, cluster).or_else(|| run_label(key, cluster));
        if let Some(finding) = finding {
            found.push(finding.at(path).of(object.object_ref().to_string()));
        }
    }
}

/// The key that was meant by one that nothing has.
fn meant(key: &str) -> Option<String> {
    if template::find(key).is_some() {
        return None;
    }
    if key == "kubernetes.io/metadata.name" {
        return Some(keys::POD_NAMESPACE.to_owned());
    }
    let right = format!("{}.", keys::NAMESPACE_LABELS);
    let of_cilium = key.starts_with("io.cilium.k8s.") || key.starts_with("io.kubernetes.");
    if of_cilium && !key.starts_with(&right) && key.contains("namespace") {
        let mut words = ["labels.", "label."].iter();
        let rest = words.find_map(|word| Some(key.split_once(word)?.1));
        if let Some(rest) = rest.filter(|r| !r.is_empty()) {
            return Some(format!("{right}{rest}"));
        }
    }
    let near = suggest(key, [keys::POD_NAMESPACE]);
    let named = matches!(
        key,
        "io.kubernetes.namespace" | "kubernetes.io/namespace" | "io.kubernetes.pod.ns"
    );
    let name = near.is_some() || named;
    (name && key != keys::POD_NAMESPACE).then(|| keys::POD_NAMESPACE.to_owned())
}

fn namespace_key(key: &Spanned<String>, cluster: &Cluster) -> Option<Diagnostic> {
    let (source, plain) = split(&key.value)?;
    let meant = meant(plain)?;
    let asked = Label::parse_select(&key.value);
    let somebody = |e: &std::sync::Arc<netverdict::cluster::Endpoint>| {
        e.labels.find(&asked).is_some() || e.other_labels.find(&asked).is_some()
    };
    if cluster.endpoints().iter().any(somebody) {
        return None;
    }
    let source = if source.is_empty() { "k8s:" } else { source };
    let meant = format!("{source}{meant}");
    Some(
        Diagnostic::new(
            NAMESPACE_KEY,
            key.span,
            format!("Cilium gives no pod a label `{plain}`"),
        )
        .help(format!(
            "did you mean `{meant}`? as it stands nothing has the label"
        ))
        .fix(format!("write `{meant}`"), key.span, meant, true),
    )
}

/// The source of a key, with its colon, if it may be a label of pods.
fn split(key: &str) -> Option<(&str, &str)> {
    for source in ["k8s:", "any:"] {
        if let Some(rest) = key.strip_prefix(source) {
            return Some((source, rest));
        }
    }
    (!key.contains(':') && !key.starts_with('$')).then_some(("", key))
}

fn run_label(key: &Spanned<String>, cluster: &Cluster) -> Option<Diagnostic> {
    let (_, plain) = split(&key.value)?;
    let kept = cluster.options().filter.keeps(&Label::k8s(plain, ""));
    // Of those that make no identity something else is said.
    if !RUN_LABELS.contains(&plain) || !kept {
        return None;
    }
    Some(
        Diagnostic::new(
            RUN_LABEL,
            key.span,
            format!("every run gets another `{plain}`, and with it another identity"),
        )
        .help("select by a label that stays the same, and leave this one out of identities by Cilium's option `labels`"),
    )
}
