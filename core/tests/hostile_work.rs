//! Sets of objects and scenarios of sizes at which work by their square would
//! not come to an end. None of these tests looks at a clock.

mod hostile_text;

use hostile_text::{build, cnp, ip, list, load_yaml, pod};
use netverdict::cluster::{
    Cluster, NAME_NOT_LEARNED, NAMED_PORT, NO_CIDR_GROUP, NO_NAMESPACE, NO_SERVICE, SUBJECT_EMPTY,
};
use netverdict::diagnostic::{Code, Severity};
use netverdict::scenario::Scenario;

fn count(cluster: &Cluster, code: Code) -> usize {
    cluster
        .diagnostics()
        .iter()
        .filter(|d| d.code == code)
        .count()
}

/// A policy of that number for the pod of that number.
fn policy(i: usize, app: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: a{i}, namespace: p}}\n\
         spec: {{endpointSelector: {{matchLabels: {{app: {app}}}}}, {rest}}}\n"
    )
}

#[test]
fn variables_without_an_end_are_looked_for_once() {
    for piece in ["${", "{{", "$(", "${a:", "$(a", "${a:-${", "$", "{"] {
        let label = |text: &str| {
            cnp(&format!(
                "  egress: [{{toFQDNs: [{{matchName: '{text}'}}]}}]\n"
            ))
        };
        let loaded = load_yaml(&label(&piece.repeat(50_000)));
        assert!(loaded.refused_any(), "{piece}");
    }
}

#[test]
fn directives_and_addresses_are_compared_with_few_others() {
    let handles = list(100_000, |i| format!("%TAG !a{i}! tag:x\n"));
    assert!(load_yaml(&(handles + "---\na: 1\n")).refused_any());
    let long = format!("%TAG !a! {}\n--- !a!x {{}}\n", "x".repeat(100_000));
    assert!(load_yaml(&long).refused_any());

    let ips = list(50_000, |i| format!("{{ip: {}}},", ip(i)));
    let text = pod(0).replace("podIP:", &format!("podIPs: [{ips}], podIP:"));
    assert_eq!(build(&text).endpoints()[0].addresses.len(), 50_000);
}

#[test]
fn one_regular_expression_of_every_kind_is_read_in_one_pass() {
    for piece in [
        "a*",
        "(",
        "(a)",
        "(?i",
        "(?P<n>a)",
        "[[:",
        "[[:alpha:]]",
        "\\x{",
        "\\Qa\\E",
        "\\p{L",
        "a{",
        "a{1,",
        "[a-",
        "|",
    ] {
        let text = cnp(&format!(
            "  ingress: [{{toPorts: [{{ports: [{{port: '80', protocol: TCP}}], rules: {{http: [{{path: '{}'}}]}}}}]}}]\n",
            piece.repeat(50_000)
        ));
        let _ = load_yaml(&text).refused_any();
    }
}

#[test]
fn long_lists_are_taken_whole() {
    const MANY: usize = 2_000;
    for (field, items) in [
        ("fromCIDR", list(MANY, |i| format!("{}/32,", ip(i)))),
        (
            "fromEndpoints",
            list(MANY, |i| format!("{{matchLabels: {{a: v{i}}}}},")),
        ),
        (
            "fromEndpoints",
            format!(
                "{{matchLabels: {{{}}}}}",
                list(MANY, |i| format!("k{i}: v,"))
            ),
        ),
        (
            "fromEndpoints",
            format!(
                "{{matchExpressions: [{}]}}",
                list(MANY, |i| format!("{{key: k{i}, operator: Exists}},"))
            ),
        ),
        (
            "fromEndpoints",
            format!(
                "{{matchExpressions: [{{key: k, operator: In, values: [{}]}}]}}",
                list(MANY, |i| format!("v{i},"))
            ),
        ),
        (
            "toPorts",
            list(MANY, |i| format!("{{ports: [{{port: '{}'}}]}},", i + 1)),
        ),
    ] {
        let text = cnp(&format!("  ingress: [{{{field}: [{items}]}}]\n"));
        let cluster = build(&(pod(0) + "---\n" + &text));
        let endpoint = &cluster.endpoints()[0];
        assert!(cluster.policy(endpoint).is_ok(), "{field}");
    }
}

