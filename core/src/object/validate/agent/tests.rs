use super::*;
use crate::diagnostic::Severity;
use crate::object::decode::Decoder;
use crate::source::SourceId;
use crate::yaml;

fn check_with(text: &str, config: &Config) -> Vec<Diagnostic> {
    let mut documents = yaml::read(SourceId(0), text, &yaml::Limits::default());
    let node = documents.remove(0).result.unwrap();
    let mut decoder = Decoder::new("object");
    let policy = decoder.decode::<CiliumPolicy>(&node);
    assert!(!decoder.refused(), "{text}: {:?}", decoder.finish());
    check_policy(&policy, config)
}

/// A policy of one rule, in flow style.
fn policy(rule: &str) -> String {
    format!("{{kind: CiliumNetworkPolicy, metadata: {{name: x, namespace: ns}}, spec: {rule}}}")
}

fn clusterwide(rule: &str) -> String {
    format!("{{kind: CiliumClusterwideNetworkPolicy, metadata: {{name: x}}, spec: {rule}}}")
}

fn member(list: &str, member: &str) -> String {
    policy(&format!("{{endpointSelector: {{}}, {list}: [{member}]}}"))
}

fn codes(found: &[Diagnostic], severity: Severity) -> Vec<u16> {
    let mut codes: Vec<u16> = found
        .iter()
        .filter(|d| d.severity == severity)
        .map(|d| d.code.number())
        .collect();
    codes.dedup();
    codes
}

/// Checks that `bad` is refused for `code` alone and `good` is accepted.
fn pair_with(config: &Config, code: Code, bad: &str, good: &str) {
    let found = check_with(bad, config);
    assert_eq!(codes(&found, Severity::Error), [code.number()], "{bad}");
    for d in &found {
        assert!(!d.path.is_empty() && d.help.is_some(), "{d:?}");
        assert!(d.object.starts_with("Cilium"), "{d:?}");
    }
    let found = check_with(good, config);
    assert!(
        codes(&found, Severity::Error).is_empty(),
        "{good}: {found:?}"
    );
}

fn pair(code: Code, bad: &str, good: &str) {
    pair_with(&Config::default(), code, bad, good);
}

/// Pairs of members of one list.
fn pairs(list: &str, cases: &[(Code, &str, &str)]) {
    for (code, bad, good) in cases {
        pair(*code, &member(list, bad), &member(list, good));
    }
}

#[test]
fn policies_and_rules() {
    let rule = "{endpointSelector: {}, ingress: [{}]}";
    pair(
        NAME,
        &format!("{{kind: CiliumNetworkPolicy, spec: {rule}}}"),
        &policy(rule),
    );
    let bare = "kind: CiliumNetworkPolicy, metadata: {name: x}";
    pair(
        NO_RULES,
        &format!("{{{bare}}}"),
        &format!("{{{bare}, specs: []}}"),
    );
    pair(
        NULL_RULE,
        &format!("{{{bare}, specs: [null]}}"),
        &format!("{{{bare}, specs: [{rule}]}}"),
    );
    pair(
        NO_MEMBERS,
        &policy("{endpointSelector: {}, ingress: [], egress: []}"),
        &policy(rule),
    );
    pair(
        NO_SUBJECT,
        &policy("{ingress: [{}]}"),
        &policy("{endpointSelector: null, ingress: [{}]}"),
    );
    pair(
        TWO_SUBJECTS,
        &clusterwide("{endpointSelector: {}, nodeSelector: {}, ingress: [{}]}"),
        &clusterwide("{nodeSelector: {}, ingress: [{}]}"),
    );
    pair(
        NODE_SELECTOR,
        &policy("{nodeSelector: {}, ingress: [{}]}"),
        &clusterwide("{nodeSelector: {}, ingress: [{}]}"),
    );
}

