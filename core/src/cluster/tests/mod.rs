use super::*;
use crate::diagnostic::Code;
use crate::object::load::{LoadOptions, load};
use crate::policy_map::Verdict;
use crate::source::SourceId;

mod change;
mod explain;
mod forecast;
mod kubernetes;
mod layer7;
mod learned;
mod missing;
mod publish;

fn objects(yaml: &str) -> Vec<Object> {
    let config = Config::default();
    let loaded = load(SourceId(0), yaml, &LoadOptions::new(&config));
    assert!(!loaded.refused_any(), "{:#?}", loaded.diagnostics);
    loaded.into_objects().collect()
}

fn build(yaml: &str) -> Cluster {
    Cluster::build(Config::default(), ClusterOptions::default(), objects(yaml))
}

fn with(yaml: &str, options: ClusterOptions) -> Cluster {
    Cluster::build(Config::default(), options, objects(yaml))
}

fn ask(cluster: &Cluster, from: &str, to: &str, protocol: u8, port: u16) -> FlowAnswer {
    let (from, to) = (cluster.peer(from).unwrap(), cluster.peer(to).unwrap());
    cluster.flow(&Flow::new(&from, &to, protocol, port))
}

fn tcp(cluster: &Cluster, from: &str, to: &str, port: u16) -> String {
    let decision = ask(cluster, from, to, 6, port).overall;
    match decision {
        Decision::Verdict(v) => v.as_str().to_owned(),
        Decision::Unknown { .. } => "unknown".to_owned(),
    }
}

fn codes(cluster: &Cluster) -> Vec<u16> {
    cluster
        .diagnostics()
        .iter()
        .map(|d| d.code.number())
        .collect()
}

/// `name [key=value…]` as a pod in `prod` with named ports `name:port`.
fn pod(name: &str, labels: &str, ip: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: prod, labels: {{{labels}}}}}\n\
         spec: {{nodeName: n1, containers: [{{name: c, image: i, ports: [{{name: HTTP, containerPort: 8080}}]}}]}}\n\
         status: {{phase: Running, podIP: {ip}, hostIP: 192.168.0.1}}\n"
    )
}

const ALLOW_WEB_TO_DB: &str = "---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: db, namespace: prod}
spec:
  endpointSelector: {matchLabels: {app: db}}
  ingress:
  - fromEndpoints: [{matchLabels: {app: web}}]
    toPorts: [{ports: [{port: http, protocol: TCP}]}]
";

const DEPLOYMENT: &str = "---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: prod}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {serviceAccountName: runner, containers: [{name: c, image: i}]}
";

#[test]
fn two_pods_and_a_policy() {
    let yaml = pod("web-0", "app: web", "10.0.1.1")
        + &pod("db-0", "app: db", "10.0.1.2")
        + ALLOW_WEB_TO_DB;
    let c = build(&yaml);
    assert_eq!(tcp(&c, "prod/web", "prod/db", 8080), "allow");
    assert_eq!(tcp(&c, "prod/web", "prod/db", 8081), "default-deny");
    assert_eq!(tcp(&c, "prod/db", "prod/web", 1), "allow");
    assert_eq!(tcp(&c, "world", "prod/db", 8080), "default-deny");
    // Addresses of pods are the pods.
    assert_eq!(tcp(&c, "10.0.1.1", "10.0.1.2", 8080), "allow");
    // The local host is let in.
    assert_eq!(tcp(&c, "host", "prod/db-0", 22), "allow");
    assert_eq!(tcp(&c, "remote-node", "prod/db-0", 22), "default-deny");
    let answer = ask(&c, "prod/web", "prod/db", 6, 8080);
    let ingress = answer.ingress.unwrap();
    assert_eq!(ingress.rules.len(), 1);
    assert_eq!(ingress.rules[0].origin.path, "spec.ingress[0]");
    assert_eq!(
        answer.egress.unwrap().decision,
        Decision::Verdict(Verdict::Allow)
    );
    assert_eq!(codes(&c), [] as [u16; 0]);
}

