//! The loader: what it takes, passes over and refuses.

use super::*;
use crate::object::cluster_network_policy::ClusterPolicyKind;
use crate::object::workload::{ControllerKind, EndpointsKind, NodeKind};

fn with(text: &str, change: impl FnOnce(&mut LoadOptions<'_>)) -> Loaded {
    let config = Config::default();
    let mut options = LoadOptions::new(&config);
    change(&mut options);
    load(SourceId(0), text, &options)
}

fn plain(text: &str) -> Loaded {
    with(text, |_| {})
}

fn codes(loaded: &Loaded) -> Vec<Code> {
    loaded.diagnostics.iter().map(|d| d.code).collect()
}

fn names(loaded: &Loaded) -> Vec<String> {
    let objects = loaded.objects();
    objects.map(|o| o.object_ref().to_string()).collect()
}

const POLICY: &str = "apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: p}
spec: {endpointSelector: {}, ingress: [{fromEntities: [all]}]}
";

#[test]
fn namespaces_are_filled_in() {
    let loaded = plain(POLICY);
    assert_eq!(names(&loaded), ["CiliumNetworkPolicy/default/p"]);
    assert_eq!(loaded.documents[0].namespace, "default");
    let loaded = with(POLICY, |o| o.default_namespace = Some("prod".into()));
    assert_eq!(names(&loaded), ["CiliumNetworkPolicy/prod/p"]);
    // As in the agent, a CNP without a namespace is clusterwide.
    let loaded = with(POLICY, |o| o.default_namespace = None);
    assert_eq!(names(&loaded), ["CiliumClusterwideNetworkPolicy/p"]);
    let loaded = plain(&POLICY.replace("{name: p}", "{name: p, namespace: mine}"));
    assert_eq!(names(&loaded), ["CiliumNetworkPolicy/mine/p"]);
    assert!(loaded.diagnostics.is_empty());
}

#[test]
fn clusterwide_objects_have_no_namespace() {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}\n";
    let loaded = plain(text);
    assert_eq!(names(&loaded), ["Namespace/a"]);
    assert_eq!(loaded.documents[0].namespace, "");
    assert_eq!(codes(&loaded), [NO_NAMESPACE]);
}

#[test]
fn broken_documents_hide_nothing() {
    let text = format!("{POLICY}---\n[\n---\n---\nspec: 1\n---\n{POLICY}");
    let loaded = plain(&text);
    let stages: Vec<_> = loaded.documents.iter().map(|d| &d.outcome).collect();
    assert!(matches!(
        stages[..],
        [
            Outcome::Accepted(_),
            Outcome::Refused(Stage::Yaml),
            Outcome::Skipped(Skipped::NotKubernetes),
            Outcome::Accepted(_)
        ]
    ));
    assert!(loaded.refused_any());
    let index: Vec<_> = loaded.documents.iter().map(|d| d.index).collect();
    assert_eq!(index, [0, 1, 2, 3]);
}

#[test]
fn lists_are_expanded() {
    let text = "apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Pod, metadata: {name: a}}
- {apiVersion: v1, kind: Service, metadata: {name: b, namespace: x}}
- {kind: Pod}
- null
";
    let loaded = plain(text);
    assert_eq!(names(&loaded), ["Pod/default/a", "Service/x/b"]);
    let items: Vec<_> = loaded.documents.iter().map(|d| d.item.as_str()).collect();
    assert_eq!(items, ["items[0]", "items[1]", "items[2]", "items[3]"]);
    assert_eq!(codes(&loaded), [NOT_KUBERNETES, NOT_KUBERNETES]);
    // A typed list says the type of its items.
    let text = "apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicyList
items:
- metadata: {name: a}
  spec: {endpointSelector: {}, egress: [{toEntities: [all]}]}
";
    let loaded = plain(text);
    assert_eq!(names(&loaded), ["CiliumClusterwideNetworkPolicy/a"]);
    // Without items it is an object of its own kind.
    let loaded = plain("apiVersion: v1\nkind: PodList\n");
    assert_eq!(codes(&loaded), [OTHER_KIND]);
}

