//! Scenarios beyond what eight bits can count.
//!
//! In: how many rules. Out: a scenario whose policy tells as many peers, ports
//! and verdicts apart.

use netverdict::scenario::{Scenario, ScenarioEndpoint, ScenarioIdentity};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A policy of `count` rules, each with a prefix, a port and a proxy listener
/// of its own: from 248 on the classes of its table have 16 bits, and from 256
/// on the cells, too. At most 65,536.
#[must_use]
pub fn wide(count: u16) -> Scenario {
    let mut policy = String::from(
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n\
         metadata: {name: wide, namespace: default}\n\
         spec:\n  endpointSelector: {matchLabels: {app: wide}}\n  egress:\n",
    );
    for i in 0..count {
        let [high, low] = i.to_be_bytes();
        let port = i.saturating_add(1000);
        let _ = writeln!(
            policy,
            "  - toCIDR: [10.{high}.{low}.0/24]\n    toPorts:\n    \
             - ports: [{{port: \"{port}\", protocol: TCP}}]\n      \
             listener: {{name: l{i}, envoyConfig: {{kind: CiliumClusterwideEnvoyConfig, name: e}}}}",
        );
    }
    let labels = BTreeMap::from([
        ("k8s:app".to_owned(), "wide".to_owned()),
        (
            "k8s:io.kubernetes.pod.namespace".to_owned(),
            "default".to_owned(),
        ),
    ]);
    Scenario {
        name: format!("wide-{count}"),
        policies: vec![policy],
        identities: vec![ScenarioIdentity {
            id: 1000,
            labels,
            ..ScenarioIdentity::default()
        }],
        endpoints: vec![ScenarioEndpoint {
            id: 1000,
            ..ScenarioEndpoint::default()
        }],
        ..Scenario::default()
    }
}
