//! Texts that a stranger has chosen to do harm: each limit is met and named.
//!
//! None of these tests looks at a clock. Where time must be in proportion to
//! size, the size is such that work by its square would not come to an end.

mod hostile_text;

use hostile_text::{cnp, codes, list, load, load_with, load_yaml};
use netverdict::diagnostic::{Code, Diagnostic, MAX_FINDINGS, MAX_OBJECT_DIAGNOSTICS, Severity};
use netverdict::object::load::{
    self, LoadOptions, MAX_DIAGNOSTICS, MAX_OBJECTS, Outcome, Skipped, Stage, Strictness,
};
use netverdict::object::validate::agent::codes as agent;
use netverdict::source::{SourceId, Sources};
use netverdict::yaml::{self, decode_utf8};

/// The code of the first document's error.
fn refusal(text: &str) -> Code {
    let documents = yaml::read(SourceId(0), text, &yaml::Limits::default());
    documents[0].result.as_ref().expect_err("refused").code
}

#[test]
fn a_text_may_be_as_long_as_its_limit_and_no_longer() {
    let limits = yaml::Limits {
        max_bytes: 1 << 20,
        ..yaml::Limits::default()
    };
    let read = |text: &str| yaml::read(SourceId(0), text, &limits).remove(0);
    let text = format!("a: {}", "x".repeat(limits.max_bytes - 3));
    assert!(read(&text).result.is_ok());
    let refused = read(&(text + "x")).result.expect_err("refused");
    assert_eq!(refused.code, yaml::MAX_BYTES);
}

#[test]
fn nesting_ends_at_its_limit_in_every_form() {
    let depth = yaml::Limits::default().max_depth;
    let flow = |n: usize| format!("a: {}{}", "[".repeat(n - 1), "]".repeat(n - 1));
    assert!(
        yaml::read(SourceId(0), &flow(depth), &yaml::Limits::default())[0]
            .result
            .is_ok()
    );
    assert_eq!(refusal(&flow(depth + 1)), yaml::MAX_DEPTH);
    for deep in [
        "[".repeat(200_000),
        "{a: ".repeat(200_000),
        "- ".repeat(200_000),
        "? ".repeat(200_000),
        list(2_000, |i| format!("{}a:\n", " ".repeat(i))),
        format!("{{\"a\":{}", "[".repeat(200_000)),
        format!("{{\"a\":{}", "{\"a\":".repeat(200_000)),
        // Through aliases, level by level.
        "a0: &a0 []\n".to_owned() + &list(depth, |i| format!("a{}: &a{} [*a{i}]\n", i + 1, i + 1)),
    ] {
        assert_eq!(refusal(&deep), yaml::MAX_DEPTH, "{deep:.40}");
    }
}

#[test]
fn aliases_do_not_multiply() {
    let laughs = |width: usize, levels: usize| {
        "a0: &a0 [x]\n".to_owned()
            + &list(levels, |i| {
                let next = i + 1;
                format!(
                    "a{next}: &a{next} [{}]\n",
                    list(width, |_| format!("*a{i},"))
                )
            })
    };
    assert_eq!(refusal(&laughs(10, 20)), yaml::MAX_ALIASES);
    let long = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(1 << 20),
        "*a,".repeat(100)
    );
    assert_eq!(refusal(&long), yaml::MAX_BYTES);
    let merges = format!(
        "x: &x {{{}}}\n{}",
        list(50_000, |i| format!("k{i}: 1,")),
        list(1_000, |i| format!("y{i}: {{<<: *x}}\n"))
    );
    let code = refusal(&merges);
    assert!(
        [yaml::MAX_ALIASES, yaml::MAX_NODES].contains(&code),
        "{code}"
    );
    let cycle = "a: &a [*a]\n";
    assert_eq!(refusal(cycle), yaml::ALIAS);
}