#[test]
fn what_is_no_policy_is_passed_over() {
    for (text, code) in [
        ("replicaCount: 1\nimage: {tag: x}\n", NOT_KUBERNETES),
        ("apiVersion: v2\nname: chart\n", NOT_KUBERNETES),
        ("- a\n- b\n", NOT_KUBERNETES),
        ("just text\n", NOT_KUBERNETES),
        ("apiVersion: v1\nkind: ConfigMap\n", OTHER_KIND),
        (
            "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\n",
            OTHER_KIND,
        ),
    ] {
        let loaded = plain(text);
        assert_eq!(codes(&loaded), [code], "{text}");
        assert_eq!(loaded.diagnostics[0].severity, Severity::Info);
        assert!(!loaded.refused_any());
    }
    assert!(plain("\n---\n# nothing\n").documents.is_empty());
}

#[test]
fn wrong_versions_are_refused_and_slips_suggested() {
    let loaded = plain(&POLICY.replace("io/v2", "io/v1"));
    assert_eq!(codes(&loaded), [VERSION]);
    assert_eq!(loaded.documents[0].outcome, Outcome::Refused(Stage::Decode));
    assert_eq!(loaded.diagnostics[0].fixes[0].edits[0].1, "cilium.io/v2");
    let loaded = plain(&POLICY.replace("NetworkPolicy", "NetworkPolcy"));
    assert_eq!(codes(&loaded), [MISSPELLED_KIND]);
    assert_eq!(
        loaded.diagnostics[0].fixes[0].edits[0].1,
        "CiliumNetworkPolicy"
    );
}

#[test]
fn templates_are_marked() {
    let loaded = plain(&POLICY.replace("name: p", "name: 'p-${X}'"));
    assert!(loaded.documents[0].templated);
    assert!(matches!(loaded.documents[0].outcome, Outcome::Accepted(_)));
    let loaded = plain(&format!(
        "{POLICY}---\n{{{{- if x }}}}\na: b\n{{{{ end }}}}\n"
    ));
    assert!(!loaded.documents[0].templated && loaded.documents[1].templated);
}

#[test]
fn limits_hold() {
    let text = "a: 1\n---\n".repeat(5);
    let loaded = with(&text, |o| o.limits.max_objects = 2);
    assert_eq!(loaded.documents.len(), 3);
    assert_eq!(
        loaded.documents[2].outcome,
        Outcome::Skipped(Skipped::Limit)
    );
    assert_eq!(
        codes(&loaded),
        [NOT_KUBERNETES, NOT_KUBERNETES, MAX_OBJECTS]
    );
    let loaded = with(&text, |o| o.limits.max_diagnostics = 2);
    assert_eq!(
        codes(&loaded),
        [NOT_KUBERNETES, NOT_KUBERNETES, MAX_DIAGNOSTICS]
    );
    let unknown = (0..5000).fold(String::new(), |t, i| t + &format!("  f{i}: 1\n"));
    let loaded = plain(&format!("{POLICY}status:\n{unknown}"));
    assert!(loaded.diagnostics.len() <= 1001);
    assert!(loaded.objects().next().is_some());
    let refused = format!("{POLICY}status:\n{unknown}  conditions: 1\n");
    assert!(plain(&refused).refused_any());
}

#[test]
fn duplicates_are_found() {
    let first = plain(POLICY);
    let second = plain(&POLICY.replace("name: p", "name: q"));
    let third = with(POLICY, |o| o.default_namespace = Some("x".into()));
    let all = |sets: &[&Loaded]| {
        let objects: Vec<Object> = sets.iter().flat_map(|l| l.objects().cloned()).collect();
        duplicates(&objects)
    };
    assert!(all(&[&first, &second, &third]).is_empty());
    let found = all(&[&first, &second, &first]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].object, "CiliumNetworkPolicy/default/p");
    assert_eq!(found[0].labels.len(), 1);
}

