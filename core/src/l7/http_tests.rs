use super::*;
use crate::rule::HeaderMatch;

fn rule(method: &str, path: &str, host: &str, headers: &[&str]) -> Arc<HttpRule> {
    Arc::new(HttpRule {
        path: path.into(),
        method: method.into(),
        host: host.into(),
        headers: headers.iter().map(|h| (*h).to_owned()).collect(),
        ..HttpRule::default()
    })
}

fn with(matches: &[(&str, &str, Mismatch)]) -> Arc<HttpRule> {
    let matches = matches.iter().map(|(name, value, mismatch)| HeaderMatch {
        mismatch: *mismatch,
        name: (*name).into(),
        secret: None,
        value: (*value).into(),
    });
    Arc::new(HttpRule {
        header_matches: matches.collect(),
        ..HttpRule::default()
    })
}

fn allowed(rules: &[Arc<HttpRule>], mut request: Request) -> bool {
    let rules = HttpRules::new(rules, &Secrets::default());
    let tried = rules.tried(&request);
    let decision = rules.decide(&mut request);
    let some = rules.is_empty() || tried.iter().any(|t| t.miss.is_none());
    assert_eq!(
        decision.allowed, some,
        "the reasons agree with the decision"
    );
    decision.allowed
}

/// What Envoy documents of its matchers, and Cilium's translation of rules.
#[test]
fn fields_match_in_full() {
    let get = |path: &str| Request::new("GET", "a.io", path);
    for (rule, request, expected) in [
        (rule("", "/public", "", &[]), get("/public"), true),
        (rule("", "/public", "", &[]), get("/public/"), false),
        (rule("", "/public", "", &[]), get("/public?a=1"), false),
        (rule("", "/public", "", &[]), get("/x/public"), false),
        (rule("", "/api/.*", "", &[]), get("/api/"), true),
        (rule("", "/api/.*", "", &[]), get("/api"), false),
        (
            rule("GET", "", "", &[]),
            Request::new("get", "", "/"),
            false,
        ),
        (
            rule("GET|HEAD", "", "", &[]),
            Request::new("HEAD", "", "/"),
            true,
        ),
        (
            rule("GET", "", "", &[]),
            Request::new("GETX", "", "/"),
            false,
        ),
        (
            rule("", "", "a.io", &[]),
            Request::new("GET", "axio", "/"),
            true,
        ),
        (
            rule("", "", "a.io", &[]),
            Request::new("GET", "a.io:80", "/"),
            false,
        ),
        (rule("", "/", "", &[]), get("/"), true),
        (rule("", "/", "", &[]), get("/a"), false),
        (rule("", "", "", &[]), get("/anything"), true),
        // gRPC: the path is the method.
        (
            rule(
                "POST",
                "/shop.Cart/Add",
                "",
                &["content-type: application/grpc"],
            ),
            {
                let mut call = Request::new("POST", "cart:7070", "/shop.Cart/Add");
                call.add("Content-Type", "application/grpc");
                call
            },
            true,
        ),
    ] {
        assert_eq!(
            allowed(std::slice::from_ref(&rule), request.clone()),
            expected,
            "{rule:?} {request:?}"
        );
    }
    assert!(allowed(&[], get("/")), "without rules all pass");
}

#[test]
fn headers_are_compared_without_case_of_their_names() {
    let request = |values: &[&str]| {
        let mut r = Request::new("GET", "a.io", "/");
        values.iter().for_each(|v| r.add("x-a", v));
        r
    };
    let exact = [rule("", "", "", &["X-A: 1"])];
    assert!(allowed(&exact, request(&["1"])));
    assert!(!allowed(&exact, request(&["1", "2"])));
    assert!(!allowed(&exact, request(&[])));
    assert!(allowed(
        &[rule("", "", "", &["X-A: 1,2"])],
        request(&["1", "2"])
    ));
    assert!(allowed(&[rule("", "", "", &["X-A"])], request(&[""])));
    assert!(!allowed(&[rule("", "", "", &["X-A"])], request(&[])));
    assert!(allowed(&[rule("", "", "", &["Host: a.io"])], request(&[])));
    assert!(allowed(&[rule("", "", "", &[":method GET"])], request(&[])));
}

#[test]
fn one_rule_is_enough_and_all_its_parts_are_needed() {
    let rules = [rule("GET", "/a", "", &[]), rule("POST", "/b", "", &[])];
    for (method, path, expected) in [
        ("GET", "/a", true),
        ("POST", "/b", true),
        ("POST", "/a", false),
        ("GET", "/b", false),
    ] {
        let request = Request::new(method, "", path);
        assert_eq!(allowed(&rules, request), expected, "{method} {path}");
    }
    let compiled = HttpRules::new(&rules, &Secrets::default());
    let why: Vec<String> = compiled
        .tried(&Request::new("GET", "", "/b"))
        .into_iter()
        .filter_map(|t| Some(t.miss?.to_string()))
        .collect();
    assert_eq!(
        why,
        [
            "path `/b` is not all of `/a`",
            "method `GET` is not all of `POST`"
        ]
    );
}

fn pairs(list: &[(String, String)]) -> Vec<(&str, &str)> {
    list.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect()
}

