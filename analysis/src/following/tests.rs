use super::*;
use crate::lint::{Linter, together};
use netverdict::cluster::{ClusterOptions, Documents};
use netverdict::config::Config;
use netverdict::diagnostic::Diagnostic;
use netverdict::object::load::LoadOptions;
use serde_json::Value;
use std::collections::BTreeMap;

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((self.0 >> 33) as usize) % sides
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

fn pod(dice: &mut Dice, n: usize) -> String {
    let namespace = dice.one(&["a", "b"]);
    let app = dice.one(&["web", "api", "db"]);
    let port = dice.one(&["80", "8080", "5432"]);
    let host = dice.one(&["", "", "hostNetwork: true, nodeName: n1, "]);
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p{n}, namespace: {namespace}, labels: {{app: {app}}}, \
         ownerReferences: [{{apiVersion: apps/v1, kind: StatefulSet, name: {app}, uid: u, controller: true}}]}}\n\
         spec: {{{host}containers: [{{name: c, ports: [{{name: http, containerPort: {port}}}]}}]}}\n"
    )
}

fn rule(dice: &mut Dice, to: &str) -> String {
    let from = if to == "to" { "to" } else { "from" };
    let l7 = "rules: {http: [{method: GET}]}, ";
    let peers = [
        format!(
            "{from}Endpoints: [{{matchLabels: {{app: {}}}}}]",
            dice.one(&["web", "api", "db"])
        ),
        format!("{from}Endpoints: [{{}}]"),
        format!(
            "{from}Endpoints: [{{matchLabels: {{'k8s:io.kubernetes.pod.namespace': {}}}}}]",
            dice.one(&["a", "b"])
        ),
        format!(
            "{from}CIDRSet: [{{cidrGroupRef: {}}}]",
            dice.one(&["office", "ofice"])
        ),
        format!(
            "{from}CIDR: [{}]",
            dice.one(&["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "240.0.0.0/4"])
        ),
        format!(
            "{from}Entities: [{}]",
            dice.one(&[
                "world",
                "cluster",
                "host",
                "health",
                "all",
                "kube-apiserver"
            ])
        ),
        match to {
            "to" => format!(
                "toFQDNs: [{{matchName: {}}}]",
                dice.one(&["a.example", "b.example"])
            ),
            _ => "fromEndpoints: [{}]".to_owned(),
        },
    ];
    let peer = &peers[dice.roll(peers.len())];
    let l7 = if peer.contains("FQDN") || peer.contains("CIDR") {
        ""
    } else {
        dice.one(&["", "", l7])
    };
    let port = match l7 {
        "" => dice.one(&["'80'", "'8080'", "http", "'0'"]),
        _ => dice.one(&["'80'", "'8080'"]),
    };
    match dice.roll(3) {
        0 => format!("{{{peer}}}"),
        _ => format!("{{{peer}, toPorts: [{{{l7}ports: [{{port: {port}, protocol: TCP}}]}}]}}"),
    }
}

fn policy(dice: &mut Dice, n: usize) -> String {
    let namespace = dice.one(&["a", "b"]);
    let subject = dice.one(&[
        "{}",
        "{matchLabels: {app: web}}",
        "{matchLabels: {app: api}}",
    ]);
    let (direction, to) = [("ingress", "from"), ("egress", "to")][dice.roll(2)];
    let deny = dice.one(&["", "", "Deny"]);
    let mut text = rule(dice, to);
    if deny == "Deny" && (text.contains("rules:") || text.contains("FQDN")) {
        text = "{}".to_owned();
    }
    let broken = dice.one(&["", "", "", "  nonsense: 1\n"]);
    format!(
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: q{n}, namespace: {namespace}}}\n\
         spec:\n{broken}  endpointSelector: {subject}\n  {direction}{deny}: [{text}]\n"
    )
}

fn network_policy(dice: &mut Dice, n: usize) -> String {
    let namespace = dice.one(&["a", "b"]);
    let peers = [
        "podSelector: {matchLabels: {app: wep}}",
        "podSelector: {matchLabels: {app: db}}",
        "namespaceSelector: {matchLabels: {team: one}}",
        "namespaceSelector: {matchLabels: {team: one}}, podSelector: {matchLabels: {app: api}}",
        "ipBlock: {cidr: 0.0.0.0/0}",
    ];
    let port = dice.one(&["80", "8080", "http", "htpp", "{"]);
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: n{n}, namespace: {namespace}}}\n\
         spec:\n  podSelector: {{matchLabels: {{app: {}}}}}\n  ingress:\n  - from: [{{{}}}]\n    ports: [{{port: {port}}}]\n",
        dice.one(&["web", "api", "apj"]),
        dice.one(&peers)
    )
}

/// What policies speak of beside pods.
fn other(dice: &mut Dice) -> (&'static str, String) {
    let namespace = dice.one(&["a", "b"]);
    let app = dice.one(&["web", "api", "db"]);
    match dice.roll(3) {
        0 => (
            "service",
            format!(
                "apiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: {namespace}}}\n\
                 spec: {{selector: {{app: {app}}}, ports: [{{port: 8080, targetPort: {}}}]}}\n",
                dice.one(&["80", "http", "5432"])
            ),
        ),
        1 => (
            "namespace",
            format!(
                "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}, labels: {{team: {}}}}}\n",
                dice.one(&["one", "two"])
            ),
        ),
        _ => (
            "group",
            format!(
                "apiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\nmetadata: {{name: {}}}\nspec: {{externalCIDRs: [10.1.0.0/16]}}\n",
                dice.one(&["office", "ofice"])
            ),
        ),
    }
}

