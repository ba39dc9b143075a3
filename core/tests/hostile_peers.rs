//! Peers and subjects of sizes at which work by their square would not come to
//! an end. None of these tests looks at a clock.

mod hostile_text;

use hostile_text::{build, cnp, ip, list, pod};
use netverdict::cluster::{Cluster, Endpoint, ResolvedPolicy};
use std::sync::Arc;

/// A world of one pod with a policy.
fn world(policy: &str) -> Cluster {
    build(&format!("{}---\n{policy}", pod(0)))
}

fn policy_of(cluster: &Cluster) -> Arc<ResolvedPolicy> {
    let endpoint: &Endpoint = &cluster.endpoints()[0];
    cluster.policy(endpoint).expect("a policy")
}

#[test]
fn one_prefix_in_very_many_spellings() {
    const MANY: usize = 10_000;
    let spelled = |i: usize| format!("{}/8", ip(i + 1));
    for policy in [
        cnp(&format!(
            "  ingress: [{{fromCIDR: [{}]}}]\n",
            list(MANY, |i| spelled(i) + ",")
        )),
        cnp(&format!(
            "  ingress: [{}]\n",
            list(MANY, |i| format!("{{fromCIDR: [{}]}},", spelled(i)))
        )),
        cnp(&format!(
            "  ingressDeny: [{}]\n",
            list(MANY, |i| format!(
                "{{fromCIDR: [{}], toPorts: [{{ports: [{{port: '80', protocol: TCP}}]}}]}},",
                spelled(i)
            ))
        )),
    ] {
        let cluster = world(&policy);
        let policy = policy_of(&cluster);
        let of_prefix = policy
            .map
            .ingress
            .iter()
            .filter(|(id, _, _)| id.0 >> 24 == 1);
        assert_eq!(of_prefix.count(), 1);
    }
}

#[test]
fn very_many_exceptions() {
    const MANY: usize = 10_000;
    let cluster = world(&cnp(&format!(
        "  ingress: [{{fromCIDRSet: [{{cidr: 10.0.0.0/8, except: [{}]}}]}}]\n",
        list(MANY, |i| format!("{}/32,", ip(2 * i)))
    )));
    let of_prefixes = |id: &u32| id >> 24 == 1;
    let known = cluster.identities().iter().map(|(id, _)| id.0);
    assert_eq!(known.filter(of_prefixes).count(), MANY + 1);
    let policy = policy_of(&cluster);
    let allowed = policy.map.ingress.iter().map(|(id, _, _)| id.0);
    assert_eq!(
        allowed.filter(of_prefixes).count(),
        1,
        "all but the prefix are left out"
    );
}

#[test]
fn very_many_services_by_name_and_by_label() {
    const MANY: usize = 3_000;
    let services = list(MANY, |i| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s{i}, namespace: n{}, labels: {{all: x, number: y{i}}}}}\n\
             spec: {{selector: {{app: a{i}}}}}\n",
            i % 7
        )
    });
    let peers = |reference: &dyn Fn(usize) -> String| {
        let policy = cnp(&format!(
            "  egress: [{{toServices: [{}]}}]\n",
            list(MANY, |i| reference(i) + ",")
        ));
        let cluster = world(&(policy + &services));
        let rule = cluster.repository().rules().next().expect("a rule");
        rule.peers.as_ref().expect("peers").len()
    };
    let named = |i| format!("{{k8sService: {{serviceName: s{i}}}}}");
    assert_eq!(peers(&named), MANY);
    let labelled = |labels: String| {
        format!("{{k8sServiceSelector: {{selector: {{matchLabels: {{{labels}}}}}}}}}")
    };
    assert_eq!(peers(&|i| labelled(format!("all: x, number: y{i}"))), MANY);
    assert_eq!(peers(&|i| labelled(format!("all: x, number: z{i}"))), 0);
    // References that say the same find each service once.
    assert_eq!(peers(&|_| labelled("all: x".into())), MANY);
    assert_eq!(peers(&|_| named(0)), 1);
}

/// What the rules of a policy share is asked once.
#[test]
fn a_large_subject_of_very_many_rules() {
    const MANY: usize = 5_000;
    let labels = list(MANY, |i| format!("k{i}: v, "));
    let policy = cnp(&format!(
        "  ingress: [{}]\n",
        "{fromEndpoints: [{}]},".repeat(MANY)
    ));
    let subject = format!("endpointSelector: {{matchLabels: {{{labels}}}}}");
    let policy = policy.replace("endpointSelector: {}", &subject);
    let pod = pod(0).replace("labels: {", &format!("labels: {{{labels}"));
    let cluster = build(&format!("{pod}---\n{policy}"));
    let policy = policy_of(&cluster);
    assert_eq!(policy.subject.ingress.rules.len(), MANY + 1, "and the host");
}