#[test]
fn every_kind_is_read() {
    let policy = "spec: {endpointSelector: {}, ingress: [{fromEntities: [all]}]}";
    let spec = "spec: {tier: Admin, priority: 1, subject: {namespaces: {}}}";
    for (version, kind, rest) in [
        ("cilium.io/v2", "CiliumNetworkPolicy", policy),
        ("cilium.io/v2", "CiliumClusterwideNetworkPolicy", policy),
        (
            "cilium.io/v2",
            "CiliumCIDRGroup",
            "spec: {externalCIDRs: [10.0.0.0/8]}",
        ),
        (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "spec: {podSelector: {}}",
        ),
        (
            "policy.networking.k8s.io/v1alpha2",
            "ClusterNetworkPolicy",
            spec,
        ),
        (
            "policy.networking.k8s.io/v1alpha1",
            "AdminNetworkPolicy",
            "spec: {priority: 1, subject: {namespaces: {}}}",
        ),
        (
            "policy.networking.k8s.io/v1alpha1",
            "BaselineAdminNetworkPolicy",
            "spec: {subject: {namespaces: {}}}",
        ),
        ("v1", "Namespace", ""),
        ("v1", "Pod", ""),
        ("v1", "Service", ""),
        ("v1", "Endpoints", ""),
        ("v1", "Node", ""),
        ("v1", "ServiceAccount", ""),
        ("v1", "ReplicationController", ""),
        ("apps/v1", "Deployment", ""),
        ("apps/v1", "StatefulSet", ""),
        ("apps/v1", "DaemonSet", ""),
        ("apps/v1", "ReplicaSet", ""),
        ("batch/v1", "Job", ""),
        ("batch/v1", "CronJob", ""),
        ("discovery.k8s.io/v1", "EndpointSlice", ""),
        ("cilium.io/v2", "CiliumNode", ""),
        ("cilium.io/v2", "CiliumIdentity", ""),
        ("cilium.io/v2", "CiliumEndpoint", ""),
    ] {
        let text = format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: '7', labels: {{a: b}}}}\n{rest}\n"
        );
        let loaded = plain(&text);
        assert!(
            loaded
                .diagnostics
                .iter()
                .all(|d| d.severity < Severity::Warning),
            "{loaded:?}"
        );
        let object = loaded.objects().next().unwrap();
        assert_eq!((object.kind(), object.name()), (kind, "7"));
        assert_eq!(object.meta().labels[0].1.value, "b");
        let span = object.span();
        assert_eq!(
            (span.start, span.end as usize >= text.trim_end().len()),
            (0, true),
            "{kind}"
        );
        assert_eq!(object.is_policy(), kind.ends_with("NetworkPolicy"));
    }
    let kinds = [
        ClusterPolicyKind::ClusterNetworkPolicy.as_str(),
        ControllerKind::CronJob.as_str(),
    ];
    assert_eq!(kinds, ["ClusterNetworkPolicy", "CronJob"]);
    assert_ne!(EndpointsKind::Endpoints, EndpointsKind::EndpointSlice);
    assert_ne!(NodeKind::Node, NodeKind::CiliumNode);
}

#[test]
fn a_name_of_another_type_is_refused_before_the_schema() {
    let text = "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: 1}\nspec: {}\n";
    let loaded = with(text, |o| o.strictness = Strictness::Crds);
    assert_eq!(loaded.documents[0].outcome, Outcome::Refused(Stage::Decode));
    let loaded = with(&text.replace("name: 1", "name: a"), |o| {
        o.strictness = Strictness::Crds;
    });
    assert_eq!(loaded.documents[0].outcome, Outcome::Refused(Stage::Schema));
}

#[test]
fn schemas_of_cilium_kinds_are_always_asked_and_refuse_when_they_count() {
    let policy = |ports: &str| {
        format!(
            "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: a}}\nspec:\n  endpointSelector: {{}}\n  egress: [{{toPorts: [{ports}]}}]\n"
        )
    };
    let bad = policy("{ports: [{port: '80', protocol: tcp}], port: 1}");
    let loaded = with(&bad, |_| {});
    assert_eq!(loaded.documents[0].schema.len(), 1);
    assert!(loaded.documents[0].object().is_some());
    let loaded = with(&bad, |o| o.strictness = Strictness::Crds);
    assert_eq!(loaded.documents[0].outcome, Outcome::Refused(Stage::Schema));
    let codes: Vec<_> = loaded.diagnostics.iter().map(|d| d.code.number()).collect();
    assert_eq!(codes, [202, 303]);

    // A type that decodes itself takes names in any case; the server drops
    // them, and with them what the agent would refuse.
    let dropped = policy("{ports: [{port: '80'}], rules: {kafka: [], http: []}}");
    let loaded = with(&dropped, |_| {});
    assert_eq!(loaded.documents[0].schema, []);
    let loaded = with(&dropped, |o| o.strictness = Strictness::Crds);
    assert!(loaded.documents[0].object().is_some());
    assert_eq!(loaded.diagnostics.len(), 1);

    let group = "apiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\nmetadata: {name: a}\nspec: {externalCIDRs: [1.2.3.4]}\n";
    let loaded = with(group, |o| o.strictness = Strictness::Crds);
    assert_eq!(loaded.documents[0].outcome, Outcome::Refused(Stage::Schema));
}
