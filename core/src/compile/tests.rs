//! Shapes of images that small clusters do not get by themselves.

use super::*;
use crate::cluster::{Cluster, ClusterOptions};
use crate::config::Config;
use crate::object::load::{LoadOptions, load};
use crate::source::SourceId;
use netverdict_table::{Question, View};

fn pods(count: usize) -> String {
    let pod = |i: usize| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{i}, namespace: prod, labels: {{app: a{}, n: '{i}'}}}}\n\
             spec: {{containers: [{{name: c, image: i}}]}}\nstatus: {{podIP: 10.0.{}.{}}}\n",
            i % 3,
            i / 200,
            i % 200 + 1
        )
    };
    (0..count).map(pod).collect()
}

const POLICIES: &str = "---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: a0, namespace: prod}
spec:
  endpointSelector: {matchLabels: {app: a0}}
  ingress:
  - fromEndpoints: [{matchLabels: {app: a1}}]
    toPorts: [{ports: [{port: '80', protocol: TCP}]}]
  - fromCIDR: [192.0.2.0/24]
  ingressDeny:
  - fromEntities: [remote-node]
  egress:
  - toEntities: [world]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: a1, namespace: prod}
spec:
  endpointSelector: {matchLabels: {app: a1}}
  egress:
  - toEndpoints: [{matchLabels: {app: a0}}]
";

fn cluster(config: &Config, text: &str) -> Cluster {
    let objects = load(SourceId(0), text, &LoadOptions::new(config)).into_objects();
    Cluster::build(config.clone(), ClusterOptions::default(), objects)
}

fn subjects(cluster: &Cluster) -> Vec<Subject> {
    let subject = |e: &Arc<crate::cluster::Endpoint>| {
        let policy = cluster.repository().resolve(e.identity, &e.labels).unwrap();
        Subject {
            identity: e.identity,
            endpoints: Vec::new(),
            policy: Arc::new(policy),
            named_ports: Vec::new(),
            proxy_ports: None,
        }
    };
    cluster.endpoints().iter().map(subject).collect()
}

fn compiler(cluster: &Cluster) -> Compiler<'_> {
    Compiler {
        selectors: cluster.repository().selectors(),
        named_ports: cluster.named_ports(),
        revision: 1,
        places: None,
    }
}

/// With roots for local identities every answer is that of directories.
#[test]
fn roots_and_directories_give_the_same_answers() {
    for (id, max) in [(0, 255), (3, 255), (300, 511)] {
        let config = Config {
            cluster_id: id,
            max_connected_clusters: max,
            ..Config::default()
        };
        let cluster = cluster(&config, &(pods(9) + POLICIES));
        let (compiler, subjects) = (compiler(&cluster), subjects(&cluster));
        let ids = || cluster.identities().iter().map(|(id, _)| id);
        let plans = [false, true].map(|rooted| Plan::new(ids(), &config, rooted));
        assert!(plans[0].local_count > 0 && plans[1].local_count == 0);
        let images = plans.map(|plan| compiler.compile_planned(&subjects, plan).unwrap());
        let [flat, rooted] = images.each_ref().map(|i| View::new(i).unwrap());
        assert_eq!(rooted.header().local_count, 0);
        let mut asked: Vec<u32> = ids().map(|id| id.0).collect();
        asked.extend((0..64).map(|bit| 1u32.rotate_left(bit) + bit / 32));
        let mut allowed = 0;
        for subject in 0..flat.subjects() {
            for direction in netverdict_table::Direction::BOTH {
                for identity in &asked {
                    for port in [80, 81] {
                        let q = Question::new(subject, direction, *identity, 6, port);
                        assert_eq!(flat.verdict(&q), rooted.verdict(&q), "{q:?}");
                        allowed += u32::from(flat.verdict(&q).unwrap().is_allowed());
                    }
                }
            }
        }
        assert!(allowed > 0);
    }
}

