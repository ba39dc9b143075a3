//! What the input lacks, and what contradicts itself.

use super::*;

#[test]
fn what_is_missing_is_said() {
    // A port name that the pod, whose containers are known, does not define.
    let yaml = pod("web-0", "app: web", "10.0.1.1")
        + &pod("db-0", "app: db", "10.0.1.2")
        + &ALLOW_WEB_TO_DB.replace("port: http", "port: pg");
    let c = build(&yaml);
    assert_eq!(tcp(&c, "prod/web-0", "prod/db-0", 8080), "default-deny");
    assert!(codes(&c).contains(&615));
    // The same without its containers: who knows.
    let bare = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: db-1, namespace: prod, labels: {app: db}}\n";
    let c = build(&(yaml + bare));
    assert_eq!(tcp(&c, "prod/web-0", "prod/db-1", 8080), "unknown");
    assert_eq!(tcp(&c, "world", "prod/db-1", 8080), "default-deny");
    assert_eq!(tcp(&c, "prod/web-0", "prod/db-0", 8080), "default-deny");
    // Egress looks at the peer's names.
    let named = "{toEndpoints: [{matchLabels: {app: db}}], toPorts: [{ports: [{port: pg, protocol: TCP}]}]}";
    let yaml = pod("web-0", "app: web", "10.0.1.1") + &egress(named);
    let c = build(&(yaml.clone() + bare));
    assert_eq!(tcp(&c, "prod/web-0", "prod/db-1", 5432), "unknown");
    let db = pod("db-0", "app: db", "10.0.1.2");
    let c = build(&(yaml.clone() + &db));
    assert_eq!(tcp(&c, "prod/web-0", "prod/db-0", 5432), "default-deny");
    // Of an identity nothing but the labels may be known.
    let identity = "---
apiVersion: cilium.io/v2
kind: CiliumIdentity
metadata: {name: '4242'}
security-labels: {k8s:app: db, k8s:io.kubernetes.pod.namespace: prod, k8s:io.cilium.k8s.policy.cluster: default}
---
apiVersion: cilium.io/v2
kind: CiliumEndpoint
metadata: {name: db-2, namespace: prod}
status: {identity: {id: 4242}, named-ports: [{name: pg, port: 5432, protocol: TCP}]}
";
    let c = build(&(yaml + identity));
    assert_eq!(tcp(&c, "prod/web-0", "prod/db-2", 5432), "allow");
}

#[test]
fn variables_leave_open_what_depends_on_them() {
    let pods = pod("web-0", "app: web", "10.0.1.1")
        + &pod("db-0", "app: db", "10.0.1.2")
        + &pod("other", "app: other", "10.0.1.3");
    let policy = "---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: prod}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: http}]
";
    let c = build(&(pods.clone() + &policy.replace("app: web", "app: '${CLIENT}'")));
    assert_eq!(tcp(&c, "prod/web-0", "prod/db-0", 8080), "unknown");
    // Another port is closed whoever the client is, and so is the world.
    assert_eq!(tcp(&c, "prod/web-0", "prod/db-0", 9), "default-deny");
    assert_eq!(tcp(&c, "world", "prod/db-0", 8080), "default-deny");
    assert_eq!(tcp(&c, "prod/web-0", "prod/other", 8080), "allow");
    let c = build(&(pods.clone() + &policy.replace("app: db", "app: '${SERVER}'")));
    assert_eq!(tcp(&c, "prod/web-0", "prod/other", 1), "unknown");
    // Cilium refuses its own kinds with such values.
    let config = Config::default();
    let text = ALLOW_WEB_TO_DB.replace("app: web", "app: '${CLIENT}'");
    let loaded = load(SourceId(1), &text, &LoadOptions::new(&config));
    let open = open_policies(&loaded);
    assert_eq!(open.len(), 1);
    let mut c = build(&pods);
    c.set_open_policies(open);
    assert_eq!(tcp(&c, "prod/web-0", "prod/db-0", 9), "unknown");
    let c = build(&(pods + &DEPLOYMENT.replace("{app: web}", "{app: '${APP}'}")));
    assert_eq!(tcp(&c, "prod/deployment/web", "prod/db-0", 1), "unknown");
    let answer = ask(&c, "prod/deployment/web", "1.1.1.1", 6, 1);
    assert!(
        answer.overall.to_string().contains("`${APP}`"),
        "{}",
        answer.overall
    );
}

