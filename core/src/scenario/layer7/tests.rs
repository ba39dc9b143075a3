use super::Layer7Kind;
use serde_json::{Value, json};

fn ask(kind: &str, question: &Value) -> Value {
    let kind = Layer7Kind::parse(kind).unwrap();
    serde_json::from_str(&kind.answer(&question.to_string()).unwrap()).unwrap()
}

#[test]
fn questions_are_echoed_with_their_answers() {
    let asked = json!({"id": "a", "rules": [{"matchPattern": "*.cloud.google.com"}],
        "q": [{"name": "api.cloud.google.com"}, {"name": "cloud.google.com"}]});
    assert_eq!(
        ask("dns", &asked),
        json!({"id": "a", "valid": true, "rules": [{"matchPattern": "*.cloud.google.com"}],
            "q": [{"name": "api.cloud.google.com", "l7": true, "sel": true},
                  {"name": "cloud.google.com", "l7": false, "sel": false}]})
    );
    let asked = json!({"rules": [{"path": "/docs", "headerMatches":
            [{"name": "X", "value": "1", "mismatch": "REPLACE"}]}],
        "q": [{"method": "GET", "path": "/docs", "headers": [["X", "2"]]}, {"path": "/"}]});
    let answer = ask("http", &asked);
    let q = &answer["q"][0];
    assert_eq!(q["allowed"], true);
    assert_eq!(q["after"], json!([["x", "1"]]));
    assert_eq!(q["missing"], json!([["x", "1"]]));
    assert_eq!(q["rejected"], json!([["x", "2"]]));
    assert_eq!(answer["q"][1]["allowed"], false);
    let answer = ask(
        "sni",
        &json!({"serverNames": ["**.io."], "q": [{"sni": "a.b.io"}, {"sni": "io"}]}),
    );
    assert_eq!(answer["sent"], json!(["**.io"]));
    assert_eq!(
        answer["q"],
        json!([{"sni": "a.b.io", "match": true}, {"sni": "io", "match": false}])
    );
}

#[test]
fn what_the_agent_refuses_is_not_valid() {
    for (kind, question) in [
        (
            "dns",
            json!({"rules": [{"matchName": "a b"}], "q": [{"name": "a"}]}),
        ),
        (
            "http",
            json!({"rules": [{"path": "("}], "q": [{"path": "("}]}),
        ),
        (
            "http",
            json!({"rules": [{"headerMatches": [{"name": ""}]}], "q": []}),
        ),
        ("sni", json!({"serverNames": [""], "q": [{"sni": ""}]})),
    ] {
        assert_eq!(ask(kind, &question)["valid"], false, "{question}");
    }
    assert!(Layer7Kind::parse("kafka").is_none());
    let wrong = Layer7Kind::Http
        .answer(r#"{"secretMode": "x"}"#)
        .unwrap_err();
    assert!(wrong.to_string().contains("secretMode"));
    assert!(Layer7Kind::Dns.answer(r#"{"unknown": 1}"#).is_err());
}