/// Policies that were kept are those of the rules and identities in force.
fn policies_are_those_in_force(cluster: &Cluster, at: &str) {
    let Some(rule) = cluster.repository().rules().next() else {
        return;
    };
    // A rule that nothing has.
    let stranger = Arc::new(netverdict::rule::Rule::clone(rule));
    let own = cluster.endpoints().iter().filter(|e| !e.host_network);
    for endpoint in own {
        let known = cluster.policy(endpoint);
        let anew = cluster.policy_without(endpoint, &stranger);
        match (known, anew) {
            (Ok(known), Ok(anew)) => {
                assert_eq!(known.map.entries(), anew.map.entries(), "{at}: {endpoint}");
            }
            (known, anew) => assert_eq!(known.err(), anew.err(), "{at}: {endpoint}"),
        }
    }
}

/// What somebody has who was told everything since the beginning.
#[derive(Default)]
struct Reader {
    revision: u64,
    names: Vec<String>,
    workloads: Vec<bool>,
    open: BTreeMap<(String, String), Value>,
    /// How many connections were told.
    told: usize,
}

impl Reader {
    fn read(&mut self, told: &str) {
        let told: Value = serde_json::from_str(told).expect("JSON");
        self.revision = told["revision"].as_u64().expect("a revision");
        if let Some(names) = told["names"].as_array() {
            self.names = names
                .iter()
                .map(|n| n.as_str().expect("a name").to_owned())
                .collect();
            let workloads = told["workloads"].as_array().expect("workloads");
            self.workloads = workloads.iter().map(|w| *w == Value::Bool(true)).collect();
            let names = &self.names;
            self.open
                .retain(|(from, to), _| names.contains(from) && names.contains(to));
        }
        for cell in told["cells"].as_array().expect("cells") {
            let name =
                |at: usize| self.names[cell[at].as_u64().expect("a number") as usize].clone();
            let pair = (name(0), name(1));
            self.told += 1;
            match &cell[2] {
                Value::Null => drop(self.open.remove(&pair)),
                open => {
                    self.open.insert(pair, open.clone());
                }
            }
        }
    }

    fn all(&self) -> Value {
        let named = |workload: bool| -> Vec<&String> {
            let all = self.names.iter().zip(&self.workloads);
            all.filter(|(_, w)| **w == workload)
                .map(|(n, _)| n)
                .collect()
        };
        let mut open: Vec<_> = self.open.iter().collect();
        let at = |name: &String| self.names.iter().position(|n| n == name);
        open.sort_by_key(|((from, to), _)| (at(from), at(to)));
        let connections: Vec<&Value> = open.into_iter().map(|(_, c)| c).collect();
        serde_json::json!({"workloads": named(true), "peers": named(false), "connections": connections})
    }
}

fn follow(seed: u64, steps: usize) -> (usize, usize) {
    let config = Config::default();
    let load = LoadOptions::new(&config);
    let mut dice = Dice(seed);
    let mut documents: Documents = Documents::new();
    let mut cluster = Cluster::new(config.clone(), ClusterOptions::default());
    let mut following = Following::new(&cluster);
    let mut linter = Linter::default();
    let (mut reader, mut late) = (Reader::default(), Reader::default());
    let mut whole = 0;
    for step in 0..steps {
        let n = dice.roll(8);
        // Pods come and go seldom, as in an editor.
        let (name, text) = match step < 12 || dice.roll(6) == 0 {
            true => (format!("pod{n}"), pod(&mut dice, n)),
            false => match dice.roll(6) {
                0 => {
                    let (name, text) = other(&mut dice);
                    (name.to_owned(), text)
                }
                1 => (format!("policy{n}"), network_policy(&mut dice, n)),
                _ => (format!("policy{n}"), policy(&mut dice, n)),
            },
        };
        let changes = match dice.roll(7) {
            0 => documents.remove(&name, &load).unwrap_or_default(),
            _ => documents.set(&name, &text, &load),
        };
        following.apply(changes.clone(), documents.open_policies());
        cluster.apply(changes);
        cluster.set_open_policies(documents.open_policies());
        if dice.roll(5) == 0 {
            continue;
        }
        let fresh = crate::json::connectivity(&cluster, false, false, false).expect("JSON");
        let fresh: Value = serde_json::from_str(&fresh).expect("JSON");
        reader.read(&following.since(reader.revision).expect("JSON"));
        assert_eq!(
            reader.all(),
            fresh,
            "seed {seed}, step {step}: {name}\n{text}"
        );
        whole += reader.open.len();
        let found = linter.together(&cluster);
        let anew = together(cluster.objects(), &cluster);
        assert_eq!(found, anew, "seed {seed}, step {step}");
        // Which peer stands for others depends on numbers of identities.
        let places = |found: &[Diagnostic]| -> BTreeSet<_> {
            found.iter().map(|d| (d.span, d.code.number())).collect()
        };
        policies_are_those_in_force(&cluster, &format!("seed {seed}, step {step}"));
        let again = cluster.rebuilt();
        let (kept, fresh_remarks) = (cluster.diagnostics(), again.diagnostics());
        assert_eq!(kept, fresh_remarks, "seed {seed}, step {step}");
        let again = together(again.objects(), &again);
        assert_eq!(places(&found), places(&again), "seed {seed}, step {step}");
        if dice.roll(9) == 0 {
            late.read(&following.since(late.revision).expect("JSON"));
            assert_eq!(late.all(), fresh, "seed {seed}, step {step}");
        }
    }
    (reader.told, whole)
}

#[test]
fn what_was_told_is_what_a_fresh_look_says() {
    let (mut told, mut whole) = (0, 0);
    for seed in 0..5 {
        let (some, all) = follow(seed, 40);
        told += some;
        whole += all;
    }
    // More than half of it was kept.
    assert!(told * 2 < whole, "{told} of {whole}");
}
