//! Documents that Cilium refuses, one kind of reason each.

use super::Draw;
use serde_json::{Value, json};

/// Rule members that make a rule invalid, by the field that holds them.
const MEMBERS: [(&str, &str); 44] = [
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"80","protocol":"ICMP"}]}]}"#,
    ),
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"80","protocol":"BOGUS"}]}]}"#,
    ),
    ("ingress", r#"{"toPorts":[{"ports":[{"port":"65536"}]}]}"#),
    ("ingress", r#"{"toPorts":[{"ports":[{"port":"08"}]}]}"#),
    ("ingress", r#"{"toPorts":[{"ports":[{"port":"-1"}]}]}"#),
    ("ingress", r#"{"toPorts":[{"ports":[{"port":"a--b"}]}]}"#),
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"sixteen-letters-x"}]}]}"#,
    ),
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"80","protocol":"GRE"}]}]}"#,
    ),
    ("ingress", r#"{"toPorts":[{"ports":[{"port":80}]}]}"#),
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"80"}],"rules":{"http":[{}]}}]}"#,
    ),
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"0","protocol":"TCP"}],"rules":{"http":[{}]}}]}"#,
    ),
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"53","protocol":"UDP"}],"rules":{"dns":[{"matchName":"a.b"}]}}]}"#,
    ),
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"80","protocol":"TCP"}],"rules":{"http":[{}],"dns":[]}}]}"#,
    ),
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"80","protocol":"TCP"}],"rules":{"http":[{"path":"["}]}}]}"#,
    ),
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"80","protocol":"TCP"}],"rules":{"http":[{"method":"("}]}}]}"#,
    ),
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"80","protocol":"TCP"}],"rules":{"http":[{"headerMatches":[{"value":"x"}]}]}}]}"#,
    ),
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"80","protocol":"TCP"}],"rules":{"http":[{"headerMatches":[{"name":"x","mismatch":"PANIC"}]}]}}]}"#,
    ),
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"443","protocol":"TCP"}],"serverNames":[""]}]}"#,
    ),
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"443","protocol":"TCP"}],"serverNames":["a.b"],"rules":{"http":[{}]}}]}"#,
    ),
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"443","protocol":"TCP"}],"listener":{"name":"l","envoyConfig":{"name":"e"}}}]}"#,
    ),
    (
        "ingress",
        r#"{"toPorts":[{"ports":[{"port":"443","protocol":"TCP"}],"terminatingTLS":{"secret":7}}]}"#,
    ),
    (
        "ingress",
        r#"{"icmps":[{"fields":[{"type":8}]}],"toPorts":[{"ports":[{"port":"80"}]}]}"#,
    ),
    (
        "ingress",
        r#"{"icmps":[{"fields":[{"family":"IPv5","type":8}]}]}"#,
    ),
    (
        "ingress",
        r#"{"icmps":[{"fields":[{"type":"NoSuchType"}]}]}"#,
    ),
    (
        "ingress",
        r#"{"icmps":[{"fields":[{"family":"IPv4","type":"PacketTooBig"}]}]}"#,
    ),
    ("ingress", r#"{"icmps":[{"fields":[{"family":"IPv4"}]}]}"#),
    ("ingress", r#"{"fromCIDR":["10.0.0.0/33"]}"#),
    ("ingress", r#"{"fromCIDR":[""]}"#),
    ("ingress", r#"{"fromCIDR":["ten"]}"#),
    ("ingress", r#"{"fromCIDRSet":[{"cidr":"10.0.0.1"}]}"#),
    ("ingress", r#"{"fromCIDRSet":[{}]}"#),
    (
        "ingress",
        r#"{"fromCIDRSet":[{"cidr":"10.0.0.0/8","cidrGroupRef":"office"}]}"#,
    ),
    (
        "ingress",
        r#"{"fromCIDRSet":[{"cidr":"10.0.0.0/8","except":["11.0.0.0/16"]}]}"#,
    ),
    (
        "ingress",
        r#"{"fromCIDRSet":[{"cidr":"10.0.0.0/8","except":["0.0.0.0/0"]}]}"#,
    ),
    (
        "ingress",
        r#"{"fromCIDRSet":[{"cidr":"10.0.0.0/8","except":["fd00::/16"]}]}"#,
    ),
    ("ingress", r#"{"fromEntities":["moon"]}"#),
    (
        "ingress",
        r#"{"fromEntities":["world"],"fromCIDR":["10.0.0.0/8"]}"#,
    ),
    (
        "ingress",
        r#"{"fromEndpoints":[{}],"fromEntities":["world"]}"#,
    ),
    (
        "ingress",
        r#"{"fromEndpoints":[{"matchLabels":{"a:b:c":"d"}}]}"#,
    ),
    (
        "ingress",
        r#"{"fromEndpoints":[{"matchLabels":{"app":"no spaces"}}]}"#,
    ),
    (
        "ingress",
        r#"{"fromEndpoints":[{"matchExpressions":[{"key":"app","operator":"In"}]}]}"#,
    ),
    (
        "ingress",
        r#"{"fromEndpoints":[{"matchExpressions":[{"key":"app","operator":"Gt","values":["1"]}]}]}"#,
    ),
    (
        "ingress",
        r#"{"fromEndpoints":[{"matchExpressions":[{"key":"app","operator":"Exists","values":["x"]}]}]}"#,
    ),
    (
        "ingress",
        r#"{"fromEndpoints":{"matchLabels":{"app":"b"}}}"#,
    ),
];

const EGRESS: [&str; 11] = [
    r#"{"toPorts":[{"ports":[],"rules":{"dns":[{"matchName":"a.b"}]}}]}"#,
    r#"{"toPorts":[{"ports":[{"port":"53","endPort":60}],"rules":{"dns":[{"matchName":"a.b"}]}}]}"#,
    r#"{"toPorts":[{"ports":[{"port":"53"}],"rules":{"dns":[{"matchName":"a b"}]}}]}"#,
    r#"{"toPorts":[{"ports":[{"port":"53"}],"rules":{"dns":[{"matchPattern":"a$"}]}}]}"#,
    r#"{"toFQDNs":[{"matchName":"a.b","matchPattern":"*.b"}]}"#,
    r#"{"toFQDNs":[{"matchName":"*.b"}]}"#,
    r#"{"toFQDNs":[{"matchPattern":"a/b"}]}"#,
    r#"{"toFQDNs":[{"matchName":"a.b"}],"toEntities":["world"]}"#,
    r#"{"toPorts":[{"ports":[{"port":"80","protocol":"TCP"}],"listener":{"name":"l","envoyConfig":{"name":"e"}},"rules":{"http":[{}]}}]}"#,
    r#"{"toCIDR":["10.0.0.0/8"],"toEndpoints":[{}]}"#,
    r#"{"authentication":{"mode":3}}"#,
];

/// Whole documents.
const DOCUMENTS: [&str; 22] = [
    "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: none, namespace: default}\n",
    "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {namespace: default}\nspec: {endpointSelector: {}, ingress: [{}]}\n",
    "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: x, namespace: default}\nspec: {endpointSelector: {}, ingress: []}\n",
    "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: x, namespace: default}\nspec: {ingress: [{}]}\n",
    "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: x, namespace: default}\nspec: {endpointSelector: {}, nodeSelector: {}, ingress: [{}]}\n",
    "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: x, namespace: default}\nspec: {nodeSelector: {}, ingress: [{}]}\n",
    "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: x, namespace: default}\nspec: [1]\n",
    "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: x, namespace: default}\nspec: {endpointSelector: {matchLabels: {app: 1}}, ingress: [{}]}\n",
    "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: x, namespace: default}\nspec: {endpointSelector: {matchLabels: {$host: a}}, ingress: [{}]}\n",
    "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: x, namespace: default}\nspec: {endpointSelector: {}, ingress: [{}], enableDefaultDeny: {ingress: maybe}}\n",
    "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {name: x}\nspec: {nodeSelector: {}, ingress: [{toPorts: [{ports: [{port: \"80\", protocol: TCP}], rules: {http: [{}]}}]}]}\n",
    "apiVersion: cilium.io/v3\nkind: CiliumNetworkPolicy\nmetadata: {name: x}\nspec: {endpointSelector: {}, ingress: [{}]}\n",
    "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n",
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x, namespace: default}\nspec: {podSelector: {}, ingress: [{ports: [{port: 80, protocol: ICMP}]}]}\n",
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x, namespace: default}\nspec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: nonsense}}]}]}\n",
    "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: x}\nspec: {tier: Admin, priority: 1, subject: {}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}\n",
    "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: x}\nspec: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{domainNames: [a.b]}]}]}\n",
    "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: x}\nspec: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [ten]}]}]}\n",
    "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n\tmetadata: {name: x}\n",
    "apiVersion: cilium.io/v2\nkind: [CiliumNetworkPolicy\n",
    "just text\n",
    "- a\n- list\n",
];

