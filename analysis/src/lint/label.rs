//! Labels that nothing has, but nearly.
//!
//! In: selectors that select nobody, and the endpoints of a cluster. Out:
//! findings that name the label or the namespace that was probably meant:
//! with it, and nothing else changed, the selector would select somebody.

use super::crowd::{Crowd, address, is_of_pods};
use super::member::Member;
use netverdict::cluster::Endpoint;
use netverdict::diagnostic::Severity::Warning;
use netverdict::diagnostic::{Code, Diagnostic, suggest};
use netverdict::label::{LabelSource, keys};
use netverdict::object::{LabelSelector, Object, SelectorOperator, template};
use netverdict::rule::Rule;
use netverdict::selector::{Requirement, Selector};
use netverdict::source::Span;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A selector selects nobody, and would with a label spelled a little
/// otherwise.
pub const NEAR_LABEL: Code = Code::new(625, Warning, "label that nothing has, but nearly");
/// A peer selector without a namespace selects nobody in the policy's own, and
/// would in another.
pub const OTHER_NAMESPACE: Code = Code::new(626, Warning, "peer in another namespace");

/// Labels compared in one check.
const MAX_COMPARISONS: usize = 2_000_000;

/// What was found of selectors that select nobody, with what it follows from
/// beside the endpoints.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// By address of a rule and place of a selector, for peers or subjects.
    selectors: HashMap<(usize, Span, bool), Known>,
}

#[derive(Debug)]
struct Known {
    /// Holds the address.
    rule: Arc<Rule>,
    /// Labels compared.
    cost: usize,
    finding: Option<Diagnostic>,
}

pub(super) fn check(
    crowd: &Crowd<'_>,
    objects: &[&Object],
    memory: &mut Memory,
) -> Vec<Diagnostic> {
    let before = match crowd.stays() {
        true => std::mem::take(&mut memory.selectors),
        false => HashMap::new(),
    };
    let mut checker = Checker {
        crowd,
        objects,
        written: None,
        left: MAX_COMPARISONS,
        seen: BTreeSet::new(),
        before,
        known: HashMap::new(),
        found: Vec::new(),
    };
    for rule in crowd.cluster.repository().rules() {
        if template::find(&rule.namespace).is_some() {
            continue;
        }
        if !rule.selects_nodes && crowd.subjects(rule).next().is_none() {
            checker.selector(rule, &rule.subject, false);
        }
        for peer in rule.peers.iter().flatten().filter(|p| is_of_pods(p)) {
            if crowd.selected(peer).next().is_none() {
                checker.selector(rule, peer, true);
            }
        }
    }
    memory.selectors = checker.known;
    checker.found
}

/// Selectors as written, by their places.
fn written<'o>(objects: &[&'o Object]) -> BTreeMap<Span, &'o LabelSelector> {
    let mut all = BTreeMap::new();
    for object in objects {
        for member in Member::of(object) {
            let endpoints = member.own.endpoints.iter().flatten();
            all.extend(
                endpoints
                    .chain(&member.spec.endpoint_selector)
                    .map(|s| (s.span, s)),
            );
        }
        if let Object::NetworkPolicy(policy) = object {
            all.insert(policy.pod_selector.span, &policy.pod_selector);
        }
    }
    all
}

struct Checker<'c, 'o> {
    crowd: &'c Crowd<'c>,
    objects: &'c [&'o Object],
    /// Since somebody asked.
    written: Option<BTreeMap<Span, &'o LabelSelector>>,
    left: usize,
    seen: BTreeSet<Span>,
    before: HashMap<(usize, Span, bool), Known>,
    known: HashMap<(usize, Span, bool), Known>,
    found: Vec<Diagnostic>,
}

impl Checker<'_, '_> {
    fn selector(&mut self, rule: &Arc<Rule>, selector: &Selector, peer: bool) {
        let variable = |r: &Requirement| {
            template::find(r.key.key()).is_some()
                || r.values.iter().any(|v| template::find(v).is_some())
        };
        let requirements = selector.requirements();
        if requirements.iter().any(variable) || !self.seen.insert(selector.span()) {
            return;
        }
        let key = (address(rule), selector.span(), peer);
        let known = self.before.remove(&key);
        let known = known.filter(|k| Arc::ptr_eq(&k.rule, rule) && k.cost < self.left);
        let known = known.unwrap_or_else(|| {
            let left = self.left;
            let finding = self.look(rule, selector, peer);
            let cost = left - std::mem::replace(&mut self.left, left);
            Known {
                rule: Arc::clone(rule),
                cost,
                finding,
            }
        });
        self.left -= known.cost;
        self.found.extend(known.finding.clone());
        self.known.insert(key, known);
    }