#[test]
fn selectors() {
    let subject = |s: &str| policy(&format!("{{endpointSelector: {s}, ingress: [{{}}]}}"));
    for (code, bad, good) in [
        (
            SELECTOR_KEY,
            "{matchLabels: {'a:b:c': x}}",
            "{matchLabels: {'a:b': x}}",
        ),
        (
            SELECTOR_KEY,
            "{matchLabels: {$host: ''}}",
            "{matchLabels: {'reserved:host': ''}}",
        ),
        (
            SELECTOR_KEY,
            "{matchExpressions: [{operator: Exists}]}",
            "{matchExpressions: []}",
        ),
        (
            SELECTOR_VALUE,
            "{matchLabels: {a: 'x y'}}",
            "{matchLabels: {a: ''}}",
        ),
        (
            SELECTOR_VALUE,
            "{matchLabels: {a: '${X}'}}",
            "{matchLabels: {a: null}}",
        ),
        (
            SELECTOR_OPERATOR,
            "{matchExpressions: [{key: a, operator: Gt, values: ['1']}]}",
            "{matchExpressions: [{key: a, operator: In, values: ['1']}]}",
        ),
        (
            VALUES_MISSING,
            "{matchExpressions: [{key: a, operator: NotIn}]}",
            "{matchExpressions: [{key: a, operator: DoesNotExist}]}",
        ),
        (
            VALUES_FORBIDDEN,
            "{matchExpressions: [{key: a, operator: Exists, values: [x]}]}",
            "{matchExpressions: [{key: a, operator: Exists, values: []}]}",
        ),
    ] {
        pair(code, &subject(bad), &subject(good));
        let peers = |s: &str| member("egress", &format!("{{toEndpoints: [{s}]}}"));
        pair(code, &peers(bad), &peers(good));
    }
    let found = check_with(&subject("{matchLabels: {a: '${X}'}}"), &Config::default());
    assert!(
        found[0]
            .help
            .as_ref()
            .unwrap()
            .contains("`${X}` is not resolved")
    );
}

#[test]
fn peers_of_ingress() {
    pairs(
        "ingress",
        &[
            (
                PEER_KINDS,
                "{fromEndpoints: [{}], fromEntities: [all]}",
                "{fromEndpoints: [], fromEntities: [all]}",
            ),
            (
                ENTITY,
                "{fromEntities: [internet]}",
                "{fromEntities: [world-ipv4]}",
            ),
            (
                CIDR,
                "{fromCIDR: [10.0.0.0/33]}",
                "{fromCIDR: [10.1.2.3/8]}",
            ),
            (CIDR, "{fromCIDR: ['']}", "{fromCIDR: [10.0.0.1]}"),
            (CIDR, "{fromCIDR: [010.0.0.1]}", "{fromCIDR: ['::1']}"),
            (
                CIDR_ZONE,
                "{fromCIDR: ['fe80::1%eth0']}",
                "{fromCIDR: ['fe80::1%eth0'], fromEndpoints: []}",
            ),
            (
                CIDR_RULE_EMPTY,
                "{fromCIDRSet: [{}]}",
                "{fromCIDRSet: [{cidrGroupRef: g}]}",
            ),
            (
                CIDR_RULE_MANY,
                "{fromCIDRSet: [{cidr: 10.0.0.0/8, cidrGroupRef: g}]}",
                "{fromCIDRSet: [{cidr: 10.0.0.0/8, cidrGroupRef: ''}]}",
            ),
            (
                CIDR_RULE,
                "{fromCIDRSet: [{cidr: 10.0.0.1}]}",
                "{fromCIDRSet: [{cidr: 10.0.0.1/32}]}",
            ),
            (
                EXCEPT,
                "{fromCIDRSet: [{cidr: 10.0.0.0/8, except: [10.1.1.1]}]}",
                "{fromCIDRSet: [{cidr: 10.0.0.0/8, except: [10.0.0.0/8]}]}",
            ),
            (
                EXCEPT,
                "{fromCIDRSet: [{cidrGroupRef: g, except: [x]}]}",
                "{fromCIDRSet: [{cidrGroupRef: g, except: [10.1.1.1, 'fe80::1%e']}]}",
            ),
            (
                EXCEPT_OUTSIDE,
                "{fromCIDRSet: [{cidr: 10.0.0.0/8, except: ['::/0']}]}",
                "{fromCIDRSet: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}]}",
            ),
            (
                SELECTOR_KEY,
                "{fromCIDRSet: [{cidrGroupSelector: {matchLabels: {'a:b:c': x}}}]}",
                "{fromCIDRSet: [{cidrGroupSelector: {matchLabels: {$a: x, ':b': x}}}]}",
            ),
        ],
    );
    let nodes = member("ingress", "{fromNodes: [{}]}");
    let config = Config {
        node_selector_labels: true,
        ..Config::default()
    };
    assert!(check_with(&nodes, &config).is_empty());
    pair(
        NODES_DISABLED,
        &nodes,
        &member("ingress", "{fromNodes: []}"),
    );
}

