use super::*;
use netverdict::cluster::{Cluster, ClusterOptions, Target};
use netverdict::config::Config;
use netverdict::object::load::{LoadOptions, load};
use netverdict::rule::protocol;
use netverdict::source::SourceId;

fn flow(line: &str) -> RecordedFlow {
    read_line(line).unwrap().unwrap()
}

fn cluster(yaml: &str) -> Cluster {
    let config = Config::default();
    let loaded = load(SourceId(0), yaml, &LoadOptions::new(&config));
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    Cluster::build(config, ClusterOptions::default(), loaded.into_objects())
}

fn recording(lines: &[&str]) -> Recording {
    let mut recording = Recording::new();
    for (n, line) in (1..).zip(lines) {
        recording.line(LineAt { text: 0, line: n }, line);
    }
    recording
}

/// What becomes of the only connection of some lines.
fn replayed(yaml: &str, lines: &[&str]) -> Replayed {
    let mut cluster = cluster(yaml);
    let recording = recording(lines);
    assert_eq!(recording.problems(), &[]);
    let placement = place(&mut cluster, &recording);
    let mut all = replay(&cluster, &recording, &placement);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

const EXPORTED: &str = r#"{"flow":{"time":"2023-08-21T12:12:18.510175415Z","verdict":"DROPPED","IP":{"source":"10.244.1.60","destination":"10.244.1.5","ipVersion":"IPv4"},"l4":{"TCP":{"source_port":44916,"destination_port":80,"flags":{"SYN":true}}},"source":{"namespace":"default","pod_name":"xwing"},"destination":{"namespace":"default","pod_name":"deathstar-7848d6c4d5-th9v2"},"node_name":"kind-kind/kind-worker","drop_reason_desc":"POLICY_DENIED"},"node_name":"kind-kind/kind-worker","time":"2023-08-21T12:12:18.510175415Z"}"#;

#[test]
fn wrapped_bare_and_badly_copied_json_are_the_same() {
    let wrapped = flow(EXPORTED);
    assert_eq!(wrapped.verdict, Some(RecordedVerdict::Dropped));
    assert_eq!(wrapped.drop_reason, "POLICY_DENIED");
    assert_eq!((wrapped.protocol, wrapped.port), (Some(6), Some(80)));
    assert_eq!(wrapped.source.pod, "xwing");
    assert_eq!(wrapped.turn, Turn::Forward);
    let inner = EXPORTED.strip_prefix(r#"{"flow":"#).unwrap();
    let bare = inner
        .split(r#","node_name":"kind-kind/kind-worker","time"#)
        .next()
        .unwrap();
    assert_eq!(flow(bare), wrapped);
    let blanks = EXPORTED.replace("\"drop_reason_desc\"", "\"drop_ reason_desc \"");
    let blanks = blanks.replace("\"destination_port\"", "\" destination_port\"");
    assert_eq!(flow(&blanks), wrapped);
}

#[test]
fn notices_are_no_flows_and_nonsense_is_told_with_its_line() {
    let lost = r#"{"lost_events":{"source":"HUBBLE_RING_BUFFER","num_events_lost":"3"}}"#;
    assert_eq!(read_line(lost), Ok(None));
    assert_eq!(read_line("  "), Ok(None));
    let recording = recording(&[
        EXPORTED,
        "{\"verdict\":",
        "what?",
        r#"{"a":1}"#,
        r#"{"verdict":"ALLOWED","source":{}}"#,
        r#"{"verdict":"FORWARDED","l4":{"TCP":{"destination_port":700000}}}"#,
    ]);
    assert_eq!(recording.rows(), 1);
    let lines: Vec<u64> = recording.problems().iter().map(|p| p.at.line).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6]);
    assert!(recording.problems()[3].message.contains("ALLOWED"));
}

#[test]
fn lines_of_hubble_observe_are_read() {
    let drop = flow(
        "May  4 13:23:47.852: default/xwing:42818 <> default/deathstar-c74d84667-cx5kp:80 \
         Policy denied DROPPED (TCP Flags: SYN)",
    );
    assert_eq!(drop.drop_reason, "POLICY_DENIED");
    assert_eq!(
        (drop.protocol, drop.port, drop.turn),
        (Some(6), Some(80), Turn::Forward)
    );
    assert_eq!(drop.destination.pod, "deathstar-c74d84667-cx5kp");

    let verdict = flow(
        "\u{1b}[32mFeb  7 13:06:45.130\u{1b}[0m [node-1]: default/tiefighter:59824 (ID:31028) -> \
         default/deathstar-6fb5694d48-5hmds:80 (ID:16530) policy-verdict:L3-L4 INGRESS ALLOWED BY \
         rule1 (CiliumNetworkPolicy), rule2 (NetworkPolicy) (TCP Flags: SYN)",
    );
    assert_eq!(verdict.match_type, Some(MatchType::L3L4));
    assert_eq!(verdict.direction, Some(Direction::Ingress));
    assert_eq!(verdict.source.identity, Some(31028));
    assert_eq!(verdict.source.pod, "tiefighter");
    assert_eq!(
        verdict.policies,
        ["CiliumNetworkPolicy/rule1", "NetworkPolicy/rule2"]
    );
    assert_eq!(verdict.protocol, Some(6));

    let reply = flow(
        "Dec 13 08:49:58.888: 10.20.1.124:36308 (host) <- kube-system/coredns-565d847f94-pp8zs:8080 \
         (ID:7518) to-stack FORWARDED (TCP Flags: SYN, ACK)",
    );
    assert_eq!(reply.turn, Turn::Reply);
    assert_eq!(reply.destination.identity, Some(1));

    let request = flow(
        "May  4 13:23:40.501: default/tiefighter:42690 -> default/deathstar-c74d84667-cx5kp:80 \
         http-request DROPPED (HTTP/1.1 PUT http://deathstar.default.svc.cluster.local/v1/exhaust-port)",
    );
    assert_eq!(request.event, Event::Layer7);
    let sent = request.sent.unwrap();
    assert_eq!(sent.to_string(), "PUT /v1/exhaust-port");
    assert!(matches!(sent, RecordedRequest::Http { host, .. } if host.starts_with("deathstar.")));

    let name = flow(
        "Jul  7 08:45:25.807: shop/cart-0:1 (ID:3) -> api.example.com:443 (ID:16777217) \
         policy-verdict:none EGRESS DENIED (TCP Flags: SYN)",
    );
    assert_eq!(name.destination.names, ["api.example.com"]);

    let ping = flow(
        "x: 10.0.0.1 (host) <> a/b (ID:5) policy-verdict:none INGRESS DENIED (ICMPv4 EchoRequest)",
    );
    assert_eq!((ping.protocol, ping.port), (Some(protocol::ICMP), Some(8)));
    assert_eq!(ping.direction, Some(Direction::Ingress));
}

#[test]
fn what_may_be_a_reply_is_not_guessed_about() {
    let said = |rest: &str| {
        flow(&format!(
            r#"{{"verdict":"FORWARDED","source":{{"pod_name":"a"}},"destination":{{"pod_name":"b"}},{rest}}}"#
        ))
        .turn
    };
    let tcp =
        |flags: &str| format!(r#""l4":{{"TCP":{{"destination_port":1,"flags":{{{flags}}}}}}}"#);
    assert_eq!(said(r#""is_reply":false"#), Turn::Forward);
    assert_eq!(said(r#""is_reply":true"#), Turn::Reply);
    assert_eq!(said(&tcp(r#""SYN":true"#)), Turn::Forward);
    assert_eq!(said(&tcp(r#""SYN":true,"ACK":true"#)), Turn::Reply);
    assert_eq!(said(&tcp(r#""ACK":true"#)), Turn::Unsaid);
    assert_eq!(said(r#""l4":{"UDP":{"destination_port":1}}"#), Turn::Unsaid);
    // A stray packet of a forgotten connection is dropped, too.
    let stray = r#"{"verdict":"DROPPED","drop_reason_desc":"POLICY_DENIED","l4":{"TCP":{"destination_port":40000,"flags":{"ACK":true}}}}"#;
    assert_eq!(flow(stray).turn, Turn::Unsaid);
}

const PODS: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, ports: [{name: pg, containerPort: 5432}]}]}
"#;

const DB_POLICY: &str = r#"
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: db}}
  ingress:
  - fromEndpoints: [{matchLabels: {app: web}}]
    toPorts: [{ports: [{port: "5432", protocol: TCP}]}]
"#;

const WEB_TO_DB: &str = r#"{"verdict":"FORWARDED","l4":{"TCP":{"destination_port":5432}},"source":{"namespace":"shop","pod_name":"web-6d9c7b5f48-x2k8q"},"destination":{"namespace":"shop","pod_name":"db-0"},"is_reply":false}"#;

#[test]
fn pods_are_found_by_the_names_of_their_workloads() {
    let yaml = format!("{PODS}{DB_POLICY}");
    let one = replayed(&yaml, &[WEB_TO_DB, WEB_TO_DB]);
    assert_eq!(
        (one.from.as_str(), one.to.as_str()),
        ("shop/web", "shop/db")
    );
    assert_eq!((one.change, one.seen.flows), (Change::Same, 2));
    let tightened = yaml.replace("\"5432\"", "\"5433\"");
    let one = replayed(&tightened, &[WEB_TO_DB]);
    assert_eq!(one.change, Change::NewlyDenied);
    let rules = one.now.rules();
    assert_eq!(rules.len(), 1);
    assert_eq!(
        rules[0].origin.object.to_string(),
        "CiliumNetworkPolicy/shop/db"
    );
}

#[test]
fn a_pod_in_no_manifest_is_what_its_labels_say_and_unknown_without() {
    let yaml = format!("{PODS}{DB_POLICY}");
    let labelled = |app: &str| {
        format!(
            r#"{{"verdict":"DROPPED","drop_reason_desc":"POLICY_DENIED","l4":{{"TCP":{{"destination_port":5432}}}},"source":{{"namespace":"shop","pod_name":"gone","identity":4711,"labels":["k8s:app={app}","k8s:tier=x","k8s:io.cilium.k8s.policy.cluster=default","k8s:io.cilium.k8s.policy.serviceaccount=default","k8s:io.kubernetes.pod.namespace=shop"]}},"destination":{{"namespace":"shop","pod_name":"db-0"}}}}"#
        )
    };
    assert_eq!(
        replayed(&yaml, &[&labelled("web")]).change,
        Change::NewlyAllowed
    );
    assert_eq!(replayed(&yaml, &[&labelled("other")]).change, Change::Same);
    let bare = WEB_TO_DB.replace("web-6d9c7b5f48-x2k8q", "gone");
    let one = replayed(&yaml, &[&bare]);
    assert_eq!(one.change, Change::Unknown);
    assert!(matches!(one.now, Now::Open(why) if why[0].contains("shop/gone")));
}

#[test]
fn missing_fields_are_unknown_and_never_allowed() {
    let yaml = PODS;
    let without = |what: &str, by: &str| replayed(yaml, &[&WEB_TO_DB.replace(what, by)]).change;
    assert_eq!(without("?", ""), Change::Same);
    assert_eq!(
        without(r#""l4":{"TCP":{"destination_port":5432}},"#, ""),
        Change::Unknown
    );
    assert_eq!(
        without(r#"{"destination_port":5432}"#, "{}"),
        Change::Unknown
    );
    assert_eq!(without(r#""verdict":"FORWARDED","#, ""), Change::Unknown);
    assert_eq!(
        without(r#"{"namespace":"shop","pod_name":"db-0"}"#, "{}"),
        Change::Unknown
    );
}

#[test]
fn names_and_addresses_outside_meet_rules_for_names() {
    let policy = r#"
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: web}}
  egress:
  - toEndpoints:
    - matchLabels: {k8s-app: kube-dns, io.kubernetes.pod.namespace: kube-system}
    toPorts: [{ports: [{port: "53", protocol: ANY}], rules: {dns: [{matchPattern: "*"}]}}]
  - toFQDNs: [{matchName: api.example.com}]
"#;
    let yaml = format!("{PODS}{policy}");
    let to = |end: &str, names: &str| {
        let line = WEB_TO_DB
            .replace(r#"{"namespace":"shop","pod_name":"db-0"}"#, end)
            .replace(
                r#""is_reply""#,
                &format!(r#""IP":{{"destination":"203.0.113.7"}},{names}"is_reply""#),
            );
        replayed(&yaml, &[&line])
    };
    let world = r#"{"identity":16777217,"labels":["fqdn:api.example.com","reserved:world-ipv4"]}"#;
    let named = to(world, r#""destination_names":["api.example.com"],"#);
    assert_eq!(named.change, Change::Same);
    assert!(matches!(named.ends.unwrap().to.target, Target::Address(_)));
    assert_eq!(to(world, "").change, Change::NewlyDenied);
    let host = r#"{"identity":1,"labels":["reserved:host"]}"#;
    assert_eq!(to(host, "").to, "host");
}

#[test]
fn agreement_compares_verdict_match_type_policies_and_labels() {
    let mut cluster = cluster(&format!("{PODS}{DB_POLICY}"));
    let judged = |match_type: u8, verdict: &str, extra: &str| {
        WEB_TO_DB.replace(
            r#""verdict":"FORWARDED""#,
            &format!(
                r#""verdict":"{verdict}","event_type":{{"type":5}},"traffic_direction":"INGRESS","policy_match_type":{match_type}{extra}"#
            ),
        )
    };
    let lines = [
        judged(
            2,
            "FORWARDED",
            r#","ingress_allowed_by":[{"name":"db","namespace":"shop","kind":"CiliumNetworkPolicy"}]"#,
        ),
        judged(1, "FORWARDED", ""),
        judged(2, "REDIRECTED", ""),
        judged(
            2,
            "FORWARDED",
            r#","ingress_allowed_by":[{"name":"old","namespace":"shop","kind":"CiliumNetworkPolicy"}]"#,
        ),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let recording = recording(&lines);
    let placement = place(&mut cluster, &recording);
    let agreement = agree(&cluster, &recording, &placement);
    assert_eq!((agreement.compared, agreement.agreed), (4, 1));
    let found: Vec<String> = agreement
        .disagreements
        .iter()
        .flat_map(|d| d.differences.iter().map(ToString::to_string))
        .collect();
    let wanted = [
        "match type: recorded L3-Only, here L3-L4",
        "verdict: recorded REDIRECTED, here allow",
        "policies: recorded `CiliumNetworkPolicy/shop/old`, here `CiliumNetworkPolicy/shop/db`",
    ];
    for text in wanted {
        assert!(found.iter().any(|f| f == text), "{text}: {found:?}");
    }
    assert_eq!(found.len(), 3);
}

#[test]
fn any_line_is_read_or_refused() {
    // Cut anywhere, lines end in an error or in a flow that says less.
    let observed = "Feb  7 13:06:45.130: a/b:1 (ID:31028) -> c/d:80 (ID:16530) policy-verdict:L3-L4 INGRESS ALLOWED (TCP Flags: SYN)";
    for line in [
        EXPORTED,
        observed,
        "é -> ü (",
        "a -> b ALLOWED",
        " <> ( ) DENIED BY",
    ] {
        for (at, _) in line.char_indices() {
            let _ = read_line(&line[..at]);
        }
        let _ = read_line(line);
    }
    assert!(read_line("a -> b ALLOWED").is_ok());
}
