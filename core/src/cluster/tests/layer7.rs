use super::*;
use crate::l7::{Request, Secrets};

fn policy(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n\
         metadata: {{name: {name}, namespace: prod}}\nspec:\n{spec}"
    )
}

fn world(policies: &[String]) -> Cluster {
    let pods = pod("web", "app: web", "10.0.0.1")
        + &pod("db", "app: db", "10.0.0.2")
        + &pod("dns", "app: dns", "10.0.0.3");
    build(&(pods + &policies.concat()))
}

fn sent(cluster: &Cluster, to: &str, port: u16, sent: &Layer7<'_>) -> Layer7Answer {
    let (from, to) = (cluster.peer("prod/web").unwrap(), cluster.peer(to).unwrap());
    let flow = Flow::new(&from, &to, 6, port);
    cluster.layer7(&flow, &cluster.flow(&flow), sent, &Secrets::default())
}

fn http(cluster: &Cluster, port: u16, method: &str, path: &str) -> String {
    let request = Some(Request::new(method, "db", path));
    let layer7 = Layer7 {
        request,
        ..Layer7::default()
    };
    let answer = sent(cluster, "prod/db", port, &layer7);
    let outcome = answer.outcome.as_ref();
    outcome.map_or_else(String::new, ToString::to_string)
}

const TO_DB: &str = "  endpointSelector: {matchLabels: {app: db}}\n  ingress:\n";

#[test]
fn rules_of_all_selectors_count_together() {
    let cluster = world(&[
        policy(
            "get",
            &format!(
                "{TO_DB}  - fromEndpoints: [{{matchLabels: {{app: web}}}}]\n    \
                 toPorts: [{{ports: [{{port: \"8080\", protocol: TCP}}], rules: {{http: [{{method: GET}}]}}}}]\n"
            ),
        ),
        policy(
            "post",
            &format!(
                "{TO_DB}  - fromEndpoints: [{{}}]\n    \
                 toPorts: [{{ports: [{{port: \"8080\", protocol: TCP}}], rules: {{http: [{{method: POST, path: /new}}]}}}}]\n"
            ),
        ),
        policy(
            "plain",
            &format!(
                "{TO_DB}  - fromEndpoints: [{{}}]\n    \
                 toPorts: [{{ports: [{{port: \"9090\", protocol: TCP}}]}}]\n"
            ),
        ),
    ]);
    assert_eq!(http(&cluster, 8080, "GET", "/a"), "forwarded");
    assert_eq!(http(&cluster, 8080, "POST", "/new"), "forwarded");
    assert_eq!(http(&cluster, 8080, "POST", "/old"), "403");
    assert_eq!(http(&cluster, 9090, "POST", "/old"), "not-inspected");
    assert_eq!(http(&cluster, 1, "GET", "/"), "", "the flow does not pass");
    let request = Some(Request::new("POST", "db", "/old"));
    let layer7 = Layer7 {
        request,
        ..Layer7::default()
    };
    let answer = sent(&cluster, "prod/db", 8080, &layer7);
    let mut why: Vec<(String, String)> = answer
        .ingress
        .unwrap()
        .tried
        .into_iter()
        .map(|t| (t.rules[0].origin.object.name.clone(), t.miss.unwrap()))
        .collect();
    why.sort();
    assert_eq!(
        why,
        [
            ("get".into(), "method `POST` is not all of `GET`".into()),
            ("post".into(), "path `/old` is not all of `/new`".into()),
        ]
    );
}

/// What a rule without layer-7 rules allows needs none.
#[test]
fn a_rule_without_http_rules_frees_the_port() {
    let rules = |http: &str| {
        format!(
            "{TO_DB}  - fromEndpoints: [{{matchLabels: {{app: web}}}}]\n    \
             toPorts: [{{ports: [{{port: \"8080\", protocol: TCP}}]{http}}}]\n"
        )
    };
    let cluster = world(&[
        policy("a", &rules(", rules: {http: [{method: GET}]}")),
        policy("b", &rules("")),
    ]);
    assert_eq!(http(&cluster, 8080, "POST", "/"), "forwarded");
}

