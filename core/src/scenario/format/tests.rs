use super::*;

const SCENARIO: &str = r#"{
    "name": "one",
    "config": {"enforcement": "always", "clusterID": 3, "anyCluster": true,
               "disableIPv6": true, "policyCIDRMatchMode": ["nodes"]},
    "policies": ["a: 1\n"],
    "identities": [
        {"id": 20001, "labels": {"k8s:app": "web"},
         "namedPorts": {"http": {"port": 80}, "dns": {"port": 53, "proto": "UDP"}}},
        {"id": 16777217, "cidr": "10.1.2.3/8"},
        {"id": 16777218, "ip": "fd00::1", "labels": {"fqdn:a.io": ""}}
    ],
    "namespaces": [{"name": "prod", "labels": {"env": "p"}}],
    "cidrGroups": [{"name": "g", "cidrs": ["10.0.0.0/8"]}],
    "endpoints": [{"id": 20001, "namedPorts": {}}],
    "queries": [
        {"direction": "egress", "endpoint": 20001, "peer": 0, "proto": "icmpv6", "port": 128},
        {"direction": "ingress", "endpoint": 20001, "peerIP": "10.0.0.1", "proto": 200}
    ]
}"#;

#[test]
fn a_scenario_survives_the_way_out_and_back() {
    let s = Scenario::parse(SCENARIO).unwrap();
    assert_eq!(s.queries[0].proto, Proto(58));
    assert_eq!(s.queries[1].proto, Proto(200));
    assert_eq!(
        s.identities[0].named_ports.as_ref().unwrap()["dns"].proto,
        Proto(17)
    );
    assert_eq!(s.identities[1].prefix().unwrap().to_string(), "10.0.0.0/8");
    assert_eq!(s.identities[2].prefix().unwrap().to_string(), "fd00::1/128");
    assert_eq!(s.endpoints[0].named_ports, Some(BTreeMap::new()));
    let text = serde_json::to_string(&s).unwrap();
    assert_eq!(Scenario::parse(&text).unwrap(), s);
    assert!(text.contains(r#""proto":"ICMPv6","port":128"#), "{text}");
    assert!(text.contains(r#""proto":200"#), "{text}");

    let empty = Scenario::parse("{}").unwrap();
    assert_eq!(serde_json::to_string(&empty).unwrap(), r#"{"config":{}}"#);
}

#[test]
fn options_become_the_engine_s() {
    let s = Scenario::parse(SCENARIO).unwrap();
    let config = Config::from(&s.config);
    assert_eq!(config.enforcement, Enforcement::Always);
    assert_eq!(
        (config.cluster_id, config.cluster_name.as_str()),
        (3, "default")
    );
    assert!(!config.default_local_cluster && config.ipv4 && !config.ipv6);
    assert!(config.cidr_matches_nodes && !config.cidr_matches_pods);
    assert_eq!(Config::from(&ScenarioConfig::default()), Config::default());
}

#[test]
fn meaningless_scenarios_are_refused() {
    for (json, why) in [
        (r#"{"colour": 1}"#, "unknown field `colour`"),
        (
            r#"{"config": {"enforcment": ""}}"#,
            "unknown field `enforcment`",
        ),
        (
            r#"{"config": {"enforcement": "maybe"}}"#,
            "unknown variant `maybe`",
        ),
        (
            r#"{"config": {"disableIPv4": true, "disableIPv6": true}}"#,
            "both families",
        ),
        (r#"{"identities": [{}]}"#, "`id` is missing"),
        (
            r#"{"identities": [{"id": 1, "cidr": "10.0.0.0/8", "ip": "10.0.0.1"}]}"#,
            "together",
        ),
        (
            r#"{"identities": [{"id": 1, "cidr": "10.0.0.1"}]}"#,
            "no prefix",
        ),
        (
            r#"{"queries": [{"direction": "up", "peer": 1}]}"#,
            "unknown variant `up`",
        ),
        (r#"{"queries": [{"direction": "egress"}]}"#, "exactly one"),
        (
            r#"{"queries": [{"direction": "egress", "peer": 1, "peerIP": "1.1.1.1"}]}"#,
            "exactly one",
        ),
        (
            r#"{"queries": [{"direction": "egress", "peer": 1, "proto": "XYZ"}]}"#,
            "XYZ",
        ),
        (
            r#"{"queries": [{"direction": "egress", "peer": 1, "proto": 256}]}"#,
            "256",
        ),
        ("{} {}", "trailing characters"),
    ] {
        let error = Scenario::parse(json).unwrap_err().to_string();
        assert!(error.contains(why), "{json}: {error}");
    }
}

/// Field order and omissions are those of the Go oracle, so that equal answers
/// are equal texts.
#[test]
fn an_answer_reads_and_writes_as_the_oracle_s() {
    let text = concat!(
        r#"{"name":"one","policies":[{"index":0,"kind":"CiliumNetworkPolicy","#,
        r#""namespace":"default","name":"p","accepted":false,"stage":"parse","error":"no","entries":0}],"#,
        r#""identities":[{"id":16777217,"labels":["cidr:10.0.0.0/8"],"prefix":"10.0.0.0/8","source":"derived"}],"#,
        r#""endpoints":[{"id":20001,"ingressEnabled":true,"egressEnabled":false,"map":["#,
        r#"{"dir":"ingress","id":20003,"proto":6,"port":9080,"plen":16,"bpf_plen":64,"deny":false,"#,
        r#""prec":4294967194,"prio":0,"lprio":101,"proxy":10001,"parser":"http","auth":1,"#,
        r#""authExplicit":true,"rules":["CiliumNetworkPolicy/default/p"]}]}],"#,
        r#""queries":[{"verdict":"denied","reason":"no-match","peer":9,"match":"none"},"#,
        r#"{"verdict":"redirect","peer":20003,"match":"L3-L4","key":{"dir":"ingress","id":20003,"#,
        r#""proto":6,"port":9080,"plen":16,"bpf_plen":64},"parser":"http","proxy":10001}]}"#,
    );
    let answer: Answer = serde_json::from_str(text).unwrap();
    assert_eq!(answer.endpoints[0].map[0].key.bpf_prefix_len, 64);
    assert_eq!(serde_json::to_string(&answer).unwrap(), text);
}
