//! Selectors of sizes at which comparing everything with everything would not
//! come to an end. None of these tests looks at a clock.

mod hostile_text;

use hostile_text::{cnp, load_yaml};
use netverdict::config::Config;
use netverdict::identity::{IdentityTable, NumericIdentity};
use netverdict::label::{Label, LabelSet};
use netverdict::object::cilium::{SelectedService, ServiceRef};
use netverdict::object::{LabelSelector, Object, SelectorOperator, SelectorRequirement};
use netverdict::rule::{Service, Services, Translator};
use netverdict::selector::{LabelQuery, Selector, SelectorIndex};
use netverdict::source::{Span, Spanned};
use std::ops::Range;

fn spanned(text: impl Into<String>) -> Spanned<String> {
    Spanned::new(text.into(), Span::default())
}

fn expression(key: &str, operator: SelectorOperator, values: Range<usize>) -> SelectorRequirement {
    SelectorRequirement {
        key: spanned(key),
        operator: Spanned::new(Some(operator), Span::default()),
        values: values.map(|i| spanned(format!("v{i}"))).collect(),
        ..SelectorRequirement::default()
    }
}

/// Labels that half of the services have, without one of them by number: each
/// selector is another one and has half of the services to choose from.
#[test]
fn very_many_service_selectors_for_what_very_many_services_have() {
    const MANY: usize = 20_000;
    let label = |key: &str, value: String| (key.to_owned(), value);
    let service = |i: usize| Service {
        namespace: format!("n{}", i % 3),
        name: format!("s{i}"),
        labels: vec![
            label("all", "x".into()),
            label(if i.is_multiple_of(2) { "even" } else { "odd" }, "x".into()),
            label("number", format!("v{i}")),
        ],
        selector: vec![label("app", format!("a{i}"))],
        backends: Vec::new(),
    };
    let services = Services::new((0..MANY).map(service).collect());
    let config = Config::default();
    let mut translator = Translator::new(&config);
    translator.services = Some(&services);

    let text = cnp("  egress: [{toServices: [{k8sServiceSelector: {selector: {}}}]}]\n");
    let Some(Object::CiliumPolicy(mut policy)) = load_yaml(&text).into_objects().next() else {
        panic!("a policy");
    };
    let mut peers = |labels: &[&str], operator, namespace: &str| {
        let reference = |i: usize| ServiceRef {
            selector: Some(SelectedService {
                selector: LabelSelector {
                    match_labels: labels.iter().map(|k| (spanned(*k), spanned("x"))).collect(),
                    match_expressions: vec![expression("number", operator, i..i + 1)],
                    ..LabelSelector::default()
                },
                namespace: spanned(namespace),
            }),
            ..ServiceRef::default()
        };
        policy.specs[0].egress[0].services = (0..MANY).map(reference).collect();
        let rules = translator.cilium_policy(&policy);
        let egress = rules.iter().find(|r| r.peers.is_some()).expect("a rule");
        egress.peers.as_ref().expect("peers").len()
    };
    use SelectorOperator::{In, NotIn};
    assert_eq!(peers(&["even", "odd"], NotIn, ""), 0);
    assert_eq!(peers(&["all", "even"], NotIn, ""), MANY / 2);
    assert_eq!(peers(&["all"], NotIn, ""), MANY);
    assert_eq!(peers(&["all"], NotIn, "n1"), MANY / 3 + 1);
    assert_eq!(peers(&["odd"], In, ""), MANY / 2);
    assert_eq!(peers(&["odd"], In, "n1"), MANY / 6 + 1);
}

/// An index over identities that have a label each.
fn index(labels: impl Iterator<Item = LabelSet>) -> SelectorIndex {
    let mut identities = IdentityTable::default();
    for (id, labels) in (1_000..).map(NumericIdentity).zip(labels) {
        identities.insert(id, labels);
    }
    SelectorIndex::new(Config::default(), identities)
}

/// How many values a condition has does not matter to the labels that are
/// compared with it.
#[test]
fn very_many_values_of_a_label_that_very_many_have() {
    const MANY: usize = 50_000;
    let labels = |i| {
        [Label::k8s("number", format!("v{i}"))]
            .into_iter()
            .collect()
    };
    let index = index((0..MANY).map(labels));
    use SelectorOperator::{In, NotIn};
    for (operator, first, selected) in [
        (In, 0, MANY),
        (In, MANY - 1, 1),
        (NotIn, 0, 0),
        (NotIn, MANY - 1, MANY - 1),
    ] {
        let selector = LabelSelector {
            match_expressions: vec![expression("number", operator, first..first + MANY)],
            ..LabelSelector::default()
        };
        let selector = LabelQuery::from_object(&selector, "any").build(Span::default());
        assert_eq!(
            index.select(&selector).len(),
            selected as u64,
            "{operator:?}"
        );
    }
}

/// Labels of CIDR groups have their values in their keys.
#[test]
fn very_many_values_of_groups() {
    const MANY: usize = 20_000;
    let labels = |i: usize| -> LabelSet {
        let prefix = format!("cidr:10.{}.{}.{}/32", i >> 16, i >> 8 & 255, i & 255);
        let group = format!("cidrgroup:number+v{i}");
        let all = [prefix.as_str(), &group, "reserved:world-ipv4"];
        all.into_iter().map(Label::parse).collect()
    };
    let index = index((0..MANY).map(labels));
    let config = Config::default();
    use SelectorOperator::{In, NotIn};
    for (key, operator, first, selected) in [
        ("number", In, 0, MANY),
        ("any:number", In, 0, MANY),
        ("number", In, MANY - 1, 1),
        ("k8s:number", In, 0, 0),
        ("cidr:number", In, 0, 0),
        ("numbe", In, 0, 0),
        ("number", NotIn, 0, 0),
        ("number", NotIn, MANY - 1, MANY - 1),
    ] {
        let selector = LabelSelector {
            match_expressions: vec![expression(key, operator, first..first + MANY)],
            ..LabelSelector::default()
        };
        let query = LabelQuery::from_object(&selector, "cidrgroup");
        let selector = Selector::cidr_groups(query, &[], &config, Span::default());
        let found = index.select(&selector).len();
        assert_eq!(found, selected as u64, "{key} {operator:?}");
    }
}