#[test]
fn both_proxies_are_asked_and_headers_travel_from_one_to_the_other() {
    let cluster = world(&[
        policy(
            "out",
            "  endpointSelector: {matchLabels: {app: web}}\n  egress:\n  \
             - toEndpoints: [{}]\n    toPorts: [{ports: [{port: \"8080\", protocol: TCP}], rules: {http: \
             [{headerMatches: [{name: X-Tenant, value: a, mismatch: REPLACE}]}]}}]\n",
        ),
        policy(
            "in",
            &format!(
                "{TO_DB}  - fromEndpoints: [{{}}]\n    toPorts: [{{ports: [{{port: \"8080\", protocol: TCP}}], \
                 rules: {{http: [{{headers: [\"X-Tenant: a\"]}}]}}}}]\n"
            ),
        ),
    ]);
    assert_eq!(http(&cluster, 8080, "GET", "/"), "forwarded");
    let mut request = Request::new("GET", "db", "/");
    request.add("x-tenant", "b");
    let layer7 = Layer7 {
        request: Some(request),
        ..Layer7::default()
    };
    let answer = sent(&cluster, "prod/db", 8080, &layer7);
    assert_eq!(answer.outcome, Some(Layer7Outcome::Forwarded));
    let rejected = answer.egress.unwrap().http.rejected;
    assert_eq!(rejected, [("x-tenant".to_owned(), "b".to_owned())]);
    let headers: Vec<(String, String)> = answer
        .request
        .unwrap()
        .headers()
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .collect();
    assert_eq!(headers, [("x-tenant".to_owned(), "a".to_owned())]);
}

#[test]
fn queries_and_server_names() {
    let cluster = world(&[policy(
        "web",
        "  endpointSelector: {matchLabels: {app: web}}\n  egress:\n  \
         - toEndpoints: [{matchLabels: {app: dns}}]\n    \
         toPorts: [{ports: [{port: \"53\", protocol: ANY}], rules: {dns: [{matchPattern: \"*.example.com\"}]}}]\n  \
         - toEndpoints: [{matchLabels: {app: db}}]\n    \
         toPorts: [{ports: [{port: \"443\", protocol: TCP}], serverNames: [\"*.example.com\"]}]\n",
    )]);
    let query = |name| {
        let layer7 = Layer7 {
            query: Some(name),
            ..Layer7::default()
        };
        sent(&cluster, "prod/dns", 53, &layer7).outcome
    };
    assert_eq!(query("a.example.com"), Some(Layer7Outcome::Forwarded));
    assert_eq!(query("example.com"), Some(Layer7Outcome::Refused));
    let tls = |server_name| {
        let layer7 = Layer7 {
            server_name,
            ..Layer7::default()
        };
        sent(&cluster, "prod/db", 443, &layer7).outcome
    };
    assert_eq!(tls(Some("a.example.com")), Some(Layer7Outcome::Forwarded));
    assert_eq!(tls(Some("example.com")), Some(Layer7Outcome::Dropped));
    assert_eq!(tls(None), Some(Layer7Outcome::Dropped));
}

/// The agent does not look at `host`; Envoy refuses it with the whole policy.
#[test]
fn an_expression_that_envoy_refuses_leaves_it_open() {
    let cluster = world(&[policy(
        "db",
        &format!(
            "{TO_DB}  - fromEndpoints: [{{}}]\n    toPorts: [{{ports: [{{port: \"8080\", protocol: TCP}}], \
             rules: {{http: [{{host: \"*.example.com\"}}]}}}}]\n"
        ),
    )]);
    let answer = http(&cluster, 8080, "GET", "/");
    assert!(
        answer.starts_with("unknown: the proxy refuses host"),
        "{answer}"
    );
}