#[test]
fn values_documents_and_objects_are_counted() {
    let values = format!("[{}]", "1,".repeat(5_000));
    let loaded = load_with(&values, |options| options.limits.yaml.max_nodes = 5_000);
    assert_eq!(codes(&loaded), [yaml::MAX_NODES]);

    let documents = "a: 1\n---\n".repeat(1_001);
    let loaded = load_with(&documents, |options| {
        options.limits.yaml.max_documents = 1_000;
    });
    assert!(codes(&loaded).contains(&yaml::MAX_DOCUMENTS));
    let last = loaded.documents.last().expect("one says why");
    assert_eq!(last.outcome, Outcome::Refused(Stage::Yaml));
    assert_eq!(loaded.documents.len(), 1_001);

    let items = "- {apiVersion: v1, kind: X}\n".repeat(11);
    let text = format!("apiVersion: v1\nkind: List\nitems:\n{items}");
    let loaded = load_with(&text, |options| options.limits.max_objects = 10);
    assert!(codes(&loaded).contains(&MAX_OBJECTS));
    let last = loaded.documents.last().expect("one says why");
    assert_eq!(last.outcome, Outcome::Skipped(Skipped::Limit));
    assert_eq!(loaded.documents.len(), 11);
}

#[test]
fn a_text_has_no_more_diagnostics_than_its_limit() {
    let loaded = load_with(&"---\na: 1\n".repeat(2_000), |options| {
        options.limits.max_diagnostics = 1_000;
    });
    assert_eq!(loaded.diagnostics.len(), 1_001);
    let last = loaded.diagnostics.last().expect("there are many");
    assert_eq!(last.code, MAX_DIAGNOSTICS);
    assert!(last.message.starts_with("1000 further"), "{}", last.message);
}

/// How many diagnostics of an object are told, and the last.
fn told(diagnostics: &[Diagnostic]) -> (usize, &Diagnostic) {
    let last = diagnostics
        .iter()
        .find(|d| d.code == MAX_OBJECT_DIAGNOSTICS);
    (diagnostics.len(), last.expect("the limit is named"))
}

#[test]
fn an_object_has_no_more_diagnostics_than_its_limit() {
    const MANY: usize = 10_000;
    let spec = |field: &str, items: String| cnp(&format!("  ingress: [{{{field}: [{items}]}}]\n"));
    let stages = [
        // Decoding: unknown fields, values of the wrong type.
        (
            cnp(&(list(MANY, |i| format!("  f{i}: 1\n")) + "  ingress: [{}]\n")),
            false,
        ),
        (cnp(&format!("  ingress: [{}]\n", "1,".repeat(MANY))), true),
        // The agent: prefixes, labels, host bits, ports.
        (spec("fromCIDR", list(MANY, |i| format!("x{i},"))), true),
        (spec("fromCIDR", "10.0.0.1/8,".repeat(MANY)), false),
        (
            spec("fromEndpoints", "{matchLabels: {'a b': c}},".repeat(MANY)),
            true,
        ),
        (
            spec("toPorts", "{ports: [{port: '99999'}]},".repeat(MANY)),
            true,
        ),
        // Remarks on what is accepted.
        (
            cnp(&format!(
                "  ingress: [{}]\n",
                "{fromEndpoints: [{}]}, {toPorts: [{ports: [{port: '80'}]}]},".repeat(MANY)
            )),
            false,
        ),
    ];
    for (text, refused) in stages {
        let loaded = load_yaml(&text);
        let (number, last) = told(&loaded.diagnostics);
        assert!(number <= 2 * (MAX_FINDINGS + 1), "{number}: {text:.200}");
        assert!(
            last.message.contains("1000 is the limit"),
            "{}",
            last.message
        );
        assert_eq!(last.object, "CiliumNetworkPolicy/p/a");
        assert_eq!(loaded.refused_any(), refused, "{text:.200}");
        let errors = loaded
            .diagnostics
            .iter()
            .any(|d| d.severity == Severity::Error);
        assert_eq!(errors, refused, "{text:.200}");
    }
}