impl Draw<'_> {
    /// The text of a document that is refused.
    pub(super) fn refused(&mut self, name: &str) -> String {
        let (field, member) = match self.dice.weighted(&[44, 11, 22, 2]) {
            0 => self.dice.one(&MEMBERS),
            1 => ("egress", self.dice.one(&EGRESS)),
            2 => return self.dice.one(&DOCUMENTS).to_owned(),
            _ => return self.too_many(name),
        };
        let mut member: Value = serde_json::from_str(member).unwrap_or_default();
        let mut field = field.to_owned();
        if field == "ingress" && self.dice.chance(30) {
            // The same mistake in the other direction, unless it is none there.
            let text = member.to_string();
            if !text.contains("dns") && !text.contains("listener") {
                member = serde_json::from_str(&text.replace("\"from", "\"to")).unwrap_or_default();
                "egress".clone_into(&mut field);
            }
        }
        let text = member.to_string();
        if self.dice.chance(20)
            && !["rules", "serverNames", "listener", "TLS", "FQDN", "auth"]
                .iter()
                .any(|word| text.contains(word))
        {
            field += "Deny";
        }
        let object = json!({
            "apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"endpointSelector": {}, field: [member]},
        });
        self.document(&object)
    }

    /// More ports, or ICMP types, than a rule may list.
    fn too_many(&mut self, name: &str) -> String {
        let member = if self.dice.chance(50) {
            let ports: Vec<Value> = (1..=41).map(|n| json!({"port": n.to_string()})).collect();
            json!({"toPorts": [{"ports": ports}]})
        } else {
            let fields: Vec<Value> = (1..=41).map(|n| json!({"type": n})).collect();
            json!({"icmps": [{"fields": fields}]})
        };
        let object = json!({
            "apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"endpointSelector": {}, "ingress": [member]},
        });
        self.document(&object)
    }
}
