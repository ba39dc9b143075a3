//! Objects come and go, and numbers stay.

use super::*;

#[test]
fn objects_give_numbers() {
    let c = build(
        "apiVersion: cilium.io/v2
kind: CiliumIdentity
metadata: {name: '20001', labels: {io.kubernetes.pod.namespace: prod}}
security-labels:
  k8s:app: web
  k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name: prod
  k8s:io.cilium.k8s.policy.cluster: default
  k8s:io.cilium.k8s.policy.serviceaccount: default
  k8s:io.kubernetes.pod.namespace: prod
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: prod, labels: {app: web}}
spec: {containers: [{name: c, image: i}]}
---
apiVersion: cilium.io/v2
kind: CiliumEndpoint
metadata: {name: old, namespace: prod}
status:
  id: 7
  identity: {id: 20002, labels: ['k8s:app=old', 'k8s:io.kubernetes.pod.namespace=prod']}
  networking: {addressing: [{ipv4: 10.0.9.9}], node: 192.168.0.1}
",
    );
    assert_eq!(c.find_endpoint("prod/web").unwrap().identity.0, 20001);
    let old = c.find_endpoint("prod/old").unwrap();
    assert_eq!(old.identity.0, 20002);
    assert_eq!(c.identity_at("10.0.9.9".parse().unwrap(), None).0, 20002);
    assert!(c.identities().get(NumericIdentity(20002)).is_some());
}

#[test]
fn a_number_given_later_takes_its_place() {
    let mut c = build(&(pod("a", "app: a", "10.0.0.1") + &pod("b", "app: b", "10.0.0.2")));
    let (a, b) = (
        c.find_endpoint("prod/a").unwrap().identity,
        c.find_endpoint("prod/b").unwrap().identity,
    );
    assert_ne!(a, b);
    // Somebody else's labels under the number that `a` had so far.
    let taken = format!(
        "apiVersion: cilium.io/v2\nkind: CiliumIdentity\nmetadata: {{name: '{a}'}}\nsecurity-labels: {{'k8s:other': x}}\n"
    );
    c.upsert(objects(&taken).remove(0));
    assert_eq!(c.identities().get(a).unwrap().canonical(), "k8s:other=x;");
    let moved = c.find_endpoint("prod/a").unwrap().identity;
    assert!(moved != a && moved != b);
    assert_eq!(c.find_endpoint("prod/b").unwrap().identity, b);
    assert_eq!(tcp(&c, "prod/a", "prod/b", 1), "allow");
}

#[test]
fn numbers_survive_in_the_saved_state() {
    let yaml = pod("a", "app: a", "10.0.0.1") + &pod("b", "app: b", "10.0.0.2");
    let mut c = build(&yaml);
    let b = c.find_endpoint("prod/b").unwrap().identity;
    c.remove(&ObjectKey {
        kind: "Pod".to_owned(),
        namespace: "prod".to_owned(),
        name: "a".to_owned(),
    });
    let again = Cluster::restore(
        Config::default(),
        ClusterOptions::default(),
        objects(&yaml),
        &c.identity_state(),
    )
    .unwrap();
    assert_eq!(again.find_endpoint("prod/b").unwrap().identity, b);
    assert!(Cluster::restore(Config::default(), ClusterOptions::default(), [], b"{").is_err());
}

/// Everything that can be seen of a cluster, numbers of identities replaced
/// by their labels.
fn picture(c: &Cluster) -> Vec<String> {
    let labels = |id: NumericIdentity| match c.identities().get(id) {
        Some(l) => l.canonical(),
        None => format!("#{id}"),
    };
    let mut all: Vec<String> = c
        .endpoints()
        .iter()
        .map(|e| format!("{} {e} {}", e.kind, labels(e.identity)))
        .collect();
    all.extend(c.identities().iter().map(|(_, l)| l.canonical()));
    all.extend(
        c.ipcache()
            .iter()
            .map(|(p, e)| format!("{p} {}", labels(e.id))),
    );
    for ip in ["10.0.1.1", "10.0.1.2", "10.0.1.4", "192.168.0.1"] {
        let of = c.identity_at(ip.parse().unwrap(), None);
        all.push(format!("{ip} is {}", labels(of)));
    }
    all.extend(c.diagnostics().iter().map(|d| d.message.clone()));
    for endpoint in c.endpoints() {
        let Ok(policy) = c.policy(endpoint) else {
            all.push(format!("{endpoint} has none"));
            continue;
        };
        all.extend(policy.map.entries().into_iter().map(|(key, entry)| {
            format!(
                "{endpoint} {:?} {} {:?} {:?}",
                key.direction,
                labels(key.identity),
                key.l4,
                entry.precedence
            )
        }));
    }
    all.sort();
    all
}