    fn look(&mut self, rule: &Rule, selector: &Selector, peer: bool) -> Option<Diagnostic> {
        let requirements = selector.requirements();
        let endpoints = self.crowd.cluster.endpoints().iter();
        let own = endpoints.filter(|e| !e.host_network && e.templated.is_none());
        let mut near: Option<(String, Option<(Span, String)>)> = None;
        let mut elsewhere: BTreeSet<&str> = BTreeSet::new();
        for endpoint in own {
            self.left = self.left.saturating_sub(requirements.len());
            if self.left == 0 {
                return None;
            }
            let mut failing = requirements.iter().filter(|r| !r.matches(&endpoint.labels));
            let (Some(one), None) = (failing.next(), failing.next()) else {
                continue;
            };
            if is_namespace(one) {
                let own = one.values.iter().any(|v| **v == *rule.namespace);
                if peer && own {
                    elsewhere.insert(&endpoint.namespace);
                    continue;
                }
            }
            if near.is_none() {
                near = meant(one, endpoint).map(|(words, key, value)| {
                    let objects = self.objects;
                    let written = self.written.get_or_insert_with(|| written(objects));
                    let place = written.get(&selector.span());
                    let place = place.and_then(|s| place_of(s, one, key.as_deref(), &value));
                    (words, place)
                });
            }
        }
        let at = |code, message: String| {
            Diagnostic::new(code, selector.span(), message)
                .at(rule.origin.path.as_str())
                .of(rule.origin.object.to_string())
        };
        if let Some((words, place)) = near {
            let finding = at(
                NEAR_LABEL,
                format!("nothing in the input is selected by `{selector}`"),
            );
            let mut finding = finding.help(format!("did you mean {words}?"));
            if let Some((span, text)) = place {
                finding.span = span;
                finding = finding.fix(format!("write `{text}`"), span, text, false);
            }
            return Some(finding);
        }
        if !elsewhere.is_empty() {
            let names: Vec<String> = elsewhere.iter().take(4).map(|n| format!("`{n}`")).collect();
            let names = names.join(", ");
            let own = &rule.namespace;
            let message =
                format!("no pod of namespace `{own}` has these labels; pods of {names} do");
            let help = match &*rule.origin.object.kind {
                "NetworkPolicy" => {
                    "a `podSelector` by itself is about the policy's own namespace: add a `namespaceSelector` to the same element"
                }
                _ => {
                    "a selector without a namespace is about the policy's own: add `k8s:io.kubernetes.pod.namespace`"
                }
            };
            return Some(at(OTHER_NAMESPACE, message).help(help));
        }
        None
    }
}

fn is_namespace(r: &Requirement) -> bool {
    r.key.key() == keys::POD_NAMESPACE && r.operator == SelectorOperator::In
}

/// What was meant by a requirement that an endpoint nearly fulfils: in words,
/// the key if it is another, and the value.
fn meant(r: &Requirement, endpoint: &Endpoint) -> Option<(String, Option<String>, String)> {
    let key = r.key.key();
    if r.operator != SelectorOperator::In || key == keys::CLUSTER {
        return None;
    }
    let [value] = &*r.values else { return None };
    let of_pods = || {
        let labels = endpoint.labels.iter();
        labels.filter(|l| l.source() == &LabelSource::K8s)
    };
    if let Some(label) = of_pods().find(|l| l.key() == key) {
        let near = suggest(value, [label.value()])?;
        if !is_slip(value, near) {
            return None;
        }
        return Some((format!("`{key}: {near}`"), None, near.to_owned()));
    }
    let label = of_pods().find(|l| {
        let named = l.key();
        l.value() == &**value && (suggest(key, [named]).is_some() || same_ending(key, named))
    })?;
    let near = label.key();
    Some((
        format!("`{near}: {value}`"),
        Some(near.to_owned()),
        value.to_string(),
    ))
}

/// True when one of two similar values may be a slip for the other: names such
/// as `app-a` and `app-b`, `v1` and `v2` are told apart on purpose.
fn is_slip(a: &str, b: &str) -> bool {
    let letters = |t: &str| -> String { t.chars().filter(|c| !c.is_ascii_digit()).collect() };
    if letters(a) == letters(b) {
        return false;
    }
    let words = |t: &str| -> Vec<String> {
        let words = t.split(|c: char| !c.is_alphanumeric());
        words.map(str::to_owned).collect()
    };
    let (a, b) = (words(a), words(b));
    let long = |w: &String| w.chars().count() >= 4;
    match a.len() == b.len() {
        true => {
            let mut others = a.iter().zip(&b).filter(|(x, y)| x != y);
            others.all(|(x, y)| long(x) && long(y))
        }
        false => a.concat() == b.concat(),
    }
}

/// `app` and `k8s-app`, `name` and `app.kubernetes.io/name`.
fn same_ending(a: &str, b: &str) -> bool {
    let last = |t: &'static [char], k: &str| k.rsplit(t).next().unwrap_or_default().to_owned();
    let (x, y) = (last(&['/', '-'], a), last(&['/', '-'], b));
    x.len() >= 3 && x == y
}

/// Where a requirement is written, and what belongs there.
fn place_of(
    selector: &LabelSelector,
    r: &Requirement,
    key: Option<&str>,
    value: &str,
) -> Option<(Span, String)> {
    let plain = |k: &str| {
        k.split_once(':')
            .map_or(k.to_owned(), |(_, k)| k.to_owned())
    };
    let (k, v) = selector
        .match_labels
        .iter()
        .find(|(k, _)| plain(&k.value) == r.key.key())?;
    Some(match key {
        Some(key) => {
            let source = k.value.split_once(':').map(|(source, _)| source);
            let text = source.map_or(key.to_owned(), |s| format!("{s}:{key}"));
            (k.span, text)
        }
        None => (v.span, value.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_told_from_other_names() {
        for (a, b, slip) in [
            ("frontent", "frontend", true),
            ("front-end", "frontend", true),
            ("my-databse", "my-database", true),
            ("app-a", "app-b", false),
            ("web1", "web2", false),
            ("a", "b", false),
            ("shop-web", "shop-api", false),
        ] {
            assert_eq!(is_slip(a, b), slip, "{a} {b}");
        }
        assert!(same_ending("app", "k8s-app"));
        assert!(same_ending("name", "app.kubernetes.io/name"));
        assert!(!same_ending("app", "tier"));
    }
}