#[test]
fn names_of_egress() {
    pairs(
        "egress",
        &[
            (
                FQDN_BOTH,
                "{toFQDNs: [{matchName: a.io, matchPattern: '*.io'}]}",
                "{toFQDNs: [{matchName: a.io}, {matchPattern: '*.io'}, {}]}",
            ),
            (
                FQDN_NAME,
                "{toFQDNs: [{matchName: '*.io'}]}",
                "{toFQDNs: [{matchName: A_b.io.}]}",
            ),
            (
                FQDN_PATTERN,
                "{toFQDNs: [{matchPattern: 'a b'}]}",
                "{toFQDNs: [{matchPattern: '**.io'}]}",
            ),
            (
                PEER_KINDS,
                "{toFQDNs: [{matchName: a.io}], toServices: [{}]}",
                "{toServices: [{}], toPorts: [{ports: [{port: '1'}]}]}",
            ),
        ],
    );
}

#[test]
fn ports() {
    let ports = |ports: &str| format!("{{toPorts: [{{ports: [{ports}]}}]}}");
    for list in ["ingress", "ingressDeny", "egress", "egressDeny"] {
        for (code, bad, good) in [
            (
                PORT_MISSING,
                "{protocol: TCP}",
                "{port: '0', protocol: TCP}",
            ),
            (PORT, "{port: '65536'}", "{port: '65535'}"),
            (PORT, "{port: 6581-6586}", "{port: '6581', endPort: 6586}"),
            (PORT, "{port: '08'}", "{port: '010'}"),
            (PORT, "{port: abcdefghijklmnop}", "{port: abcdefghijklmno}"),
            (
                PORT_EXTENDED,
                "{port: '80', protocol: GRE}",
                "{port: '80', protocol: gre}",
            ),
            (
                PROTOCOL,
                "{port: '80', protocol: ICMP}",
                "{port: '80', protocol: sctp}",
            ),
        ] {
            pair(
                code,
                &member(list, &ports(bad)),
                &member(list, &ports(good)),
            );
        }
        let many = |n: usize| member(list, &ports(&vec!["{port: '1'}"; n].join(",")));
        pair(TOO_MANY_PORTS, &many(41), &many(40));
        let icmps = |n: usize| {
            let fields = vec!["{type: 8}"; n].join(",");
            member(list, &format!("{{icmps: [{{fields: [{fields}]}}]}}"))
        };
        pair(ICMP_FIELDS, &icmps(41), &icmps(40));
        pair(
            ICMP_FAMILY,
            &member(list, "{icmps: [{fields: [{family: ipv4, type: 8}]}]}"),
            &member(list, "{icmps: [{fields: [{family: '', type: 8}]}]}"),
        );
        pair(
            ICMP_WITH_PORTS,
            &member(list, "{icmps: [{}], toPorts: [{}]}"),
            &member(list, "{icmps: [{}], toPorts: []}"),
        );
        let off = Config {
            icmp_rules: false,
            ..Config::default()
        };
        pair_with(
            &off,
            ICMP_DISABLED,
            &member(list, "{icmps: [{}]}"),
            &member(list, "{icmps: []}"),
        );
    }
    let extended = Config {
        extended_ip_protocols: true,
        ..Config::default()
    };
    let empty = member("egress", &ports("{protocol: GRE}"));
    assert!(check_with(&empty, &extended).is_empty());
}

