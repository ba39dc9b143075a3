//! Every field of every workload kind.

use super::*;
use crate::config::Config;
use crate::object::Object;
use crate::object::load::{LoadOptions, Loaded, load};
use crate::object::network_policy::IntOrString;
use crate::source::{SourceId, Spanned};

fn loaded(text: &str) -> Loaded {
    let config = Config::default();
    load(SourceId(0), text, &LoadOptions::new(&config))
}

fn object(text: &str) -> Object {
    let loaded = loaded(text);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    loaded.into_objects().next().unwrap()
}

fn texts(list: &[Spanned<String>]) -> Vec<&str> {
    list.iter().map(|s| s.value.as_str()).collect()
}

macro_rules! object {
    ($variant:ident, $text:expr) => {
        match object($text) {
            Object::$variant(inner) => inner,
            other => panic!("{other:?}"),
        }
    };
}

const POD: &str = "apiVersion: v1
kind: Pod
metadata:
  name: web-1
  namespace: prod
  labels: {app: web}
  ownerReferences:
  - {apiVersion: v1, kind: Other, name: o, uid: '1'}
  - {apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: '2', controller: true}
spec:
  serviceAccountName: runner
  serviceAccount: old
  hostNetwork: true
  nodeName: n1
  restartPolicy: Always
  initContainers:
  - name: init
    ports: [{name: no, containerPort: 1}]
  containers:
  - name: a
    image: x
    ports:
    - {name: http, containerPort: 8080}
    - {containerPort: 53, protocol: UDP, hostPort: 53, hostIP: 1.1.1.1}
  - name: b
    ports: [{name: metrics, containerPort: 9090, protocol: TCP}]
status:
  phase: Running
  podIP: 10.0.0.1
  podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]
  hostIP: 192.168.0.1
";

#[test]
fn pods() {
    let pod = object!(Pod, POD);
    assert_eq!(pod.meta.labels[0].1.value, "web");
    assert_eq!(pod.controller().unwrap().kind, "ReplicaSet");
    assert_eq!(pod.owners.len(), 2);
    assert_eq!(pod.spec.service_account.value, "runner");
    assert!(pod.spec.host_network && !pod.is_finished());
    assert_eq!(pod.spec.node_name.value, "n1");
    let ports: Vec<_> = pod
        .spec
        .ports
        .iter()
        .map(|p| {
            (
                p.container.as_str(),
                p.name.as_str(),
                p.port.value,
                p.protocol.as_str(),
            )
        })
        .collect();
    assert_eq!(
        ports,
        [
            ("a", "http", 8080, ""),
            ("a", "", 53, "UDP"),
            ("b", "metrics", 9090, "TCP")
        ]
    );
    assert_eq!(texts(&pod.ips), ["10.0.0.1", "fd00::1"]);
    assert_eq!(pod.host_ip.value, "192.168.0.1");
    let name = pod.meta.name.span;
    assert_eq!(&POD[name.start as usize..name.end as usize], "web-1");
    let label = pod.meta.labels[0].0.span;
    assert_eq!(&POD[label.start as usize..label.end as usize], "app");

    let old = object!(
        Pod,
        &POD.replace("  serviceAccountName: runner\n", "")
            .replace("Running", "Succeeded")
            .replace("  podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]\n", "")
    );
    assert_eq!(old.spec.service_account.value, "old");
    assert!(old.is_finished());
    assert_eq!(texts(&old.ips), ["10.0.0.1"]);
}

#[test]
fn values_of_other_types_refuse() {
    for (from, to) in [
        ("containerPort: 8080", "containerPort: '8080'"),
        ("hostNetwork: true", "hostNetwork: 'true'"),
        ("labels: {app: web}", "labels: {app: 1}"),
        ("podIP: 10.0.0.1", "podIP: 10"),
        ("containers:\n  - name: a", "containers:\n  - name: [a]"),
    ] {
        let loaded = loaded(&POD.replace(from, to));
        assert!(loaded.refused_any(), "{to}");
        assert_eq!(loaded.diagnostics.len(), 1, "{to}");
    }
}