#[test]
fn schemas_and_kubernetes_kinds_have_that_limit_too() {
    const MANY: usize = 10_000;
    let strict = |text: &str| load_with(text, |o| o.strictness = Strictness::ApiServer);
    let network_policy = |rules: String| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: a, namespace: p}}\n\
             spec: {{podSelector: {{}}, ingress: [{{from: [{rules}]}}]}}\n"
        )
    };
    for text in [
        cnp(&format!(
            "  ingress: [{{fromCIDR: [{}]}}]\n",
            "x,".repeat(MANY)
        )),
        network_policy("{ipBlock: {cidr: x}},".repeat(MANY)),
        network_policy("{},".repeat(MANY)),
    ] {
        let loaded = strict(&text);
        assert_eq!(loaded.documents[0].outcome, Outcome::Refused(Stage::Schema));
        let (number, _) = told(&loaded.documents[0].schema);
        assert_eq!(number, MAX_FINDINGS + 1, "{text:.200}");
        // As the agent sees it.
        let (number, _) = told(&load_yaml(&text).diagnostics);
        assert!(number <= 2 * (MAX_FINDINGS + 1), "{number}: {text:.200}");
    }
}

#[test]
fn an_error_among_very_many_remarks_is_told() {
    let remarks = list(5_000, |i| format!("  f{i}: 1\n"));
    let loaded = load_yaml(&cnp(&(remarks + "  ingress: [{fromCIDR: 1}]\n")));
    assert!(loaded.refused_any());
    let errors = loaded
        .diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error);
    assert_eq!(errors.count(), 1);
}

#[test]
fn duplicate_keys_are_told_up_to_their_limit() {
    let documents = yaml::read(
        SourceId(0),
        &"a: 1\n".repeat(100_000),
        &yaml::Limits::default(),
    );
    let warnings = &documents[0].warnings;
    assert_eq!(warnings.len(), yaml::MAX_DUPLICATE_KEYS + 1);
    let last = warnings.last().expect("there are many");
    assert_eq!(last.code, MAX_OBJECT_DIAGNOSTICS);
}

/// Every diagnostic repeats the name of its object.
#[test]
fn a_long_name_is_not_repeated_whole() {
    let name = "x".repeat(1 << 20);
    let text = cnp(&list(2_000, |i| format!("  f{i}: 1\n")))
        .replace("name: a,", &format!("name: {name},"));
    let loaded = load_yaml(&text);
    assert!(loaded.diagnostics.len() > 1000);
    for diagnostic in &loaded.diagnostics {
        assert!(diagnostic.object.chars().count() < 300);
        assert!(
            diagnostic.object.ends_with("x…"),
            "{:.40}",
            diagnostic.object
        );
    }
}