#[test]
fn layer_7_rules() {
    let tcp = "ports: [{port: '80', protocol: TCP}]";
    let with = |ports: &str, rest: &str| format!("{{toPorts: [{{{ports}, {rest}}}]}}");
    let http = |rule: &str| with(tcp, &format!("rules: {{http: [{rule}]}}"));
    let any = "ports: [{port: '53'}]";
    pairs(
        "egress",
        &[
            (
                L7_PROTOCOL,
                &with("ports: [{port: '80'}]", "rules: {http: [{}]}"),
                &with("ports: [{port: '80'}]", "rules: {http: []}"),
            ),
            (
                L7_PORT_ZERO,
                &with(
                    "ports: [{port: '00', protocol: TCP}]",
                    "rules: {http: [{}]}",
                ),
                &with(
                    "ports: [{port: http, protocol: TCP}]",
                    "rules: {http: [{}]}",
                ),
            ),
            (
                DNS_RANGE,
                &with("ports: [{port: '53', endPort: 54}]", "rules: {dns: [{}]}"),
                &with("ports: [{port: '53', endPort: 53}]", "rules: {dns: [{}]}"),
            ),
            (
                DNS_PORTS,
                &with("ports: []", "rules: {dns: [{}]}"),
                &with("ports: []", "rules: {http: [{}]}"),
            ),
            (
                L7_KINDS,
                &with(tcp, "rules: {http: [{}], dns: []}"),
                &with(tcp, "rules: {http: [], dns: []}"),
            ),
            (
                SERVER_NAMES_L7,
                &with(tcp, "rules: {http: [{}]}, serverNames: [a.io]"),
                &with(
                    tcp,
                    "rules: {http: [{}]}, serverNames: [a.io], terminatingTLS: {}",
                ),
            ),
            (
                SERVER_NAME,
                &with(tcp, "serverNames: ['']"),
                &with(tcp, "serverNames: ['*']"),
            ),
            (
                LISTENER_L7,
                &with(
                    tcp,
                    "listener: {name: l, envoyConfig: {name: e}}, rules: {http: [{}]}",
                ),
                &with(
                    tcp,
                    "listener: {name: l, envoyConfig: {name: e}}, rules: {http: []}",
                ),
            ),
            (
                LISTENER_CONFIG,
                &with(tcp, "listener: {name: l}"),
                &with(tcp, "listener: {envoyConfig: {}}"),
            ),
            (
                FQDN_NAME,
                &with(any, "rules: {dns: [{matchName: 'a b'}]}"),
                &with(any, "rules: {dns: [{}]}"),
            ),
            (
                FQDN_PATTERN,
                &with(any, "rules: {dns: [{matchPattern: a$}]}"),
                &with(any, "rules: {dns: [{matchName: a, matchPattern: b}]}"),
            ),
            (
                HTTP_REGEX,
                &http("{path: '('}"),
                &http("{path: '[a[b]{,5}', host: '('}"),
            ),
            (
                HTTP_REGEX,
                &http("{method: 'a**'}"),
                &http("{method: 'GET|POST'}"),
            ),
            (
                HEADER_NAME,
                &http("{headerMatches: [{value: x}]}"),
                &http("{headerMatches: [{name: x}]}"),
            ),
            (
                HEADER_NAME,
                &http("{headerMatches: [null]}"),
                &http("{headerMatches: null}"),
            ),
            (
                HEADER_ACTION,
                &http("{headerMatches: [{name: x, mismatch: log}]}"),
                &http("{headerMatches: [{name: x, mismatch: LOG}]}"),
            ),
            (
                HEADER_SECRET,
                &http("{headerMatches: [{name: x, secret: {}}]}"),
                &http("{headerMatches: [{name: x, secret: {name: s}}]}"),
            ),
        ],
    );
    pairs(
        "ingress",
        &[
            (
                L7_DIRECTION,
                &with(any, "rules: {dns: [{}]}"),
                &with(any, "rules: {dns: []}"),
            ),
            (
                LISTENER_INGRESS,
                &with(tcp, "listener: {name: l, envoyConfig: {name: e}}"),
                &with(tcp, "serverNames: [a.io]"),
            ),
        ],
    );
    let off = Config {
        l7_proxy: false,
        ..Config::default()
    };
    let good = member("egress", &with(tcp, "serverNames: [a.io]"));
    pair_with(&off, L7_DISABLED, &member("egress", &http("{}")), &good);
    let node = |list: &str, m: &str| clusterwide(&format!("{{nodeSelector: {{}}, {list}: [{m}]}}"));
    let dns = with("ports: [{port: '53'}]", "rules: {dns: [{}]}");
    pair(
        L7_HOST,
        &node("ingress", &http("{}")),
        &node("ingress", &with(tcp, "rules: {}")),
    );
    pair(L7_HOST, &node("egress", &http("{}")), &node("egress", &dns));
}

