use super::*;
use crate::explain::{ChangeKind, Fate};

fn explained(c: &Cluster, from: &str, to: &str, port: u16) -> FlowExplanation {
    let (from, to) = (c.peer(from).unwrap(), c.peer(to).unwrap());
    c.explain(&Flow::new(&from, &to, 6, port))
}

#[test]
fn a_flow_is_explained_as_it_is_answered() {
    let yaml = pod("web-0", "app: web", "10.0.1.1")
        + &pod("db-0", "app: db", "10.0.1.2")
        + ALLOW_WEB_TO_DB;
    let c = build(&yaml);
    let allowed = explained(&c, "prod/web-0", "prod/db-0", 8080);
    assert!(allowed.answer.overall.is_allowed());
    let ingress = allowed.ingress.unwrap();
    let decides = ingress
        .candidates
        .iter()
        .filter(|c| c.fate == Fate::Decides);
    assert_eq!(decides.count(), 1);
    assert_eq!(allowed.egress.unwrap().verdict, Verdict::Allow);
    // By address as by name; the world has no policy.
    let denied = explained(&c, "1.1.1.1", "10.0.1.2", 8080);
    assert!(denied.egress.is_none());
    let ingress = denied.ingress.unwrap();
    assert_eq!(ingress.verdict, Verdict::DefaultDeny);
    let change = ingress.change.unwrap();
    let ChangeKind::Add { policy, .. } = change.kind else {
        panic!()
    };
    // The manifest's labels say whom it is for, not what Cilium adds.
    assert!(policy.contains("k8s:app: db"), "{policy}");
    assert!(!policy.contains("serviceaccount"), "{policy}");
    let mut changed = c;
    changed.apply(
        objects(&policy)
            .into_iter()
            .map(|o| Change::Upsert(Box::new(o))),
    );
    assert_eq!(tcp(&changed, "1.1.1.1", "prod/db-0", 8080), "allow");
    // Nobody knows who `a.io` is.
    let unknown = explained(&changed, "prod/db-0", "a.io", 443);
    assert_eq!(
        unknown.egress.is_some(),
        unknown.answer.egress.unwrap().peer.is_some()
    );
}

#[test]
fn a_redirect_says_what_the_proxy_goes_by() {
    let rule = |name: &str, from: &str, rules: &str| {
        format!(
            "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: {name}, namespace: prod}}\n\
             spec: {{endpointSelector: {{matchLabels: {{app: db}}}}, ingress: [{{fromEndpoints: [{from}], \
             toPorts: [{{ports: [{{port: '80', protocol: TCP}}]{rules}}}]}}]}}\n"
        )
    };
    let get = ", rules: {http: [{method: GET, path: /a}]}";
    let post = ", rules: {http: [{method: POST}]}";
    let web = rule("web", "{matchLabels: {app: web}}", get);
    let pods = pod("web-0", "app: web, tier: front", "10.0.1.1")
        + &pod("app-0", "app: app", "10.0.1.3")
        + &pod("db-0", "app: db", "10.0.1.2");
    let requests = |yaml: &[&str], from: &str| -> Option<Vec<String>> {
        let c = build(&(pods.clone() + &yaml.concat()));
        let side = ask(&c, from, "prod/db-0", 6, 80).ingress.unwrap();
        let rules = side.proxy_rules?;
        Some(
            rules
                .l7
                .http
                .iter()
                .map(|h| format!("{} {}", h.method, h.path))
                .collect(),
        )
    };
    let one = |all: &[&str]| Some(all.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
    assert_eq!(requests(&[&web], "prod/web-0"), one(&["GET /a"]));
    assert_eq!(requests(&[&web], "prod/app-0"), None);
    // Another selector that selects the peer counts as well.
    let front = rule("front", "{matchLabels: {tier: front}}", post);
    assert_eq!(
        requests(&[&web, &front], "prod/web-0"),
        one(&["POST ", "GET /a"])
    );
    // And one without rules lets everything through.
    let any = rule("any", "{matchLabels: {tier: front}}", "");
    assert_eq!(requests(&[&web, &any], "prod/web-0"), one(&[]));
    let other = rule("other", "{matchLabels: {app: app}}", post);
    assert_eq!(requests(&[&web, &other], "prod/web-0"), one(&["GET /a"]));
    assert_eq!(requests(&[&web, &other], "prod/app-0"), one(&["POST "]));
}