/// What every rule of a policy shares is kept once.
#[test]
fn many_rules_share_what_is_long() {
    let labels = list(10_000, |i| {
        format!("{{key: k{i}, source: {}}},", "s".repeat(100))
    });
    let members = "{fromEndpoints: [{}]},".repeat(20_000);
    let text = cnp(&format!("  labels: [{labels}]\n  ingress: [{members}]\n"));
    let name = "n".repeat(100_000);
    let cluster = build(&text.replace("name: a,", &format!("name: {name},")));
    assert_eq!(cluster.repository().rules().count(), 20_000);
}

#[test]
fn policies_find_their_pods() {
    const MANY: usize = 2_000;
    let cluster =
        build(&(list(MANY, pod) + &list(MANY, |i| policy(i, &format!("a{i}"), "ingress: [{}]"))));
    assert_eq!(cluster.endpoints().len(), MANY);
    assert_eq!(count(&cluster, SUBJECT_EMPTY), 0);
    let cluster =
        build(&(list(MANY, pod) + &list(MANY, |i| policy(i, &format!("x{i}"), "ingress: [{}]"))));
    assert_eq!(count(&cluster, SUBJECT_EMPTY), MANY);
}

#[test]
fn names_are_learned_for_many_pods() {
    const MANY: usize = 2_000;
    let names = "egress: [{toFQDNs: [{matchName: a.com}]}]";
    let dns = "egress: [{toFQDNs: [{matchName: a.com}]}, {toPorts: [{ports: [{port: '53'}], rules: {dns: [{matchPattern: '*'}]}}]}]";
    let with = |i: usize| {
        policy(
            i,
            &format!("a{i}"),
            if i.is_multiple_of(2) { dns } else { names },
        )
    };
    let cluster = build(&(list(MANY, pod) + &list(MANY, with)));
    assert_eq!(count(&cluster, NAME_NOT_LEARNED), MANY / 2);
}

#[test]
fn suggestions_have_an_end() {
    const MANY: usize = 2_000;
    let namespaces = list(MANY, |i| {
        format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: n{i}}}\n")
    });
    let policies = list(MANY, |i| {
        policy(i, "a", "ingress: [{}]").replace("namespace: p", &format!("namespace: x{i}"))
    });
    assert_eq!(count(&build(&(namespaces + &policies)), NO_NAMESPACE), MANY);

    let services = list(MANY, |i| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s{i}, namespace: p}}\nspec: {{selector: {{app: a}}}}\n"
        )
    });
    let refer = |name: &str, ns: &str| {
        list(MANY, |i| {
            format!("{{k8sService: {{serviceName: {name}{i}, namespace: {ns}}}}},")
        })
    };
    let to = |services: String| {
        format!(
            "---\n{}",
            cnp(&format!("  egress: [{{toServices: [{services}]}}]\n"))
        )
    };
    assert_eq!(
        count(
            &build(&(services.clone() + &to(refer("s", "p")))),
            NO_SERVICE
        ),
        0
    );
    assert_eq!(
        count(&build(&(services + &to(refer("x", "p")))), NO_SERVICE),
        MANY
    );

    let groups = list(MANY, |i| {
        format!(
            "---\napiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\nmetadata: {{name: g{i}}}\nspec: {{externalCIDRs: [{}/32]}}\n",
            ip(i)
        )
    });
    let refs = list(MANY, |i| format!("{{cidrGroupRef: x{i}}},"));
    let text = groups + "---\n" + &cnp(&format!("  ingress: [{{fromCIDRSet: [{refs}]}}]\n"));
    assert_eq!(count(&build(&text), NO_CIDR_GROUP), MANY);

    let ports = list(MANY, |i| {
        format!("{{toPorts: [{{ports: [{{port: x{i}}}]}}]}},")
    });
    let text = list(MANY, pod) + "---\n" + &cnp(&format!("  ingress: [{ports}]\n"));
    assert_eq!(count(&build(&text), NAMED_PORT), MANY);

    // Two long words are not compared letter by letter.
    let long = "x".repeat(50_000);
    let text = format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {long}y}}\n")
        + &policy(0, "a", "ingress: [{}]").replace("namespace: p", &format!("namespace: {long}z"));
    assert_eq!(count(&build(&text), NO_NAMESPACE), 1);
}