#[test]
fn controllers() {
    let template = "template: {metadata: {labels: {app: web}}, spec: {serviceAccountName: s, containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}}";
    for (version, kind) in [
        ("apps/v1", ControllerKind::Deployment),
        ("apps/v1", ControllerKind::StatefulSet),
        ("apps/v1", ControllerKind::DaemonSet),
        ("apps/v1", ControllerKind::ReplicaSet),
        ("v1", ControllerKind::ReplicationController),
        ("batch/v1", ControllerKind::Job),
        ("batch/v1", ControllerKind::CronJob),
    ] {
        let spec = match kind {
            ControllerKind::CronJob => {
                format!("{{schedule: '* * * * *', jobTemplate: {{spec: {{{template}}}}}}}")
            }
            _ => format!("{{replicas: 3, {template}}}"),
        };
        let text = format!(
            "apiVersion: {version}\nkind: {}\nmetadata: {{name: x, ownerReferences: [{{kind: CronJob, name: c, apiVersion: batch/v1, uid: u, controller: true}}]}}\nspec: {spec}\n",
            kind.as_str()
        );
        let c = object!(Controller, &text);
        assert_eq!(c.kind, kind);
        assert_eq!(c.template.meta.labels[0].1.value, "web");
        assert_eq!(c.template.spec.service_account.value, "s");
        assert_eq!(c.template.spec.ports[0].port.value, 80);
        assert_eq!(c.controller().unwrap().name, "c");
        let cron = kind == ControllerKind::CronJob;
        assert_eq!(c.replicas.map(|r| r.value), (!cron).then_some(3));
        assert_eq!(kind.template_path() == "spec.template", !cron);
    }
}

#[test]
fn services() {
    let s = object!(
        Service,
        "apiVersion: v1
kind: Service
metadata: {name: web, namespace: prod}
spec:
  type: NodePort
  selector: {app: web}
  clusterIP: 10.96.0.1
  clusterIPs: [10.96.0.1, 'fd00::1']
  externalIPs: [1.2.3.4]
  sessionAffinity: None
  ports:
  - {name: http, port: 80, targetPort: http, nodePort: 30080, protocol: TCP, appProtocol: h2c}
  - {port: 53, targetPort: 5353, protocol: UDP}
"
    );
    assert_eq!(s.service_type.value, "NodePort");
    assert_eq!(s.selector.as_ref().unwrap()[0].1.value, "web");
    assert_eq!(texts(&s.cluster_ips), ["10.96.0.1", "fd00::1"]);
    assert_eq!(texts(&s.external_ips), ["1.2.3.4"]);
    let port = &s.ports[0];
    assert_eq!(
        port.target_port.as_ref().unwrap().value,
        IntOrString::String("http".into())
    );
    assert_eq!(
        (
            port.port.value,
            port.node_port.unwrap().value,
            port.app_protocol.as_str()
        ),
        (80, 30080, "h2c")
    );
    assert_eq!(
        s.ports[1].target_port.as_ref().unwrap().value,
        IntOrString::Int(5353)
    );
    assert!(!s.is_headless());
    let s = object!(
        Service,
        "apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {clusterIP: None, selector: {}, type: ClusterIP}\n"
    );
    assert!(s.is_headless() && s.selector.is_none());
    let s = object!(
        Service,
        "apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {type: ExternalName, externalName: a.b}\n"
    );
    assert_eq!(s.external_name.value, "a.b");
}

