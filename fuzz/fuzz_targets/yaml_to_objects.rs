//! Any bytes as the text of a source.
//!
//! Nothing may panic; every span lies within the text, at characters; every
//! diagnostic has a JSON form; whatever is refused is told, with an error
//! inside its own document that names the object. What is accepted becomes
//! rules, which are resolved for a few subjects of a small cluster.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netverdict::config::Config;
use netverdict::diagnostic::{Diagnostic, JsonDiagnostic, Severity};
use netverdict::identity::{IdentityTable, NumericIdentity};
use netverdict::label::Label;
use netverdict::object::Object;
use netverdict::object::load::{
    self, DocumentReport, LoadOptions, Loaded, Outcome, Stage, Strictness, load,
};
use netverdict::policy_map::{
    NamedPorts, PolicyMap, Question, StandInProxyPorts, key_from_bytes, key_to_bytes,
};
use netverdict::resolve::Repository;
use netverdict::rule::{
    Direction, Translator, cilium_resource, cluster_policy_resource, network_policy_resource,
};
use netverdict::source::{SourceId, Sources, Span};
use netverdict::yaml::decode_utf8;

fuzz_target!(|data: &[u8]| {
    // The last byte chooses options, those of a text's final newline being the
    // default ones; the rest is the text.
    let Some((last, data)) = data.split_last() else {
        return;
    };
    let choices = last ^ b'\n';
    let text = match decode_utf8(SourceId(0), data) {
        Ok(text) => text,
        Err(diagnostic) => {
            let Span { start, end, .. } = diagnostic.span;
            assert!(start < end && end as usize <= data.len());
            return;
        }
    };
    let config = config(choices);
    let mut options = LoadOptions::new(&config);
    options.limits.yaml.max_nodes = 20_000;
    options.limits.yaml.max_bytes = 1 << 20;
    options.strictness = match choices >> 6 {
        0 => Strictness::Agent,
        1 => Strictness::Crds,
        _ => Strictness::ApiServer,
    };
    let mut sources = Sources::new();
    let source = sources.add("fuzz", &*text);
    let loaded = load(source, &text, &options);

    let complete = loaded
        .diagnostics
        .iter()
        .all(|d| d.code != load::MAX_DIAGNOSTICS);
    let schema = loaded.documents.iter().flat_map(|d| &d.schema);
    for diagnostic in loaded.diagnostics.iter().chain(schema) {
        check(diagnostic, &text, &sources);
    }
    for (i, report) in loaded.documents.iter().enumerate() {
        assert_eq!(report.index, i);
        within(report.span, &text);
        if complete {
            told(report, &loaded);
        }
    }
    resolve(&loaded, &config);
});

fn config(choices: u8) -> Config {
    let on = |bit: u8| choices & bit != 0;
    Config {
        l7_proxy: !on(1),
        non_default_deny: !on(2),
        icmp_rules: !on(4),
        extended_ip_protocols: on(8),
        node_selector_labels: on(16),
        ipv6: !on(32),
        cluster_network_policy: true,
        ..Config::default()
    }
}

fn within(span: Span, text: &str) {
    assert!(
        text.get(span.start as usize..span.end as usize).is_some(),
        "{span:?} is no part of the text"
    );
}

fn check(diagnostic: &Diagnostic, text: &str, sources: &Sources) {
    within(diagnostic.span, text);
    for label in &diagnostic.labels {
        within(label.span, text);
    }
    for (span, _) in diagnostic.fixes.iter().flat_map(|f| &f.edits) {
        within(*span, text);
    }
    let form = JsonDiagnostic::new(diagnostic, sources);
    serde_json::to_string(&form).expect("a diagnostic has a JSON form");
    assert!(!diagnostic.message.is_empty());
    assert!(!diagnostic.message.ends_with('.') || diagnostic.message.ends_with(".."));
}

/// A refusal is told inside its document.
fn told(report: &DocumentReport, loaded: &Loaded) {
    let Outcome::Refused(stage) = report.outcome else {
        return;
    };
    let at = report.span;
    let found = loaded.diagnostics.iter().any(|d| {
        let named = stage == Stage::Yaml || !d.object.is_empty();
        d.severity == Severity::Error
            && named
            && at.start <= d.span.start
            && d.span.end <= at.end.max(at.start)
    });
    assert!(
        found,
        "nothing says why {report:?} was refused: {:?}",
        loaded.diagnostics
    );
    assert!(stage != Stage::Schema || !report.schema.is_empty());
}

const WORKLOADS: [(u32, &[&str]); 3] = [
    (
        1001,
        &[
            "k8s:app=web",
            "k8s:io.kubernetes.pod.namespace=default",
            "k8s:io.cilium.k8s.policy.cluster=default",
        ],
    ),
    (
        1002,
        &[
            "k8s:app=db",
            "k8s:io.kubernetes.pod.namespace=other",
            "k8s:io.cilium.k8s.policy.cluster=default",
        ],
    ),
    (0x0100_0001, &["cidr:10.0.0.0/8", "reserved:world-ipv4"]),
];

/// Resolves what was accepted for two workloads and the host.
fn resolve(loaded: &Loaded, config: &Config) {
    let mut identities = IdentityTable::new(config);
    for (id, labels) in WORKLOADS {
        let labels = labels.iter().map(|l| Label::parse(l)).collect();
        identities.insert(NumericIdentity(id), labels);
    }
    let translator = Translator::new(config);
    let mut repository = Repository::new(config.clone(), identities.clone());
    for object in loaded.objects() {
        let (resource, rules) = match object {
            Object::CiliumPolicy(p) => (cilium_resource(p), translator.cilium_policy(p)),
            Object::NetworkPolicy(p) => (network_policy_resource(p), translator.network_policy(p)),
            Object::ClusterNetworkPolicy(p) => (
                cluster_policy_resource(p),
                translator.cluster_network_policy(p),
            ),
            _ => continue,
        };
        repository.replace(&resource, rules);
    }
    for subject in [1001, 1002, 1].map(NumericIdentity) {
        let Some(labels) = identities.get(subject) else {
            continue;
        };
        let Ok(policy) = repository.resolve(subject, labels) else {
            continue;
        };
        let map = PolicyMap::new(
            &policy,
            repository.selectors(),
            &|name, proto| (&**name == "http" && proto == 6).then_some(80),
            &NamedPorts::new(),
            &mut StandInProxyPorts::default(),
        );
        for (key, _) in map.entries() {
            assert_eq!(key_from_bytes(&key_to_bytes(&key)), Ok(key));
        }
        for direction in Direction::BOTH {
            for peer in [0, 2, 1001, 1002, 0x0100_0001] {
                for (protocol, port) in [(6, 80), (17, 53), (1, 8), (47, 0)] {
                    let peer = NumericIdentity(peer);
                    let question = Question::new(direction, peer, protocol, port);
                    let _ = map.lookup(&question, config);
                }
            }
        }
    }
}
