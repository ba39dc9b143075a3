//! Kinds and cases in which plain Kubernetes semantics count, or differ.

use super::*;

const PODS: &str = "---
apiVersion: v1
kind: Namespace
metadata: {name: prod, labels: {team: a}}
---
apiVersion: v1
kind: Namespace
metadata: {name: test, labels: {team: b}}
---
apiVersion: v1
kind: Pod
metadata: {name: tester, namespace: test, labels: {app: tester}}
spec: {containers: [{name: c, image: i}]}
";

fn world() -> String {
    pod("web-0", "app: web", "10.0.1.1") + &pod("db-0", "app: db", "10.0.1.2") + PODS
}

/// A policy that denies what comes from namespaces of other teams.
fn others_denied(head: &str, deny: &str) -> String {
    format!(
        "---\napiVersion: policy.networking.k8s.io/{head}\n  subject: {{pods: {{namespaceSelector: {{}}, podSelector: {{matchLabels: {{app: db}}}}}}}}\n  \
         ingress: [{{name: others, action: {deny}, from: [{{namespaces: {{matchExpressions: [{{key: team, operator: NotIn, values: [a]}}]}}}}]}}]\n"
    )
}

#[test]
fn exclusions_of_the_predecessors_are_about_pods() {
    let admin = others_denied(
        "v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: p}\nspec:\n  priority: 1",
        "Deny",
    );
    let c = build(&(world() + &admin));
    assert_eq!(tcp(&c, "test/tester", "prod/db-0", 1), "deny");
    assert_eq!(tcp(&c, "prod/web-0", "prod/db-0", 1), "allow");
    assert_eq!(tcp(&c, "1.1.1.1", "prod/db-0", 1), "allow");
    // Cilium takes the same words of the successor for everything outside.
    let successor = others_denied(
        "v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: p}\nspec:\n  tier: Admin\n  priority: 1",
        "Deny",
    );
    let c = build(&(world() + &successor));
    assert_eq!(tcp(&c, "test/tester", "prod/db-0", 1), "deny");
    assert_eq!(tcp(&c, "1.1.1.1", "prod/db-0", 1), "deny");
}

#[test]
fn an_isolated_pod_never_comes_to_the_baseline() {
    let isolated = "---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: isolate, namespace: prod}
spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}
";
    let admin = others_denied(
        "v1alpha1\nkind: BaselineAdminNetworkPolicy\nmetadata: {name: default}\nspec:",
        "Allow",
    );
    let c = build(&(world() + &admin));
    assert_eq!(tcp(&c, "test/tester", "prod/db-0", 1), "allow");
    let c = build(&(world() + &admin + isolated));
    assert_eq!(tcp(&c, "test/tester", "prod/db-0", 1), "default-deny");
    // Cilium asks the baseline of the successor all the same.
    let successor = others_denied(
        "v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: p}\nspec:\n  tier: Baseline\n  priority: 1",
        "Accept",
    );
    let c = build(&(world() + &successor + isolated));
    assert_eq!(tcp(&c, "test/tester", "prod/db-0", 1), "allow");
}

#[test]
fn rules_apply_although_the_types_leave_them_out() {
    let policy = "---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: prod}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Egress]
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]
";
    let c = build(&(world() + policy));
    assert_eq!(tcp(&c, "prod/web-0", "prod/db-0", 1), "allow");
    assert_eq!(tcp(&c, "test/tester", "prod/db-0", 1), "default-deny");
}

#[test]
fn labels_that_make_no_identity_select_nothing() {
    let policy = "---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: prod}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: [{from: [{podSelector: {matchLabels: {KEY: x}}}]}]
";
    let from = |key: &str| {
        let web = pod("web-0", &format!("app: web, {key}: x"), "10.0.1.1");
        let c = build(&(web + &pod("db-0", "app: db", "10.0.1.2") + &policy.replace("KEY", key)));
        let told = codes(&c).contains(&NO_IDENTITY_LABEL.number());
        (tcp(&c, "prod/web-0", "prod/db-0", 1), told)
    };
    assert_eq!(from("pod-template-hash"), ("default-deny".to_owned(), true));
    assert_eq!(
        from("statefulset.kubernetes.io/pod-name"),
        ("default-deny".to_owned(), true)
    );
    assert_eq!(from("app.kubernetes.io/name"), ("allow".to_owned(), false));
    assert_eq!(from("tier"), ("allow".to_owned(), false));
}