#[test]
fn rules_have_cilium_s_limits() {
    let http = |path: &str| {
        cnp(&format!(
            "  ingress: [{{toPorts: [{{ports: [{{port: '80', protocol: TCP}}], rules: {{http: [{{path: '{path}'}}]}}}}]}}]\n"
        ))
    };
    let ports = |n: usize| {
        cnp(&format!(
            "  ingress: [{{toPorts: [{{ports: [{}]}}]}}]\n",
            "{port: '1'},".repeat(n)
        ))
    };
    let icmps = |n: usize| {
        cnp(&format!(
            "  ingress: [{{icmps: [{{fields: [{}]}}]}}]\n",
            "{type: 8},".repeat(n)
        ))
    };
    let pattern = |n: usize| {
        cnp(&format!(
            "  egress: [{{toFQDNs: [{{matchPattern: {}}}]}}]\n",
            "a".repeat(n)
        ))
    };
    for (text, code) in [
        (ports(40), None),
        (ports(41), Some(agent::TOO_MANY_PORTS)),
        (ports(20_000), Some(agent::TOO_MANY_PORTS)),
        (icmps(40), None),
        (icmps(41), Some(agent::ICMP_FIELDS)),
        (pattern(255), None),
        (pattern(256), Some(agent::FQDN_PATTERN)),
        (pattern(1 << 20), Some(agent::FQDN_PATTERN)),
        (http("/a{1000}"), None),
        (http("/a{1001}"), Some(agent::HTTP_REGEX)),
        (http("/((a{100}){100}){100}"), Some(agent::HTTP_REGEX)),
        (
            http(&format!("{}a{}", "(".repeat(1_001), ")".repeat(1_001))),
            Some(agent::HTTP_REGEX),
        ),
        (http(&"(".repeat(200_000)), Some(agent::HTTP_REGEX)),
        (http(&"a{1000}".repeat(10_000)), Some(agent::HTTP_REGEX)),
    ] {
        let loaded = load_yaml(&text);
        let found = loaded
            .diagnostics
            .iter()
            .find(|d| d.severity == Severity::Error);
        assert_eq!(found.map(|d| d.code), code, "{text:.300}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_where_they_stand() {
    let place = |bytes: &[u8]| {
        decode_utf8(SourceId(0), bytes)
            .map(|_| ())
            .map_err(|d| (d.code, d.span.start))
    };
    let mut late = "a: 1\n".repeat(200_000).into_bytes();
    late.push(0xFF);
    assert_eq!(place(&late), Err((yaml::CHARACTER, 1_000_000)));
    for (bytes, at) in [
        (&b"a: \xC3("[..], 3),
        (b"\xED\xA0\x80", 0),
        (b"\xFF\xFEa\0\0\xD8", 4),
        (b"\xFE\xFF\0a\0", 4),
        // UTF-32 is UTF-16 with a NUL behind every character to Go.
        (b"\0\0\xFE\xFF\0\0\0a", 2),
    ] {
        assert_eq!(place(bytes), Err((yaml::CHARACTER, at)), "{bytes:?}");
    }
    let utf16: Vec<u8> = [0xFF, 0xFE]
        .into_iter()
        .chain(
            "a: é\n"
                .repeat(100_000)
                .encode_utf16()
                .flat_map(u16::to_le_bytes),
        )
        .collect();
    let text = decode_utf8(SourceId(0), &utf16).expect("UTF-16");
    assert_eq!(text.len(), 600_000);
    assert_eq!(
        load(&text, &LoadOptions::new(&Default::default()))
            .documents
            .len(),
        1
    );
}

#[test]
fn control_characters_are_refused_or_read_in_one_pass() {
    for text in [
        "a: \0".repeat(100_000),
        "\u{1}".repeat(200_000),
        "\0".repeat(200_000),
    ] {
        assert_eq!(refusal(&text), yaml::CHARACTER);
    }
    for text in [
        "a: 1\r".repeat(100_000),
        "a: 1\r\n".repeat(100_000),
        "\r".repeat(200_000),
        "\u{FEFF}".repeat(100_000),
        "\u{FEFF}a: 1\n---\n".repeat(20_000),
        "\u{2028}\u{85}".repeat(100_000),
        "\t".repeat(200_000),
    ] {
        assert!(load_yaml(&text).documents.len() <= 20_000);
    }
}

/// A place in a long line is found without going over the line each time.
#[test]
fn places_in_one_long_line_are_found() {
    let text = format!("a: [{}]", "é,".repeat(1_000_000));
    let mut sources = Sources::new();
    let id = sources.add("long", text.as_str());
    let source = sources.get(id).expect("added");
    for i in 0..50_000u32 {
        let at = source.position(4 + 3 * (999_999 - i));
        assert_eq!((at.line, at.column), (1, 5 + 2 * (999_999 - i)));
    }
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let page = include_str!("../../docs/limits.md");
    let load::Limits {
        yaml,
        max_objects,
        max_diagnostics,
    } = load::Limits::default();
    for (what, value) in [
        (
            "length of one text",
            format!("{} MiB", yaml.max_bytes >> 20),
        ),
        (
            "mappings and lists inside each other",
            yaml.max_depth.to_string(),
        ),
        ("documents of one text", yaml.max_documents.to_string()),
        ("objects of one text", max_objects.to_string()),
        ("diagnostics of one text", max_diagnostics.to_string()),
        ("diagnostics of one object", MAX_FINDINGS.to_string()),
    ] {
        let row = page.lines().find(|l| l.starts_with(&format!("| {what}")));
        let row = row.expect("a row").replace(',', "");
        assert!(row.contains(&format!("| {value} |")), "{row}");
    }
}