#[test]
fn endpoints_of_both_kinds() {
    let e = object!(Endpoints, "apiVersion: v1
kind: Endpoints
metadata: {name: web, namespace: prod}
subsets:
- addresses: [{ip: 10.0.0.1, nodeName: n1, targetRef: {kind: Pod, namespace: prod, name: web-1, uid: u}}]
  notReadyAddresses: [{ip: 10.0.0.2, hostname: h}]
  ports: [{name: http, port: 80, protocol: TCP, appProtocol: http}]
");
    assert_eq!(
        (e.kind, e.service.as_str()),
        (EndpointsKind::Endpoints, "web")
    );
    let subset = &e.subsets[0];
    let ready: Vec<_> = subset
        .addresses
        .iter()
        .map(|a| (a.address.as_str(), a.ready))
        .collect();
    assert_eq!(ready, [("10.0.0.1", true), ("10.0.0.2", false)]);
    assert_eq!(
        subset.addresses[0].target,
        Some(("Pod".into(), "prod".into(), "web-1".into()))
    );
    assert_eq!(subset.ports[0].port.unwrap().value, 80);

    let e = object!(Endpoints, "apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-abc, namespace: prod, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints:
- {addresses: [10.0.0.1], conditions: {ready: true}, nodeName: n1, zone: z, targetRef: {kind: Pod, name: web-1, namespace: prod}}
- {addresses: [10.0.0.2], conditions: {ready: false}}
- {addresses: [10.0.0.3]}
ports: [{name: '', port: 80, protocol: TCP}, {}]
");
    assert_eq!(
        (e.kind, e.service.as_str()),
        (EndpointsKind::EndpointSlice, "web")
    );
    let ready: Vec<_> = e.subsets[0]
        .addresses
        .iter()
        .map(|a| (a.address.as_str(), a.ready))
        .collect();
    assert_eq!(
        ready,
        [("10.0.0.1", true), ("10.0.0.2", false), ("10.0.0.3", true)]
    );
    assert_eq!(e.subsets[0].ports[1].port, None);
}

#[test]
fn nodes_of_both_kinds() {
    let n = object!(Node, "apiVersion: v1
kind: Node
metadata: {name: n1, labels: {zone: a}}
spec: {podCIDR: 10.0.0.0/24, podCIDRs: [10.0.0.0/24, 'fd00::/64'], taints: []}
status: {addresses: [{type: InternalIP, address: 192.168.0.1}, {type: Hostname, address: n1}], capacity: {cpu: '1'}}
");
    assert_eq!(n.kind, NodeKind::Node);
    assert_eq!(texts(&n.pod_cidrs), ["10.0.0.0/24", "fd00::/64"]);
    assert_eq!(
        (
            n.addresses[0].address_type.as_str(),
            n.addresses[0].address.as_str()
        ),
        ("InternalIP", "192.168.0.1")
    );
    let n = object!(
        Node,
        "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nspec: {podCIDR: 10.0.0.0/24}\n"
    );
    assert_eq!(texts(&n.pod_cidrs), ["10.0.0.0/24"]);

    let n = object!(
        Node,
        "apiVersion: cilium.io/v2
kind: CiliumNode
metadata: {name: n1, labels: {zone: a}}
spec:
  addresses: [{type: InternalIP, ip: 192.168.0.1}, {type: CiliumInternalIP, ip: 10.0.0.7}]
  health: {ipv4: 10.0.0.8}
  ingress: {ipv4: 10.0.0.9, ipv6: 'fd00::9'}
  ipam: {podCIDRs: [10.0.0.0/24], pools: {}}
"
    );
    assert_eq!(n.kind, NodeKind::CiliumNode);
    assert_eq!(n.addresses[1].address_type.value, "CiliumInternalIP");
    assert_eq!(texts(&n.pod_cidrs), ["10.0.0.0/24"]);
    assert_eq!(texts(&n.health_ips), ["10.0.0.8"]);
    assert_eq!(texts(&n.ingress_ips), ["10.0.0.9", "fd00::9"]);
}

#[test]
fn what_cilium_records() {
    let i = object!(
        CiliumIdentity,
        "apiVersion: cilium.io/v2
kind: CiliumIdentity
metadata: {name: '20001', labels: {app: web}}
security-labels: {'k8s:app': web, 'k8s:io.kubernetes.pod.namespace': prod}
"
    );
    assert_eq!(i.id.value, 20001);
    assert_eq!(i.security_labels[0].0.value, "k8s:app");
    let loaded = loaded("apiVersion: cilium.io/v2\nkind: CiliumIdentity\nmetadata: {name: web}\n");
    assert_eq!(loaded.diagnostics[0].code, cilium_identity::NUMBER);
    assert!(loaded.refused_any());

    let e = object!(
        CiliumEndpoint,
        "apiVersion: cilium.io/v2
kind: CiliumEndpoint
metadata: {name: web-1, namespace: prod}
status:
  id: 33
  state: ready
  identity: {id: 20001, labels: ['k8s:app=web']}
  networking: {addressing: [{ipv4: 10.0.0.1, ipv6: 'fd00::1'}], node: 192.168.0.1}
  named-ports: [{name: http, port: 8080, protocol: TCP}]
"
    );
    assert_eq!(
        (e.endpoint_id.unwrap().value, e.identity.unwrap().value),
        (33, 20001)
    );
    assert_eq!(texts(&e.identity_labels), ["k8s:app=web"]);
    assert_eq!(texts(&e.ips), ["10.0.0.1", "fd00::1"]);
    assert_eq!(e.node_ip.value, "192.168.0.1");
    assert_eq!(
        (e.named_ports[0].name.as_str(), e.named_ports[0].port.value),
        ("http", 8080)
    );
}

#[test]
fn names_alone() {
    let n = object!(
        Namespace,
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod, labels: {team: x}}\nstatus: {phase: Active}\n"
    );
    assert_eq!(
        (n.meta.name.as_str(), n.meta.labels[0].1.as_str()),
        ("prod", "x")
    );
    let a = object!(
        ServiceAccount,
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: runner}\nsecrets: []\n"
    );
    assert_eq!(a.meta.namespace.as_ref().unwrap().value, "default");
}