type Item<'a> = &'a dyn Fn(usize) -> String;

/// A scenario of lists, each with so many items.
fn answer(lists: &[(&str, usize, Item<'_>)]) -> netverdict::scenario::Answer {
    let fields: Vec<String> = lists
        .iter()
        .map(|(name, n, item)| {
            let items: Vec<String> = (0..*n).map(item).collect();
            format!("\"{name}\": [{}]", items.join(","))
        })
        .collect();
    let json = format!("{{{}}}", fields.join(","));
    Scenario::parse(&json).expect("a scenario").answer()
}

#[test]
fn scenarios_take_time_in_proportion() {
    const MANY: usize = 2_000;
    let policy = |text: String| serde_json::to_string(&text).expect("text");
    let named =
        |i: usize| policy(cnp("  ingress: [{}]\n").replace("name: a,", &format!("name: a{i},")));
    let given = answer(&[("policies", MANY, &named)]);
    assert!(given.policies.iter().all(|p| p.accepted));
    let again = answer(&[("policies", MANY, &|_| named(0))]);
    assert_eq!(again.policies.len(), MANY);
    let refused = |_| policy("---\na: [\n".repeat(11_000));
    let refused = answer(&[("policies", 1, &refused)]);
    // Those past the last diagnostic of a text have no reason told.
    assert_eq!(
        refused
            .policies
            .iter()
            .filter(|p| !p.error.is_empty())
            .count(),
        10_000
    );

    let host = |i: usize| {
        format!(
            "{{\"id\":{},\"ip\":\"{}\",\"labels\":{{\"reserved:host\":\"\"}}}}",
            16_777_217 + i,
            ip(i)
        )
    };
    assert_eq!(
        answer(&[("identities", MANY, &host)]).identities.len(),
        MANY + 14
    );
    let namespace = |i: usize| format!("{{\"name\":\"n{i}\",\"labels\":{{\"a\":\"b\"}}}}");
    let identity = |i: usize| {
        format!(
            "{{\"id\":{},\"labels\":{{\"k8s:io.kubernetes.pod.namespace\":\"n{i}\"}}}}",
            i + 1000
        )
    };
    let endpoint = |i: usize| format!("{{\"id\":{}}}", i + 1000);
    let query = |i: usize| {
        format!(
            "{{\"endpoint\":{},\"peer\":2,\"direction\":\"ingress\",\"proto\":6,\"port\":80}}",
            i + 1000
        )
    };
    let given = answer(&[
        ("namespaces", MANY, &namespace),
        ("identities", MANY, &identity),
        ("endpoints", MANY, &endpoint),
        ("queries", MANY, &query),
    ]);
    assert!(given.queries.iter().all(|q| q.verdict == "allowed"));
}

#[test]
fn scenarios_that_nest_without_end_are_refused() {
    for deep in [
        "[".repeat(50_000),
        "{\"identities\":".repeat(50_000),
        format!("{{\"policies\":{}", "[".repeat(50_000)),
    ] {
        assert!(Scenario::parse(&deep).is_err());
    }
    // Policies in it have the limits of any text.
    let text = format!("{{\"policies\":[\"{}\"]}}", "[".repeat(100_000));
    let answer = Scenario::parse(&text).expect("a scenario").answer();
    assert_eq!(answer.policies[0].stage, "yaml");
}

/// Prefixes inside each other inherit from at most as many as they have bits.
#[test]
fn nested_prefixes_of_many_groups() {
    const MANY: usize = 2_000;
    let groups = list(MANY, |i| {
        format!(
            "---\napiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\nmetadata: {{name: g{i}}}\nspec: {{externalCIDRs: [{}/{}]}}\n",
            ip(i * 256),
            16 + i % 9
        )
    });
    let cluster = build(&groups);
    let errors = cluster
        .diagnostics()
        .iter()
        .filter(|d| d.severity == Severity::Error);
    assert_eq!(errors.count(), 0);
}