/// Two policies that list nobody have equal directories. When the first
/// identity of one of them appears, the other does not see it.
#[test]
fn policies_that_share_nothing_stay_unrelated() {
    let config = Config::default();
    let policy = |name: &str, peer: &str| {
        format!(
            "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: {name}, namespace: prod}}\n\
             spec: {{endpointSelector: {{matchLabels: {{app: {name}}}}}, ingress: [{{fromEndpoints: [{{matchLabels: {{app: {peer}}}}}]}}]}}\n"
        )
    };
    let text = pods(2) + &policy("a0", "red") + &policy("a1", "blue");
    let cluster = cluster(&config, &text);
    let mut repository =
        crate::resolve::Repository::new(config.clone(), cluster.identities().clone());
    copy_rules(&cluster, &mut repository);
    let subjects: Vec<Subject> = subjects(&cluster)
        .into_iter()
        .map(|s| {
            let labels = cluster.identities().get(s.identity).unwrap();
            let policy = Arc::new(repository.resolve(s.identity, labels).unwrap());
            Subject { policy, ..s }
        })
        .collect();
    let ports = NamedPorts::new();
    let mut publisher = Publisher::new(&over(&repository, &ports), subjects).unwrap();
    let red = NumericIdentity(5000);
    let labels = labels("red");
    let change = IdentityChange {
        identity: red,
        selectors: repository.add_identity(red, labels),
        ports: false,
    };
    assert!(!change.selectors.is_empty());
    publisher
        .update(&over(&repository, &ports), &[change], Vec::new())
        .unwrap();
    let view = View::new(publisher.image()).unwrap();
    let ask = |subject| {
        let q = Question::new(subject, netverdict_table::Direction::Ingress, red.0, 6, 80);
        view.verdict(&q).unwrap().is_allowed()
    };
    assert!(ask(0));
    assert!(!ask(1));
}

/// Labels of a pod's identity.
fn labels(app: &str) -> crate::label::LabelSet {
    let app = format!("k8s:app={app}");
    let labels = [
        &*app,
        "k8s:io.kubernetes.pod.namespace=prod",
        "k8s:io.cilium.k8s.policy.cluster=default",
    ];
    labels.map(crate::label::Label::parse).into_iter().collect()
}

fn copy_rules(from: &Cluster, to: &mut crate::resolve::Repository) {
    let rules: Vec<&Arc<Rule>> = from.repository().rules().collect();
    for object in rules.chunk_by(|a, b| a.resource == b.resource) {
        let copies = object.iter().map(|r| (***r).clone()).collect();
        to.replace(&object[0].resource, copies);
    }
}

fn over<'a>(repository: &'a crate::resolve::Repository, ports: &'a NamedPorts) -> Compiler<'a> {
    Compiler {
        selectors: repository.selectors(),
        named_ports: ports,
        revision: repository.revision(),
        places: None,
    }
}

/// What comes of compiling a subject whose rule selects these identities.
fn compile_with(
    identities: impl Iterator<Item = NumericIdentity>,
) -> Result<Vec<u8>, (usize, CompileError)> {
    let config = Config::default();
    let cluster = cluster(&config, &(pods(3) + POLICIES));
    let mut repository = crate::resolve::Repository::new(config, cluster.identities().clone());
    copy_rules(&cluster, &mut repository);
    let labels = labels("a1");
    for identity in identities {
        repository.add_identity(identity, labels.clone());
    }
    let ports = NamedPorts::new();
    let endpoint = cluster.find_endpoint("prod/p0").unwrap();
    let subject = Subject {
        identity: endpoint.identity,
        endpoints: Vec::new(),
        policy: Arc::new(
            repository
                .resolve(endpoint.identity, &endpoint.labels)
                .unwrap(),
        ),
        named_ports: Vec::new(),
        proxy_ports: None,
    };
    over(&repository, &ports).compile(&[subject])
}

/// A number that no allocator gives, and that a rule selects.
#[test]
fn identities_of_undefined_scopes_are_refused() {
    let identity = NumericIdentity(0x0400_0001);
    let refused = compile_with([identity].into_iter());
    assert_eq!(refused, Err((0, CompileError::UndefinedScope { identity })));
}

