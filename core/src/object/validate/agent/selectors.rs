//! Label selectors and DNS names.

use super::Checker;
use super::codes::*;
use super::path::Path;
use crate::diagnostic::suggest;
use crate::object::cilium::FqdnSelector;
use crate::object::fqdn::{self, FqdnError};
use crate::object::label_syntax::{sourced_key_problem, value_problem};
use crate::object::{LabelSelector, SelectorOperator};
use crate::source::Spanned;
use std::borrow::Cow;
use std::collections::BTreeMap;

const NAMESPACE: &str = "io.kubernetes.pod.namespace";

impl Checker<'_> {
    /// `EndpointSelector.Sanitize`.
    pub(super) fn selector(&mut self, selector: &LabelSelector, path: &Path<'_>) {
        self.selector_of(selector, path, |key| Cow::Borrowed(key));
    }

    /// A `cidrGroupSelector`: its keys get their source before they are
    /// checked, so that `$x` and `:x` pass here and nowhere else.
    pub(super) fn group_selector(&mut self, selector: &LabelSelector, path: &Path<'_>) {
        self.selector_of(selector, path, |key| {
            Cow::Owned(with_source("cidrgroup", key))
        });
    }

    fn selector_of(
        &mut self,
        selector: &LabelSelector,
        path: &Path<'_>,
        checked: impl Fn(&str) -> Cow<'_, str>,
    ) {
        let mut seen = BTreeMap::new();
        for (key, value) in &selector.match_labels {
            let path = path.field("matchLabels");
            self.key(key, &checked(&key.value), &path);
            self.value(value, &path.field(&key.value));
            let full = with_source("any", &checked(&key.value));
            let twin = seen.insert(full, (key, value));
            let twin = twin.filter(|(_, other)| other.value != value.value);
            if let Some((other, _)) = twin {
                self.report(
                    SELECTOR_AMBIGUOUS,
                    key.span,
                    path,
                    format!(
                        "`{}` and `{}` are one label with two values",
                        other.value, key.value
                    ),
                    "Cilium keeps one of the two values at random; keep the one that is meant",
                );
            }
        }
        for (i, requirement) in selector.match_expressions.iter().enumerate() {
            let path = path.element("matchExpressions", i);
            let values = requirement.values.len();
            match requirement.operator.value {
                Some(SelectorOperator::In | SelectorOperator::NotIn) if values == 0 => {
                    self.report(
                        VALUES_MISSING,
                        requirement.span,
                        path.field("values"),
                        "`In` and `NotIn` need at least one value",
                        "list the values, or use `Exists` or `DoesNotExist`",
                    );
                }
                Some(SelectorOperator::Exists | SelectorOperator::DoesNotExist) if values > 0 => {
                    self.report(
                        VALUES_FORBIDDEN,
                        requirement.span,
                        path.field("values"),
                        "`Exists` and `DoesNotExist` take no values",
                        "remove the values, or use `In` or `NotIn`",
                    );
                }
                None => {
                    self.report(
                        SELECTOR_OPERATOR,
                        requirement.operator.span,
                        path.field("operator"),
                        "unknown operator",
                        "the operators are `In`, `NotIn`, `Exists` and `DoesNotExist`",
                    );
                }
                Some(_) => {}
            }
            self.key(
                &requirement.key,
                &checked(&requirement.key.value),
                &path.field("key"),
            );
            for (j, value) in requirement.values.iter().enumerate() {
                self.value(value, &path.element("values", j));
            }
        }
    }

    fn key(&mut self, key: &Spanned<String>, checked: &str, path: &Path<'_>) {
        let Some(problem) = sourced_key_problem(checked) else {
            return;
        };
        let help = if key.value.starts_with('$') {
            "the reserved labels are written with their source: `reserved:host`"
        } else {
            problem
        };
        let message = format!("`{}` is no label key", key.value);
        self.report_text(SELECTOR_KEY, key, path, message, help);
    }

    fn value(&mut self, value: &Spanned<String>, path: &Path<'_>) {
        if let Some(problem) = value_problem(&value.value) {
            let message = format!("`{}` is no label value", value.value);
            self.report_text(SELECTOR_VALUE, value, path, message, problem);
        }
    }

    /// A namespaced policy's subject is in its namespace whatever it says.
    pub(super) fn subject_namespace(&mut self, selector: &LabelSelector, path: &Path<'_>) {
        let labels = selector.match_labels.iter().map(|(key, _)| key);
        let keys = labels.chain(selector.match_expressions.iter().map(|e| &e.key));
        let keys: Vec<_> = keys.filter(|k| bare_key(&k.value) == NAMESPACE).collect();
        for key in keys {
            self.report(
                SUBJECT_NAMESPACE,
                key.span,
                path,
                "the subject of a CiliumNetworkPolicy is in the policy's own namespace",
                "with another namespace it selects nothing; remove the key, or use a CiliumClusterwideNetworkPolicy",
            );
        }
    }

    /// `FQDNSelector.sanitize`, or `PortRuleDNS.Sanitize` when `dns_rule`.
    pub(super) fn fqdn(&mut self, fqdn: &FqdnSelector, path: &Path<'_>, dns_rule: bool) {
        let (name, pattern) = (&fqdn.match_name, &fqdn.match_pattern);
        if !dns_rule && !name.value.is_empty() && !pattern.value.is_empty() {
            self.report(
                FQDN_BOTH,
                fqdn.span,
                path,
                "`matchName` and `matchPattern` stand in one selector",
                "make two elements of them",
            );
        }
        if let Err(FqdnError::Character(at)) = fqdn::check_name(&name.value) {
            let bad = name
                .value
                .get(at..)
                .and_then(|t| t.chars().next())
                .unwrap_or(' ');
            let help = if bad == '*' {
                "write patterns as `matchPattern`"
            } else if name.value.contains("://") {
                "give the host name alone, without scheme and path"
            } else {
                "names take letters, digits, `-`, `_` and `.`"
            };
            let message = format!("`{}` is no DNS name", name.value);
            self.report_text(FQDN_NAME, name, path.field("matchName"), message, help);
        }
        match fqdn::check_pattern(&pattern.value) {
            Ok(()) => {}
            Err(error) => {
                let help = match error {
                    FqdnError::Length => "patterns have at most 255 characters",
                    FqdnError::Character(_) => {
                        "patterns take letters, digits, `-`, `_`, `.` and `*`; they are no regular expressions"
                    }
                };
                let message = format!("`{}` is no DNS pattern", pattern.value);
                self.report_text(
                    FQDN_PATTERN,
                    pattern,
                    path.field("matchPattern"),
                    message,
                    help,
                );
            }
        }
    }

    /// An entity of a peer list.
    pub(super) fn entity(&mut self, entity: &Spanned<String>, path: &Path<'_>) {
        if ENTITIES.contains(&entity.value.as_str()) {
            return;
        }
        let message = format!("there is no entity `{}`", entity.value);
        let close = suggest(&entity.value, ENTITIES);
        let help = match close {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("the entities are {}", ENTITIES.join(", ")),
        };
        let mut problem = self.text_problem(ENTITY, entity, path, message, help);
        if let Some(close) = close {
            problem = problem.fix(format!("write `{close}`"), entity.span, close, false);
        }
        self.found.push(problem);
    }
}

/// pkg/policy/api/entity.go, `EntitySelectorMapping`.
pub(super) const ENTITIES: [&str; 14] = [
    "all",
    "world",
    "world-ipv4",
    "world-ipv6",
    "cluster",
    "cluster-mesh",
    "host",
    "init",
    "ingress",
    "remote-node",
    "health",
    "unmanaged",
    "none",
    "kube-apiserver",
];

/// A key with its source, or the given one (pkg/labels/labels.go,
/// `NewSourceEncodedLabelKey`).
fn with_source(source: &str, key: &str) -> String {
    if let Some(rest) = key.strip_prefix('$') {
        return format!("reserved:{rest}");
    }
    match key.split_once(':') {
        Some(("", rest)) => format!("{source}:{rest}"),
        Some(_) => key.to_owned(),
        None => format!("{source}:{key}"),
    }
}

fn bare_key(key: &str) -> &str {
    key.split_once(':').map_or(key, |(_, key)| key)
}
