use super::*;
use crate::object::{LabelSelector, ObjectMeta, SelectorOperator};
use crate::source::SourceId;
use crate::yaml;

fn tree(text: &str) -> Node {
    let mut documents = yaml::read(SourceId(0), text, &yaml::Limits::default());
    documents.remove(0).result.unwrap()
}

fn decoded<T: Decode>(text: &str) -> (T, Vec<(String, String)>) {
    let mut decoder = Decoder::new("Kind/ns/name");
    let value = decoder.decode(&tree(text));
    let found = decoder.finish();
    assert!(found.iter().all(|d| d.object == "Kind/ns/name"));
    let found = found.into_iter();
    (value, found.map(|d| (d.code.to_string(), d.path)).collect())
}

fn places(found: &[(String, String)]) -> Vec<(&str, &str)> {
    found.iter().map(|(c, p)| (&**c, &**p)).collect()
}

#[test]
fn all_problems_of_an_object_are_collected_with_their_paths() {
    let (selector, found) = decoded::<LabelSelector>(
        "matchLabels: {a: 1, b: x}\nmatchExpressions:\n- {key: k, operator: In, values: [v, true]}\n- null\n- {Key: k}\nmatchLabel: {}\n",
    );
    assert_eq!(
        places(&found),
        [
            ("NV0201", "matchLabels.a"),
            ("NV0201", "matchExpressions[0].values[1]"),
            ("NV0202", "matchExpressions[2].Key"),
            ("NV0202", "matchLabel"),
        ]
    );
    let operators: Vec<_> = selector
        .match_expressions
        .iter()
        .map(|e| e.operator.value)
        .collect();
    assert_eq!(operators, [Some(SelectorOperator::In), None, None]);
}

#[test]
fn self_decoding_types_take_names_in_any_case() {
    let mut decoder = Decoder::new("");
    let node = tree("MATCHLABELS: {a: b}\n");
    let selector = decoder.in_any_case(|d| d.decode::<LabelSelector>(&node));
    assert_eq!(selector.match_labels.len(), 1);
    assert!(!decoder.refused());
    let found = decoder.finish();
    assert_eq!(found[0].code, FIELD_CASE);
    assert_eq!(found[0].fixes[0].edits[0].1, "matchLabels");
}

#[test]
fn null_is_the_zero_value() {
    let (meta, found) = decoded::<ObjectMeta>(
        "name: null\nnamespace: ~\nlabels: {a: null}\ncreationTimestamp: null\nfinalizers: null\n",
    );
    assert!(found.is_empty());
    assert_eq!(meta.name.value, "");
    assert_eq!(meta.namespace, None);
    assert_eq!(meta.labels[0].1.value, "");
}

#[test]
fn whole_numbers_are_those_json_writes_without_fraction() {
    for (text, value, code) in [
        ("80", 80, None),
        ("80.0", 80, None),
        ("1e3", 1000, None),
        ("null", 0, None),
        ("80.5", 0, Some("NV0201")),
        ("'80'", 0, Some("NV0201")),
        ("2147483648", 0, Some("NV0204")),
        ("18446744073709551615", 0, Some("NV0204")),
        ("1e30", 0, Some("NV0201")),
        ("[80]", 0, Some("NV0201")),
    ] {
        let (number, found) = decoded::<i32>(text);
        assert_eq!(number, value, "{text}");
        assert_eq!(found.first().map(|f| &*f.0), code, "{text}");
    }
}

#[test]
fn a_bare_number_is_quoted_by_a_fix() {
    let mut decoder = Decoder::default();
    decoder.decode::<String>(&tree("443"));
    let d = decoder.finish().remove(0);
    assert_eq!(d.message, "expected a string, found number `443`");
    assert_eq!(d.fixes[0].edits[0].1, "\"443\"");
    assert!(d.fixes[0].machine_applicable);
    let mut decoder = Decoder::default();
    decoder.decode::<String>(&tree("0x50"));
    assert!(decoder.finish()[0].fixes.is_empty());
}

#[test]
fn variables_are_noted_and_do_not_refuse() {
    let (meta, found) =
        decoded::<ObjectMeta>("name: a-${X}\nannotations: {a: '${Y}'}\nlabels: {b: '{{ .z }}'}\n");
    assert_eq!(places(&found), [("NV0901", "name"), ("NV0901", "labels.b")]);
    assert_eq!(meta.annotations[0].1.value, "${Y}");
}

#[test]
fn times_have_the_form_of_rfc_3339() {
    for (text, ok) in [
        ("2024-05-01T12:00:00Z", true),
        ("2024-05-01T12:00:00.123+02:00", true),
        ("2024-05-01T12:00:00", false),
        ("2024-05-01 12:00:00Z", false),
        ("2024-13-01T12:00:00Z", false),
        ("2024-02-29T12:00:00Z", true),
        ("2023-02-29T12:00:00Z", false),
        ("2024-05-01T12:00:00.Z", false),
        ("", false),
    ] {
        assert_eq!(is_rfc3339(text), ok, "{text}");
    }
}