#[test]
fn contradictions_leave_no_policy() {
    let yaml = DEPLOYMENT.to_owned()
        + &egress("{toEntities: [world], toPorts: [{ports: [{port: '80', protocol: TCP}], rules: {http: [{}]}}]}")
        + &egress("{toEntities: [world], toPorts: [{ports: [{port: '80', protocol: TCP}], rules: {dns: [{matchName: a.io}]}}]}")
            .replace("name: out", "name: out2");
    let c = build(&yaml);
    let web = c.find_endpoint("prod/web").unwrap();
    assert!(c.policy(&web).is_err());
    assert_eq!(tcp(&c, "prod/web", "1.1.1.1", 80), "unknown");
}

#[test]
fn the_host_has_a_policy_with_its_firewall() {
    let yaml = "apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: {name: host}
spec:
  nodeSelector: {}
  ingress: [{fromEntities: [cluster]}]
";
    let off = build(yaml);
    assert!(codes(&off).contains(&616));
    assert_eq!(tcp(&off, "world", "host", 22), "allow");
    let config = Config {
        host_firewall: true,
        ..Config::default()
    };
    let on = Cluster::build(config, ClusterOptions::default(), objects(yaml));
    assert_eq!(tcp(&on, "world", "host", 22), "default-deny");
    assert_eq!(tcp(&on, "remote-node", "host", 22), "allow");
}

#[test]
fn loose_ends_are_told() {
    let yaml = pod("web-0", "app: web", "10.0.1.1")
        + &pod("web-1", "app: web", "10.0.1.1")
        + ALLOW_WEB_TO_DB
        + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: prod}\n"
        + &ALLOW_WEB_TO_DB.replace("namespace: prod", "namespace: prodd");
    let c = build(&yaml);
    let mut found = codes(&c);
    found.sort_unstable();
    // No `db` in either namespace, no `web` in the misspelled one, an
    // unknown namespace, an address used twice.
    assert_eq!(found, [610, 610, 614, 617, 619]);
    let unknown = c
        .diagnostics()
        .iter()
        .find(|d| d.code == NO_NAMESPACE)
        .unwrap();
    assert_eq!(unknown.help.as_deref(), Some("did you mean `prod`?"));
}

#[test]
fn names_need_a_dns_rule() {
    let names = |app: &str| {
        format!(
            "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: names-{app}, namespace: prod}}\n\
             spec: {{endpointSelector: {{matchLabels: {{app: {app}}}}}, egress: [{{toFQDNs: [{{matchName: a.io}}]}}]}}\n"
        )
    };
    let dns = |kind: &str, namespace: &str, rules: &str| {
        format!(
            "---\napiVersion: cilium.io/v2\nkind: {kind}\nmetadata: {{name: dns, namespace: {namespace}}}\n\
             spec: {{endpointSelector: {{matchLabels: {{app: web}}}}, egress: [{{toPorts: [{{ports: [{{port: '53'}}]{rules}}}]}}]}}\n"
        )
    };
    let l7 = ", rules: {dns: [{matchPattern: '*'}]}";
    let told = |yaml: &[String]| {
        let cluster = build(&yaml.concat());
        let all = cluster.diagnostics().iter();
        let all = all.filter(|d| d.code == NAME_NOT_LEARNED);
        all.map(|d| d.message.clone()).collect::<Vec<_>>()
    };
    let (web, db) = (
        pod("web", "app: web", "10.0.0.1"),
        pod("db", "app: db", "10.0.0.2"),
    );
    let cnp = "CiliumNetworkPolicy";
    let for_web = dns(cnp, "prod", l7);
    assert_eq!(
        told(&[web.clone(), names("web")]),
        ["`a.io` never gets an address: no DNS rule in the input is for `prod/web`"]
    );
    // Port 53 alone does not send queries through the proxy.
    let plain = dns(cnp, "prod", "");
    assert_eq!(told(&[web.clone(), names("web"), plain]).len(), 1);
    assert!(told(&[web.clone(), names("web"), for_web.clone()]).is_empty());
    let everywhere = dns("CiliumClusterwideNetworkPolicy", "''", l7);
    assert!(told(&[web.clone(), names("web"), everywhere.clone()]).is_empty());
    // The rule is for others.
    assert_eq!(told(&[web, db, names("db"), for_web.clone()]).len(), 1);
    // Without pods only what could apply is looked for.
    assert_eq!(told(&[names("db")]).len(), 1);
    assert_eq!(told(&[names("db"), dns(cnp, "test", l7)]).len(), 1);
    assert!(told(&[names("db"), for_web]).is_empty());
    assert!(told(&[names("db"), everywhere]).is_empty());
}