#[test]
fn a_workload_stands_for_its_pods_until_they_are_there() {
    let mut c = build(DEPLOYMENT);
    let [web] = c.endpoints() else { panic!() };
    assert_eq!(
        (web.kind, web.to_string().as_str()),
        ("Deployment", "prod/web")
    );
    assert_eq!(
        web.labels.canonical(),
        "k8s:app=web;\
         k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name=prod;\
         k8s:io.cilium.k8s.policy.cluster=default;\
         k8s:io.cilium.k8s.policy.serviceaccount=runner;\
         k8s:io.kubernetes.pod.namespace=prod;"
    );
    let running = "apiVersion: v1
kind: Pod
metadata:
  name: web-5d8f-x
  namespace: prod
  labels: {app: web, pod-template-hash: 5d8f}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-5d8f, uid: u, controller: true}]
spec: {serviceAccountName: runner, containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 10.0.0.7}
";
    let before = web.identity;
    c.upsert(objects(running).remove(0));
    let [pod] = c.endpoints() else { panic!() };
    assert_eq!((pod.kind, pod.identity), ("Pod", before));
    assert_eq!(
        pod.workload().cloned(),
        Some(("Deployment".to_owned(), "web".to_owned()))
    );
    assert_eq!(c.find_endpoint("prod/web").unwrap().name, "web-5d8f-x");
    assert_eq!(
        c.find_endpoint("prod/deployment/web").unwrap().name,
        "web-5d8f-x"
    );
    // So is the ReplicaSet between them.
    for name in ["prod/web-5d8f", "prod/replicaset/web-5d8f"] {
        assert_eq!(c.find_endpoint(name).unwrap().name, "web-5d8f-x");
    }
    // A finished pod is nobody, and the workload stands again.
    c.upsert(objects(&running.replace("Running", "Succeeded")).remove(0));
    let [again] = c.endpoints() else { panic!() };
    assert_eq!((again.kind, again.identity), ("Deployment", before));
}

#[test]
fn replica_sets_and_jobs_belong_to_their_owners() {
    let yaml = DEPLOYMENT.to_owned()
        + "---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-5d8f
  namespace: prod
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: u, controller: true}]
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: night, namespace: prod}
spec:
  schedule: '0 3 * * *'
  jobTemplate: {spec: {template: {metadata: {labels: {app: night}}, spec: {containers: [{name: c, image: i}]}}}}
---
apiVersion: v1
kind: Pod
metadata:
  name: night-2893-x
  namespace: prod
  labels: {app: night}
  ownerReferences: [{apiVersion: batch/v1, kind: Job, name: night-2893, uid: u, controller: true}]
spec: {containers: [{name: c, image: i}]}
";
    let c = build(&yaml);
    let names: Vec<String> = c
        .endpoints()
        .iter()
        .map(|e| format!("{} {e}", e.kind))
        .collect();
    assert_eq!(names, ["Pod prod/night-2893-x", "Deployment prod/web"]);
    assert_eq!(c.find_endpoint("prod/cronjob/night").unwrap().kind, "Pod");
}

#[test]
fn named_ports_split_identities() {
    let yaml = pod("a", "app: x", "10.0.0.1")
        + &pod("b", "app: x", "10.0.0.2").replace("8080", "9090")
        + &pod("c", "app: x", "10.0.0.3");
    let c = build(&yaml);
    let id = |n: &str| c.find_endpoint(n).unwrap().identity;
    assert_eq!(id("prod/a"), id("prod/c"));
    assert_ne!(id("prod/a"), id("prod/b"));
    assert_eq!(c.find_endpoint("prod/x").unwrap_err().code, AMBIGUOUS);
}