#[test]
fn what_misleads_is_told_and_accepted() {
    let ports = |ports: &str| format!("{{toPorts: [{{ports: [{ports}]}}]}}");
    for (code, list, text) in [
        (HOST_BITS, "ingress", "{fromCIDR: [10.1.2.3/8]}".to_owned()),
        (RANGE_INVERTED, "egress", ports("{port: '80', endPort: 79}")),
        (
            END_PORT_OVERFLOW,
            "egress",
            ports("{port: '80', endPort: 70000}"),
        ),
        (
            END_PORT_IGNORED,
            "egress",
            ports("{port: http, endPort: 90}"),
        ),
        (
            END_PORT_IGNORED,
            "egress",
            ports("{port: '0', endPort: 90}"),
        ),
        (PORT_SPELLING, "egress", ports("{port: '010'}")),
        (
            PROTOCOL_DISABLED,
            "egress",
            ports("{port: '0', protocol: ESP}"),
        ),
        (
            ICMP_ZERO,
            "ingress",
            "{icmps: [{fields: [{type: EchoReply}]}]}".to_owned(),
        ),
        (
            ICMP_RANGE,
            "ingress",
            "{icmps: [{fields: [{type: 300}]}]}".to_owned(),
        ),
        (
            SERVICES_IN_DENY,
            "egressDeny",
            "{toServices: [{}]}".to_owned(),
        ),
        (NO_PEERS, "ingress", "{fromEndpoints: []}".to_owned()),
        (EMPTY_MEMBER, "egressDeny", "{}".to_owned()),
        (NO_PORTS, "egress", "{toPorts: [{}]}".to_owned()),
        (
            GROUP_WILDCARD,
            "egress",
            "{toCIDRSet: [{cidrGroupSelector: {}}]}".to_owned(),
        ),
        (
            AUTH_MODE,
            "egress",
            "{toEntities: [all], authentication: {mode: on-demand}}".to_owned(),
        ),
    ] {
        let found = check_with(&member(list, &text), &Config::default());
        assert_eq!(codes(&found, Severity::Warning), [code.number()], "{text}");
        assert!(codes(&found, Severity::Error).is_empty(), "{text}");
    }
    let found = check_with(
        &policy(
            "{endpointSelector: {matchLabels: {app: a, 'any:app': b, 'k8s:io.kubernetes.pod.namespace': x}}, enableDefaultDeny: {egress: true}, ingress: [{fromEntities: [all]}]}",
        ),
        &Config::default(),
    );
    assert_eq!(
        codes(&found, Severity::Warning),
        [SELECTOR_AMBIGUOUS, SUBJECT_NAMESPACE, DEFAULT_DENY].map(Code::number)
    );
}

#[test]
fn a_lone_empty_member_is_how_default_deny_is_written() {
    let of = |members: &str| {
        let text = format!("{{endpointSelector: {{}}, ingress: {members}}}");
        let found = check_with(&policy(&text), &Config::default());
        let found = found.into_iter().map(|d| (d.code.number(), d.severity));
        found.collect::<Vec<_>>()
    };
    let code = EMPTY_MEMBER.number();
    assert_eq!(of("[{}]"), [(code, Severity::Info)]);
    assert_eq!(
        of("[{}, {fromEntities: [all]}]"),
        [(code, Severity::Warning)]
    );
}

#[test]
fn every_problem_is_told_with_its_place() {
    let found = check_with(
        &member(
            "egress",
            "{toCIDRSet: [{cidr: 172.224.3/24}, {cidr: 1.2.3.4}], toEntities: [worlds], toPorts: [{ports: [{port: x--y, protocol: TCPP}]}]}",
        ),
        &Config::default(),
    );
    let told: Vec<_> = found.iter().map(|d| (d.code.number(), &*d.path)).collect();
    assert_eq!(
        told,
        [
            (420, "spec.egress[0].toEntities"),
            (427, "spec.egress[0].toCIDRSet[0].cidr"),
            (427, "spec.egress[0].toCIDRSet[1].cidr"),
            (422, "spec.egress[0].toEntities[0]"),
            (452, "spec.egress[0].toPorts[0].ports[0].port"),
            (455, "spec.egress[0].toPorts[0].ports[0].protocol"),
        ]
    );
    let fix = |i: usize| {
        (
            &*found[i].fixes[0].edits[0].1,
            found[i].fixes[0].machine_applicable,
        )
    };
    assert_eq!(fix(1), ("172.224.3.0/24", false));
    assert_eq!(fix(2), ("1.2.3.4/32", true));
    assert_eq!(fix(3), ("world", false));
    assert_eq!(found[5].help.as_deref(), Some("did you mean `TCP`?"));
}
