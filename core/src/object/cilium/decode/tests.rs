use super::*;
use crate::source::SourceId;
use crate::yaml;

fn decode<T: Decode>(text: &str) -> (T, Vec<Diagnostic>) {
    let mut documents = yaml::read(SourceId(0), text, &yaml::Limits::default());
    let mut decoder = Decoder::new("object");
    let value = decoder.decode(&documents.remove(0).result.unwrap());
    (value, decoder.finish())
}

fn found(diagnostics: &[Diagnostic]) -> Vec<String> {
    let found = diagnostics.iter();
    found.map(|d| format!("{} {}", d.code, d.path)).collect()
}

#[test]
fn a_policy_with_every_field() {
    let (policy, diagnostics) = decode::<CiliumPolicy>(
        r#"
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web, namespace: shop, labels: {team: a}}
spec:
  description: "${X} is fine here"
  endpointSelector: {matchLabels: {app: web}}
  enableDefaultDeny: {ingress: false}
  labels: [{key: k, value: v}, "src:a=b", "$=host", plain]
  log: {value: hello}
  ingress:
  - fromEndpoints: [null, {matchExpressions: [{key: env, operator: In, values: [prod]}]}]
    authentication: {mode: required}
    toPorts:
    - ports: [{port: "80", endPort: 90, protocol: TCP}]
      serverNames: [a.io]
      terminatingTLS: {secret: {name: s, namespace: ns}, trustedCA: ca}
      originatingTLS: {secret: null}
      rules:
        http: [{path: /, method: GET, host: h, headers: [X], headerMatches: [{name: h, mismatch: LOG, secret: {name: s}}]}]
  - icmps: [{fields: [{type: 8}, {family: IPv6, type: EchoRequest}, {type: "+9"}, {type: Redirect}]}]
  ingressDeny: [{fromCIDR: [1.2.3.4]}, null]
  egress:
  - toFQDNs: [{matchName: a.io}, {matchPattern: "*.b.io"}]
  - toServices: [{k8sService: {serviceName: s, namespace: ns}}, {k8sServiceSelector: {selector: {matchLabels: {a: b}}}}]
  - toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}, {cidrGroupRef: g}, {cidrGroupSelector: null}]
  - toGroups: [{aws: {labels: {a: b}, securityGroupsIds: [x], region: r}}]
  - toPorts: [{ports: [{port: "1"}], listener: {name: l, priority: 7, envoyConfig: {kind: CiliumEnvoyConfig, name: e}}}]
  egressDeny:
  - toEntities: []
    toPorts: [{ports: [{port: "2"}]}]
specs:
- nodeSelector: null
status: {conditions: [{type: Valid, lastTransitionTime: "2024-05-01T00:00:00Z"}]}
"#,
    );
    assert!(diagnostics.is_empty(), "{:?}", found(&diagnostics));
    assert_eq!(policy.specs.len(), 2);
    let spec = &policy.specs[0];
    assert!(!spec.default_deny_ingress.unwrap().value);
    let labels: Vec<_> = spec
        .labels
        .iter()
        .map(|l| (&*l.source, &*l.key, &*l.value))
        .collect();
    assert_eq!(
        labels,
        [
            ("", "k", "v"),
            ("src", "a", "b"),
            ("reserved", "host", ""),
            ("unspec", "plain", "")
        ]
    );
    let types: Vec<_> = spec.ingress[1].icmps[0]
        .fields
        .iter()
        .map(|f| &*f.icmp_type.value)
        .collect();
    assert_eq!(types, ["8", "128", "+9", "5"]);
    assert_eq!(spec.ingress[0].endpoints.as_ref().unwrap().len(), 2);
    assert_eq!(spec.ingress[0].to_ports[0].ports[0].end_port.value, 90);
    assert_eq!(
        spec.egress[2].cidr_sets.as_ref().unwrap()[2]
            .cidr_group_selector
            .as_ref()
            .unwrap()
            .match_labels,
        []
    );
    assert_eq!(spec.egress_deny[0].entities.as_deref(), Some(&[][..]));
    assert_eq!(spec.egress_deny[0].path, "spec.egressDeny[0]");
    assert_eq!(spec.ingress_deny.len(), 2);
    assert!(policy.specs[1].node_selector.is_some());
    assert_eq!(policy.specs[1].path, "specs[0]");
}

#[test]
fn mistakes_are_named_where_they_are() {
    let (_, diagnostics) = decode::<CiliumPolicy>(
        r#"
kind: CiliumNetworkPolicy
metadata: {name: x}
spec:
  endpointSelector: {matchLabels: {a: 1}}
  ingress:
  - toEndpoints: [{}]
    fromPorts: []
    fromRequires: [{matchLabels: {}}]
    toPorts: [{port: "1", ports: [{port: 80, endPort: "${P}"}], rules: {kafka: []}}]
    icmps: [{fields: [{type: PacketTooBig}, {}, null, {type: "00"}]}]
  egressDeny:
  - toPorts: [{rules: {}}]
    toFQDNs: []
  egress: {}
  labels: ["", {value: v}, 5]
"#,
    );
    assert_eq!(
        found(&diagnostics),
        [
            "NV0201 spec.endpointSelector.matchLabels.a",
            "NV0201 spec.ingress[0].toPorts[0].ports[0].port",
            "NV0201 spec.ingress[0].toPorts[0].ports[0].endPort",
            "NV0206 spec.ingress[0].toPorts[0].rules.kafka",
            "NV0202 spec.ingress[0].toPorts[0].port",
            "NV0201 spec.ingress[0].fromRequires[0]",
            "NV0206 spec.ingress[0].fromRequires",
            "NV0207 spec.ingress[0].icmps[0].fields[0].type",
            "NV0207 spec.ingress[0].icmps[0].fields[1]",
            "NV0207 spec.ingress[0].icmps[0].fields[2]",
            "NV0207 spec.ingress[0].icmps[0].fields[3].type",
            "NV0202 spec.ingress[0].toEndpoints",
            "NV0202 spec.ingress[0].fromPorts",
            "NV0201 spec.egress",
            "NV0202 spec.egressDeny[0].toPorts[0].rules",
            "NV0202 spec.egressDeny[0].toFQDNs",
            "NV0208 spec.labels[0]",
            "NV0208 spec.labels[1]",
            "NV0201 spec.labels[2]"
        ]
    );
}

#[test]
fn cidr_groups() {
    let (group, diagnostics) = decode::<CidrGroup>(
        "apiVersion: cilium.io/v2alpha1\nkind: CiliumCIDRGroup\nmetadata: {name: g, labels: {a: b}}\nspec: {externalCIDRs: [10.0.0.0/8, 1.1.1.1]}\n",
    );
    assert!(diagnostics.is_empty());
    assert_eq!(group.external_cidrs[1].value, "1.1.1.1");
}