const NODES: &str = "---
apiVersion: v1
kind: Node
metadata: {name: n1}
spec: {podCIDR: 10.0.1.0/24}
status: {addresses: [{type: InternalIP, address: 192.168.0.1}, {type: Hostname, address: n1}]}
---
apiVersion: cilium.io/v2
kind: CiliumNode
metadata: {name: n2}
spec:
  addresses: [{type: InternalIP, ip: 192.168.0.2}]
  health: {ipv4: 10.0.2.9}
  ingress: {ipv4: 10.0.2.8}
---
apiVersion: v1
kind: Endpoints
metadata: {name: kubernetes, namespace: default}
subsets: [{addresses: [{ip: 192.168.0.2}, {ip: 203.0.113.1}], ports: [{port: 6443}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: proxy, namespace: kube-system, labels: {app: proxy}}
spec: {hostNetwork: true, nodeName: n1, containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 192.168.0.1}
";

#[test]
fn nodes_and_the_api_server_have_their_identities() {
    let yaml = NODES.to_owned() + &pod("db-0", "app: db", "10.0.1.2") + ALLOW_WEB_TO_DB;
    let c = build(&yaml);
    let at = |ip: &str| c.identity_at(ip.parse().unwrap(), None).0;
    assert_eq!(at("192.168.0.1"), 6);
    assert_eq!(at("192.168.0.2"), 7);
    assert_eq!(at("10.0.2.9"), 4);
    assert_eq!(at("10.0.2.8"), 8);
    assert_eq!(at("10.0.1.77"), 9);
    let outside = c
        .identities()
        .get(NumericIdentity(at("203.0.113.1")))
        .unwrap();
    assert_eq!(
        outside.canonical(),
        "reserved:kube-apiserver=;reserved:world-ipv4=;"
    );
    // A pod on the host network has the node's identity and no policy; to
    // pods of its own node it is their host.
    let proxy = c.find_endpoint("kube-system/proxy").unwrap();
    assert_eq!((proxy.host_network, proxy.identity.0), (true, 6));
    assert_eq!(tcp(&c, "kube-system/proxy", "prod/db", 1), "allow");
    assert_eq!(tcp(&c, "192.168.0.1", "prod/db", 1), "allow");
    assert_eq!(tcp(&c, "192.168.0.2", "prod/db", 1), "default-deny");
    assert!(
        ask(&c, "prod/db", "kube-system/proxy", 6, 1)
            .ingress
            .is_none()
    );
    let local = with(
        &yaml,
        ClusterOptions {
            local_node: Some("n2".to_owned()),
            ..ClusterOptions::default()
        },
    );
    assert_eq!(local.identity_at("192.168.0.2".parse().unwrap(), None).0, 1);
    assert_eq!(
        local
            .identities()
            .get(NumericIdentity::HOST)
            .unwrap()
            .canonical(),
        "reserved:host=;reserved:kube-apiserver=;"
    );
}

fn egress(rule: &str) -> String {
    format!(
        "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: out, namespace: prod}}\n\
         spec:\n  endpointSelector: {{}}\n  egress:\n  - {rule}\n"
    )
}

#[test]
fn prefixes_groups_and_excepts() {
    let yaml = DEPLOYMENT.to_owned()
        + &egress("toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.9.0.0/16]}, {cidrGroupRef: office}]")
        + "---
apiVersion: cilium.io/v2
kind: CiliumCIDRGroup
metadata: {name: office, labels: {site: berlin}}
spec: {externalCIDRs: [198.51.100.0/24]}
";
    let mut c = build(&yaml);
    assert_eq!(tcp(&c, "prod/web", "10.1.2.3", 443), "allow");
    assert_eq!(tcp(&c, "prod/web", "10.9.2.3", 443), "default-deny");
    assert_eq!(tcp(&c, "prod/web", "198.51.100.7", 443), "allow");
    assert_eq!(tcp(&c, "prod/web", "198.51.101.7", 443), "default-deny");
    assert_eq!(tcp(&c, "prod/web", "10.1.0.0/16", 443), "allow");
    // Part of it is excepted.
    assert_eq!(tcp(&c, "prod/web", "10.0.0.0/8", 443), "unknown");
    let entry = c
        .ipcache()
        .get(&"198.51.100.0/24".parse().unwrap())
        .unwrap();
    assert_eq!(
        entry.labels.canonical(),
        "cidrgroup:io.cilium.policy.cidrgroupname/office=;\
         cidrgroup:site=berlin;cidrgroup:site+berlin=;reserved:world-ipv4=;"
    );
    assert!(!codes(&c).contains(&611));
    c.remove(&ObjectKey {
        kind: "CiliumCIDRGroup".to_owned(),
        namespace: String::new(),
        name: "office".to_owned(),
    });
    assert!(codes(&c).contains(&611));
    assert_eq!(tcp(&c, "prod/web", "198.51.100.7", 443), "default-deny");
}

#[test]
fn match_mode_pods_lets_prefixes_select_pods() {
    let yaml = pod("web-0", "app: web", "10.0.1.1")
        + &pod("db-0", "app: db", "10.0.1.2")
        + &egress("toCIDR: [10.0.1.0/24]");
    let c = build(&yaml);
    assert_eq!(tcp(&c, "prod/web-0", "prod/db-0", 1), "default-deny");
    let config = Config {
        cidr_matches_pods: true,
        ..Config::default()
    };
    let c = Cluster::build(config, ClusterOptions::default(), objects(&yaml));
    assert_eq!(tcp(&c, "prod/web-0", "prod/db-0", 1), "allow");
    let db = c.find_endpoint("prod/db-0").unwrap();
    assert!(
        db.labels
            .canonical()
            .starts_with("cidr:10.0.1.0/24=;k8s:app=db;")
    );
}

#[test]
fn names_need_answers_of_dns() {
    let yaml = DEPLOYMENT.to_owned() + &egress("toFQDNs: [{matchPattern: '*.Example.com'}]");
    let mut c = build(&yaml);
    assert_eq!(tcp(&c, "prod/web", "api.example.com", 443), "unknown");
    let answer = |name: &str, ip: &str| (name.to_owned(), vec![ip.parse().unwrap()]);
    c.set_resolved_names(
        [
            answer("API.example.com", "93.184.216.34"),
            answer("example.com", "93.184.216.35"),
        ]
        .into(),
    );
    assert_eq!(tcp(&c, "prod/web", "api.example.com.", 443), "allow");
    assert_eq!(tcp(&c, "prod/web", "93.184.216.34", 443), "allow");
    assert_eq!(tcp(&c, "prod/web", "example.com", 443), "default-deny");
    let id = c.identity_at("93.184.216.34".parse().unwrap(), None);
    assert_eq!(
        c.identities().get(id).unwrap().canonical(),
        "fqdn:*.Example.com=;reserved:world-ipv4=;"
    );
}

#[test]
fn services_become_their_pods_or_addresses() {
    let yaml = DEPLOYMENT.to_owned()
        + &pod("db-0", "app: db", "10.0.1.2")
        + &egress(
            "toServices: [{k8sService: {serviceName: db, namespace: prod}}, {k8sService: {serviceName: ext, namespace: prod}}]",
        )
        + "---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: prod}
spec: {selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: ext, namespace: prod}
spec: {ports: [{port: 5432}]}
";
    let slice = "apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ext-1, namespace: prod, labels: {kubernetes.io/service-name: ext}}
addressType: IPv4
endpoints:
- {addresses: [192.0.2.1], conditions: {ready: true}}
- {addresses: [192.0.2.2], conditions: {ready: false}}
ports: []
";
    let mut c = build(&yaml);
    assert_eq!(tcp(&c, "prod/web", "prod/db-0", 5432), "allow");
    assert_eq!(tcp(&c, "prod/web", "192.0.2.1", 5432), "default-deny");
    c.upsert(objects(slice).remove(0));
    assert_eq!(tcp(&c, "prod/web", "192.0.2.1", 5432), "allow");
    assert_eq!(tcp(&c, "prod/web", "192.0.2.2", 5432), "default-deny");
    assert!(!codes(&c).contains(&612));
    c.remove(&ObjectKey {
        kind: "Service".to_owned(),
        namespace: "prod".to_owned(),
        name: "ext".to_owned(),
    });
    assert_eq!(tcp(&c, "prod/web", "192.0.2.1", 5432), "default-deny");
    assert!(codes(&c).contains(&612));
}

#[test]
fn namespaces_lend_their_labels() {
    let policy = "---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: in, namespace: prod}
spec:
  podSelector: {}
  ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: tools}
spec: {containers: [{name: c, image: i}]}
";
    let mut c = build(&(DEPLOYMENT.to_owned() + policy));
    assert_eq!(tcp(&c, "tools/client", "prod/web", 80), "default-deny");
    assert!(codes(&c).contains(&613));
    let ns = "apiVersion: v1\nkind: Namespace\nmetadata: {name: NAME, labels: {team: blue}}\n";
    c.upsert(objects(&ns.replace("NAME", "tools")).remove(0));
    c.upsert(objects(&ns.replace("NAME", "prod").replace("blue", "red")).remove(0));
    assert_eq!(tcp(&c, "tools/client", "prod/web", 80), "allow");
    assert!(!codes(&c).contains(&613));
}

#[test]
fn both_sides_have_to_agree() {
    let yaml = pod("web-0", "app: web", "10.0.1.1")
        + &pod("db-0", "app: db", "10.0.1.2")
        + ALLOW_WEB_TO_DB
        + &egress("toEntities: [world]");
    let c = build(&yaml);
    let answer = ask(&c, "prod/web-0", "prod/db-0", 6, 8080);
    assert_eq!(
        answer.ingress.unwrap().decision,
        Decision::Verdict(Verdict::Allow)
    );
    assert_eq!(
        answer.egress.unwrap().decision,
        Decision::Verdict(Verdict::DefaultDeny)
    );
    assert_eq!(answer.overall, Decision::Verdict(Verdict::DefaultDeny));
    assert_eq!(tcp(&c, "prod/web-0", "1.1.1.1", 443), "allow");
    assert!(ask(&c, "prod/web-0", "1.1.1.1", 6, 443).ingress.is_none());
}

#[test]
fn peers_are_named_in_many_ways() {
    let yaml = pod("web-0", "app: web", "10.0.1.1") + &pod("web-1", "app: web", "10.0.1.2");
    let c = build(&yaml);
    let is = |text: &str, wanted: &str| assert_eq!(c.peer(text).unwrap().to_string(), wanted);
    is("world", "world");
    is("entity:kube-apiserver", "kube-apiserver");
    is("10.0.0.0/8", "10.0.0.0/8");
    is("10.1.2.3/32", "10.1.2.3");
    is("::ffff:10.1.2.3", "10.1.2.3");
    is("fqdn:Cilium.io.", "cilium.io");
    is("cilium.io", "cilium.io");
    is("prod/web", "prod/web-0");
    is("web-1", "prod/web-1");
    is("pod:prod/Pod/web-1", "prod/web-1");
    let refused = |text: &str, code: Code, help: &str| {
        let error = *c.peer(text).unwrap_err();
        assert_eq!(error.code, code, "{text}");
        let told = error.help.unwrap_or_default();
        assert!(told.contains(help), "{text}: {told}");
    };
    refused("prod/wb-0", NOT_FOUND, "did you mean `prod/web-0`?");
    refused("prd/web-0", NOT_FOUND, "did you mean `prod`?");
    refused("dev/web", NOT_FOUND, "`prod`");
    refused("wrld", NOT_FOUND, "did you mean `world`?");
    refused("all", NOT_A_PEER, "stands for many");
    refused("entity:x", NOT_A_PEER, "kube-apiserver");
    refused("cidr:x", NOT_A_PEER, "");
}