/// Millions of numbers apart: page numbers do not reach all of them. One page
/// fewer, and they do.
#[test]
fn identities_too_far_apart_are_refused() {
    let pages = |count: u32| (0..count).map(|i| NumericIdentity(0x0100_0000 + i * 64));
    // Two pages are those of the pods and of nodes.
    let refused = compile_with(pages(65_519));
    let count = 65_521;
    assert_eq!(refused, Err((0, CompileError::TooManyPages { count })));
    let image = compile_with(pages(65_518)).unwrap();
    let view = View::new(&image).unwrap();
    let ask = |identity: u32| {
        let way = netverdict_table::Direction::Ingress;
        let q = Question::new(0, way, identity, 6, 80);
        view.verdict(&q).unwrap().is_allowed()
    };
    for page in [0, 1, 63, 64, 32_768, 65_517] {
        assert!(ask(0x0100_0000 + page * 64), "{page}");
        assert!(!ask(0x0100_0000 + page * 64 + 9), "{page}");
    }
}

/// Policies with the same rules in one direction share its descriptor, unless
/// the rules name ports of their subjects, which differ, or lead to proxies,
/// whose ports are counted through both directions.
#[test]
fn directions_are_shared_where_nothing_else_counts() {
    let pod = |name: &str, labels: &str, port: u16| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: prod, labels: {{{labels}}}}}\n\
             spec: {{containers: [{{name: c, image: i, ports: [{{name: web, containerPort: {port}, protocol: TCP}}]}}]}}\n\
             status: {{podIP: 10.0.7.{}}}\n",
            name.len()
        )
    };
    let policy = |name: &str, subject: &str, rules: &str| {
        format!(
            "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: {name}, namespace: prod}}\n\
             spec: {{endpointSelector: {{matchLabels: {subject}}}, {rules}}}\n"
        )
    };
    let peer = "Endpoints: [{matchLabels: {app: peer}}]";
    let http = |port: u16| {
        format!(
            "toPorts: [{{ports: [{{port: '{port}', protocol: TCP}}], rules: {{http: [{{method: GET}}]}}}}]"
        )
    };
    let text = [
        pod("p", "app: peer", 1),
        pod("pp", "app: a", 8080),
        pod("ppp", "app: a, n: other", 9090),
        pod("pppp", "app: a, out: 'yes'", 8080),
        pod("ppppp", "app: a, out: 'yes', in: 'yes'", 8080),
        policy(
            "web",
            "{app: a}",
            &format!(
                "ingress: [{{from{peer}, toPorts: [{{ports: [{{port: web, protocol: TCP}}]}}]}}]"
            ),
        ),
        policy(
            "out",
            "{out: 'yes'}",
            &format!("egress: [{{to{peer}, {}}}]", http(80)),
        ),
        policy(
            "in",
            "{in: 'yes'}",
            &format!("ingress: [{{from{peer}, {}}}]", http(81)),
        ),
    ];
    let cluster = cluster(&Config::default(), &text.concat());
    let table = cluster.compile(None).unwrap();
    let view = View::new(&table.image).unwrap();
    let descriptors = |name: &str| {
        let name = format!("prod/{name}");
        let number = table
            .subjects
            .iter()
            .position(|s| s.endpoints.contains(&name));
        let at = view.header().subjects.at as usize + number.unwrap() * 8;
        let half = |at: usize| u32::from_le_bytes(*table.image[at..].first_chunk().unwrap());
        [half(at), half(at + 4)]
    };
    let [plain, other, out, both] = ["pp", "ppp", "pppp", "ppppp"].map(descriptors);
    assert_eq!(plain[0], out[0]);
    assert_ne!(plain[0], other[0], "web is another port");
    assert_ne!(out[1], both[1], "the proxy of egress is the second");
    assert!(cluster.verify(&table.image, None).is_ok());
}