#[test]
fn actions_change_headers_and_log() {
    let run = |matches: &[(&str, &str, Mismatch)], headers: &[(&str, &str)]| {
        let rules = HttpRules::new(&[with(matches)], &Secrets::default());
        let mut request = Request::new("GET", "a.io", "/");
        headers.iter().for_each(|(n, v)| request.add(n, v));
        let decision = rules.decide(&mut request);
        let after: Vec<(String, String)> = request
            .headers()
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        (decision, after)
    };
    let (d, after) = run(&[("X-A", "1", Mismatch::Log)], &[("x-a", "2")]);
    assert!(d.allowed);
    assert_eq!(pairs(&d.missing), [("x-a", "1")]);
    assert_eq!(pairs(&after), [("x-a", "2")]);
    let (d, after) = run(&[("X-A", "1", Mismatch::Add)], &[("x-a", "2")]);
    assert_eq!(pairs(&d.missing), [("x-a", "1")]);
    assert_eq!(pairs(&after), [("x-a", "2"), ("x-a", "1")]);
    let (d, after) = run(
        &[("X-A", "1", Mismatch::Delete)],
        &[("x-a", "2"), ("b", "c")],
    );
    assert_eq!(pairs(&d.rejected), [("x-a", "2")]);
    assert!(d.missing.is_empty());
    assert_eq!(pairs(&after), [("b", "c")]);
    let (d, after) = run(&[("X-A", "1", Mismatch::Replace)], &[("x-a", "2")]);
    assert_eq!(pairs(&d.rejected), [("x-a", "2")]);
    assert_eq!(pairs(&d.missing), [("x-a", "1")]);
    assert_eq!(pairs(&after), [("x-a", "1")]);
    // A match changes nothing.
    let (d, after) = run(&[("X-A", "1", Mismatch::Replace)], &[("x-a", "1")]);
    assert!(d.allowed && d.missing.is_empty() && d.rejected.is_empty());
    assert_eq!(pairs(&after), [("x-a", "1")]);
    // Presence that is to be deleted: nothing to do.
    let (d, after) = run(&[("X-A", "", Mismatch::Delete)], &[("x-a", "1")]);
    assert!(d.allowed && d.rejected.is_empty());
    assert_eq!(pairs(&after), [("x-a", "1")]);
}

#[test]
fn every_matching_rule_acts_although_one_already_allows() {
    let rules = [
        with(&[("X-A", "1", Mismatch::Add)]),
        with(&[("X-B", "1", Mismatch::Add)]),
        rule("POST", "", "", &[]),
    ];
    let compiled = HttpRules::new(&rules, &Secrets::default());
    let mut request = Request::new("GET", "a.io", "/");
    assert!(compiled.decide(&mut request).allowed);
    let names: Vec<&str> = request.headers().map(|(n, _)| n).collect();
    assert_eq!(names, ["x-a", "x-b"]);
}

/// A header match may rewrite the path, and later rules see the new one.
#[test]
fn later_rules_see_what_earlier_ones_changed() {
    let rules = [
        with(&[(":path", "/new", Mismatch::Replace)]),
        Arc::new(HttpRule {
            header_matches: vec![HeaderMatch {
                mismatch: Mismatch::Add,
                name: "seen".into(),
                secret: None,
                value: "new".into(),
            }],
            ..(*rule("", "/new", "", &[])).clone()
        }),
    ];
    let compiled = HttpRules::new(&rules, &Secrets::default());
    let mut request = Request::new("GET", "a.io", "/old");
    assert!(compiled.decide(&mut request).allowed);
    assert_eq!(request.path(), "/new");
    assert_eq!(request.headers().collect::<Vec<_>>(), [("seen", "new")]);
}

#[test]
fn secrets_are_waited_for_and_never_shown() {
    let name = ("ns".to_owned(), "token".to_owned());
    let rule = Arc::new(HttpRule {
        header_matches: vec![HeaderMatch {
            mismatch: Mismatch::Replace,
            name: "X-Token".into(),
            secret: Some(name.clone()),
            value: String::new(),
        }],
        ..HttpRule::default()
    });
    let none = HttpRules::new(std::slice::from_ref(&rule), &Secrets::default());
    let mut request = Request::new("GET", "a.io", "/");
    assert!(!none.decide(&mut request).allowed);
    assert_eq!(request.headers().count(), 0, "no action without the secret");
    let items = [("key".to_owned(), "s3cret".to_owned())].into();
    let given = Secrets::Discovered([(name, items)].into());
    let rules = HttpRules::new(&[rule], &given);
    let decision = rules.decide(&mut request);
    assert!(decision.allowed);
    assert_eq!(pairs(&decision.missing), [("x-token", "[redacted]")]);
    assert_eq!(
        request.headers().collect::<Vec<_>>(),
        [("x-token", "s3cret")]
    );
}

#[test]
fn an_expression_that_envoy_refuses_stops_everything() {
    let rules = [rule("GET", "/a", "", &[]), rule("", "", "*.io", &[])];
    let compiled = HttpRules::new(&rules, &Secrets::default());
    let [refused] = compiled.refused() else {
        panic!("{:?}", compiled.refused())
    };
    assert_eq!((refused.field, refused.text.as_str()), (AUTHORITY, "*.io"));
    assert!(refused.to_string().contains("missing argument"));
    assert!(!compiled.decide(&mut Request::new("GET", "", "/a")).allowed);
}

/// A thousand rules, each with its own expression, and the paths that only
/// one of them matches.
#[test]
fn a_thousand_rules_are_told_apart() {
    let rules: Vec<Arc<HttpRule>> = (0..1000)
        .map(|i| rule("GET|HEAD", &format!("/v{i}/[a-z]+/.*"), "", &[]))
        .collect();
    let compiled = HttpRules::new(&rules, &Secrets::default());
    for i in (0..1000).step_by(37) {
        let path = format!("/v{i}/orders/1");
        let decision = compiled.decide(&mut Request::new("GET", "", &path));
        assert_eq!(decision.by, Some(rules[i].clone()));
        assert!(
            !compiled
                .decide(&mut Request::new("POST", "", &path))
                .allowed
        );
    }
    assert!(
        !compiled
            .decide(&mut Request::new("GET", "", "/v1000/a/b"))
            .allowed
    );
}
