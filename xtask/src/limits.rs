//! Every limit, with the value it has in the code.
//!
//! In: the defaults and constants of the engine. Out: `docs/limits.md`.

use netverdict::cluster::{MAX_COMPARISONS, MAX_LISTED};
use netverdict::diagnostic::{Code, MAX_FINDINGS, MAX_OBJECT_DIAGNOSTICS, MAX_SUGGESTED};
use netverdict::object::load::{self, MAX_DIAGNOSTICS, MAX_OBJECTS};
use netverdict::object::validate::agent::codes as agent;
use netverdict::object::validate::agent::{MAX_ICMP_FIELDS, MAX_PORTS};
use netverdict::object::{MAX_NAME, fqdn, regex};
use netverdict::yaml;
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Limits

<!-- written by `cargo xtask docs`; do not edit -->

Whatever a stranger can choose is bounded: it is either refused or cut with a diagnostic that names the limit, or it takes time
and memory in proportion to its size. Nothing here ends the program; one text, document or object over a limit hides no other.
`core/tests/hostile*.rs` tries each limit, and sizes at which anything slower than that would not come to an end.
";

const AFTER: &str = "
`LoadOptions` are those of `netverdict::object::load::load`, with which the programs of this repository use the defaults; what
is *fixed* is a constant of that name. What is said of one object counts for each stage on its way on its own: decoding, schema,
agent, remarks. Errors come first: who refuses an object says why, whatever was left out.

What many selectors select among many identities or services, and which ports many peers are allowed, is their product, in the
answer and in the work. There is no limit on it but those on the text. How many values a condition has does not matter to the
labels that are compared with it, and conditions of `toServices` are worked out on sets of services, 64 in one step.
";

/// One limit.
struct Limit {
    what: &'static str,
    value: String,
    code: Option<Code>,
    then: &'static str,
    change: &'static str,
}