#[test]
fn changes_one_by_one_give_the_same_as_building_at_once() {
    let pool = pod("web-0", "app: web", "10.0.1.1")
        + &pod("web-1", "app: web, pod-template-hash: x", "10.0.1.3")
        + &pod("db-0", "app: db", "10.0.1.2")
        + DEPLOYMENT
        + NODES
        + ALLOW_WEB_TO_DB
        + &egress("toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.9.0.0/16]}, {cidrGroupRef: office}]")
        + &egress("toFQDNs: [{matchPattern: '*.example.com'}]").replace("name: out", "name: dns")
        + &egress("toServices: [{k8sService: {serviceName: ext, namespace: prod}}]")
            .replace("name: out", "name: svc")
        + "---
apiVersion: cilium.io/v2
kind: CiliumCIDRGroup
metadata: {name: office, labels: {site: berlin}}
spec: {externalCIDRs: [198.51.100.0/24, 10.9.1.0/24]}
---
apiVersion: v1
kind: Namespace
metadata: {name: prod, labels: {team: blue}}
---
apiVersion: v1
kind: Service
metadata: {name: ext, namespace: prod}
spec: {ports: [{port: 5432}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: ext, namespace: prod}
subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 5432}]}]
---
apiVersion: cilium.io/v2
kind: CiliumIdentity
metadata: {name: '256'}
security-labels: {'k8s:app': other, 'k8s:io.kubernetes.pod.namespace': prod}
---
apiVersion: cilium.io/v2
kind: CiliumEndpoint
metadata: {name: db-0, namespace: prod}
status:
  identity: {id: 257, labels: ['k8s:app=db', 'k8s:io.kubernetes.pod.namespace=prod']}
  networking: {addressing: [{ipv4: 10.0.1.2}], node: 192.168.0.1}
";
    let pool = objects(&pool);
    grows_as_built(&pool);
    // Pods that nothing else speaks of are followed one by one.
    let workloads = ["Deployment", "CiliumEndpoint", "CiliumIdentity"];
    let mut pool = pool;
    pool.retain(|o| !workloads.contains(&o.kind()));
    let named = pod("web-2", "app: web", "10.0.1.1");
    let more = named.clone()
        + &named.replace("containerPort: 8080", "containerPort: 8081")
        + &pod("web-0", "app: other", "10.0.1.4")
        + &pod("on-node", "app: web", "192.168.0.1")
            .replace("spec: {", "spec: {hostNetwork: true, ")
        + &pod("db-1", "app: db", "10.0.1.2").replace("namespace: prod", "namespace: test")
        + "---
apiVersion: v1
kind: Namespace
metadata: {name: prod, labels: {team: green}}
";
    pool.extend(objects(&more));
    grows_as_built(&pool);
}

/// A cluster to which objects come and go at random is the one that is built
/// of those that are left.
fn grows_as_built(pool: &[Object]) {
    let options = || ClusterOptions {
        resolved_names: [(
            "a.example.com".to_owned(),
            vec!["192.0.2.9".parse().unwrap()],
        )]
        .into(),
        ..ClusterOptions::default()
    };
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % n as u64) as usize
    };
    for _ in 0..12 {
        let mut grown = Cluster::new(Config::default(), options());
        let mut present: BTreeMap<ObjectKey, Object> = BTreeMap::new();
        for _ in 0..60 {
            let object = pool[next(pool.len())].clone();
            let key = ObjectKey::of(&object);
            if next(3) == 0 {
                grown.remove(&key);
                present.remove(&key);
            } else {
                grown.upsert(object.clone());
                present.insert(key, object);
            }
        }
        let at_once = Cluster::build(Config::default(), options(), present.values().cloned());
        assert_eq!(picture(&grown), picture(&at_once));
        // With its numbers it is the same in every respect.
        let state = grown.identity_state();
        let objects = present.values().cloned();
        let restored = Cluster::restore(Config::default(), options(), objects, &state).unwrap();
        let numbers = |c: &Cluster| -> Vec<String> {
            c.identities()
                .iter()
                .map(|(id, l)| format!("{id} {l}"))
                .collect()
        };
        assert_eq!(numbers(&grown), numbers(&restored));
    }
}

#[test]
fn selectors_of_former_rules_are_forgotten() {
    let pods = pod("web-0", "app: web", "10.0.1.1") + &pod("db-0", "app: db", "10.0.1.2");
    let mut c = build(&pods);
    let typed = |i: usize| ALLOW_WEB_TO_DB.replace("app: web", &format!("app: web{i}"));
    for i in 0..500 {
        c.apply(
            objects(&typed(i))
                .into_iter()
                .map(|o| Change::Upsert(Box::new(o))),
        );
        assert!(c.repository().selectors().len() < 100);
    }
    assert_eq!(tcp(&c, "prod/web-0", "prod/db-0", 8080), "default-deny");
    c.apply(
        objects(ALLOW_WEB_TO_DB)
            .into_iter()
            .map(|o| Change::Upsert(Box::new(o))),
    );
    assert_eq!(tcp(&c, "prod/web-0", "prod/db-0", 8080), "allow");
    assert_eq!(tcp(&c, "prod/db-0", "prod/web-0", 8080), "allow");
    // The same as if nothing else had ever been.
    let (web, db) = (
        c.find_endpoint("prod/web-0").unwrap(),
        c.find_endpoint("prod/db-0").unwrap(),
    );
    let fresh = build(&(pods + ALLOW_WEB_TO_DB));
    for endpoint in [web, db] {
        let before = c.policy(&endpoint).unwrap().map.entries().len();
        let name = endpoint.to_string();
        let same = fresh.find_endpoint(&name).unwrap();
        assert_eq!(before, fresh.policy(&same).unwrap().map.entries().len());
    }
}