fn limits() -> Vec<Limit> {
    let load::Limits {
        yaml:
            yaml::Limits {
                max_bytes,
                max_depth,
                max_nodes,
                max_documents,
            },
        max_objects,
        max_diagnostics,
    } = load::Limits::default();
    let mebibytes = format!("{} MiB", max_bytes >> 20);
    let row = |what, value: String, code, then, change| Limit {
        what,
        value,
        code,
        then,
        change,
    };
    let number = |n: usize| grouped(n as u64);
    vec![
        row(
            "length of one text",
            mebibytes.clone(),
            Some(yaml::MAX_BYTES),
            "the text is not read",
            "`LoadOptions::limits.yaml.max_bytes`, at most 4 GiB",
        ),
        row(
            "text that aliases copy, in all of a text",
            mebibytes,
            Some(yaml::MAX_BYTES),
            "the document is refused",
            "the same",
        ),
        row(
            "length of a `%TAG` prefix",
            format!("{} bytes", number(yaml::MAX_TAG_PREFIX)),
            Some(yaml::MAX_BYTES),
            "the document is refused",
            "fixed: `yaml::MAX_TAG_PREFIX`",
        ),
        row(
            "mappings and lists inside each other",
            number(max_depth),
            Some(yaml::MAX_DEPTH),
            "the document is refused",
            "`LoadOptions::limits.yaml.max_depth`; the stack must suffice",
        ),
        row(
            "keys and values of one text, through aliases counted each time",
            number(max_nodes),
            Some(yaml::MAX_NODES),
            "the document is refused, and those after it that have any",
            "`LoadOptions::limits.yaml.max_nodes`",
        ),
        row(
            "values through aliases, against those written",
            "as go-yaml has it".into(),
            Some(yaml::MAX_ALIASES),
            "the document is refused, as kubectl refuses it",
            "fixed",
        ),
        row(
            "documents of one text",
            number(max_documents),
            Some(yaml::MAX_DOCUMENTS),
            "the rest of the text is not read",
            "`LoadOptions::limits.yaml.max_documents`",
        ),
        row(
            "objects of one text, items of lists counted each",
            number(max_objects),
            Some(MAX_OBJECTS),
            "the rest of the text is passed over",
            "`LoadOptions::limits.max_objects`",
        ),
        row(
            "diagnostics of one text",
            number(max_diagnostics),
            Some(MAX_DIAGNOSTICS),
            "the first are told, the rest counted",
            "`LoadOptions::limits.max_diagnostics`",
        ),
        row(
            "diagnostics of one object, from one stage",
            number(MAX_FINDINGS),
            Some(MAX_OBJECT_DIAGNOSTICS),
            "the first are told, the first error among them, the rest counted",
            "fixed: `diagnostic::MAX_FINDINGS`",
        ),
        row(
            "duplicate keys told of one document",
            number(yaml::MAX_DUPLICATE_KEYS),
            Some(MAX_OBJECT_DIAGNOSTICS),
            "the first are told",
            "fixed: `yaml::MAX_DUPLICATE_KEYS`",
        ),
        row(
            "characters of a name by which diagnostics call an object",
            number(MAX_NAME),
            None,
            "cut, with `…`",
            "fixed: `object::MAX_NAME`",
        ),
        row(
            "names listed in one diagnostic about a set of objects",
            number(MAX_LISTED),
            None,
            "the first are listed, the rest counted",
            "fixed: `cluster::MAX_LISTED`",
        ),
        row(
            "characters of a word for which `did you mean` looks",
            number(MAX_SUGGESTED),
            None,
            "nothing is suggested",
            "fixed: `diagnostic::MAX_SUGGESTED`",
        ),
        row(
            "names compared for `did you mean` in a set of objects",
            number(MAX_COMPARISONS),
            None,
            "nothing more is suggested",
            "fixed: `cluster::MAX_COMPARISONS`",
        ),
        row(
            "ports of an element of `toPorts`",
            number(MAX_PORTS),
            Some(agent::TOO_MANY_PORTS),
            "the policy is refused, as by Cilium",
            "fixed",
        ),
        row(
            "fields of an element of `icmps`",
            number(MAX_ICMP_FIELDS),
            Some(agent::ICMP_FIELDS),
            "the policy is refused, as by Cilium",
            "fixed",
        ),
        row(
            "characters of `matchPattern`",
            number(fqdn::MAX_LENGTH),
            Some(agent::FQDN_PATTERN),
            "the policy is refused, as by Cilium",
            "fixed",
        ),
        row(
            "count of a repetition in a regular expression, and their product inside each other",
            grouped(regex::MAX_REPEAT),
            Some(agent::HTTP_REGEX),
            "the policy is refused, as by Go",
            "fixed",
        ),
        row(
            "operators inside each other in a regular expression",
            grouped(u64::from(regex::MAX_HEIGHT)),
            Some(agent::HTTP_REGEX),
            "the policy is refused, as by Go",
            "fixed",
        ),
        row(
            "instructions of a regular expression",
            grouped(regex::MAX_SIZE),
            Some(agent::HTTP_REGEX),
            "the policy is refused, as by Go",
            "fixed",
        ),
    ]
}

/// The text of `docs/limits.md`.
pub(crate) fn page() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str(
        "\n| limit | default | code | what happens | how to change it |\n|---|---|---|---|---|\n",
    );
    for limit in limits() {
        let code = limit.code.map_or_else(String::new, |code| {
            format!("[{code}](diagnostics.md#{code})")
        });
        let Limit {
            what,
            value,
            then,
            change,
            ..
        } = limit;
        let _ = writeln!(page, "| {what} | {value} | {code} | {then} | {change} |");
    }
    page + AFTER
}

/// `1,000,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(40), "40");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(4_000_000), "4,000,000");
    }

    #[test]
    fn every_code_of_a_limit_is_listed() {
        let page = page();
        let codes = diagnostics::page().expect("no code twice");
        let limits: Vec<&str> = codes.split("id=\"NV08").skip(1).collect();
        assert!(limits.len() >= 8, "{}", limits.len());
        for rest in limits {
            let number = rest.get(..2).expect("four digits");
            let link = format!("diagnostics.md#NV08{number})");
            assert!(page.contains(&link), "NV08{number} is in no row");
        }
    }
}
