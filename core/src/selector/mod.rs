//! Selectors: questions asked of label sets.
//!
//! In: selectors as written ([`crate::object`]), scoped by whoever translates
//! a policy. Out: [`Selector`]s, which match label sets, and the
//! [`SelectorIndex`], which knows the identities each of them selects.
//!
//! Two selectors are the same exactly when their *keys* are equal, and keys
//! keep the spelling of the author: Cilium merges rules by that identity
//! (pkg/policy/selectorcache.go), so `app: b` and `k8s:app: b` are two
//! selectors that happen to select the same pods.
//!
//! ```
//! use netverdict::config::Config;
//! use netverdict::identity::{IdentityTable, NumericIdentity};
//! use netverdict::label::{Label, LabelSet};
//! use netverdict::object::SelectorOperator;
//! use netverdict::selector::{LabelQuery, Requirement, Selector, SelectorIndex};
//! use netverdict::source::Span;
//! use std::sync::Arc;
//!
//! let mut query = LabelQuery::default();
//! query.add_match("k8s:app", "web");
//! query.add_expression("k8s:canary", SelectorOperator::DoesNotExist);
//! assert!(query.has_key("k8s:canary") && !query.only_excludes());
//! assert_eq!(query.match_label("k8s:app"), Some("web"));
//! assert!(!Requirement::exists(Label::k8s("app", "")).matches(&LabelSet::default()));
//! let web = Arc::new(query.build(Span::default()));
//!
//! let config = Config::default();
//! let mut index = SelectorIndex::new(config.clone(), IdentityTable::new(&config));
//! let id = index.add_selector(&web);
//! let labels: LabelSet = [Label::k8s("app", "web")].into_iter().collect();
//! assert!(web.matches(&labels, &config));
//! index.add_identity(NumericIdentity(1000), labels);
//! assert!(index.selections(id).is_some_and(|s| s.contains(1000)));
//! assert_eq!(index.selecting(NumericIdentity(1000)), [id]);
//! index.remove_identity(NumericIdentity(1000));
//! assert!(index.select(&web).is_empty());
//!
//! // Of other kinds: everything, prefixes, names.
//! assert!(Selector::wildcard(Span::default()).is_wildcard());
//! let cidr = Selector::cidr("192.0.2.0/24", &"192.0.2.0/24".parse()?, &[], &config, Span::default());
//! assert_eq!(cidr.prefixes().count(), 1);
//! let names = Selector::fqdn("", "*.example.com", Span::default());
//! assert_eq!(names.fqdn_label(), Some("*.example.com"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod exceptions;
mod index;
mod posting;
mod query;
mod values;

pub use index::{SelectorId, SelectorIndex};
pub use query::{Expression, LabelQuery};
pub use values::Values;

use crate::config::Config;
use crate::label::{Label, LabelSet, LabelSource, keys};
use crate::object::SelectorOperator;
use crate::source::Span;
use exceptions::Exceptions;
use ipnet::IpNet;
use std::fmt;
use std::sync::Arc;

/// One condition on a label set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label asked for; its value is not used.
    pub key: Label,
    /// How it is asked.
    pub operator: SelectorOperator,
    /// Values of `In` and `NotIn`.
    pub values: Values,
}

impl Requirement {
    /// The label must be there, whatever its value.
    #[must_use]
    pub fn exists(key: Label) -> Self {
        Self {
            key,
            operator: SelectorOperator::Exists,
            values: Values::default(),
        }
    }

    /// The label must not be there.
    #[must_use]
    pub fn absent(key: Label) -> Self {
        Self {
            key,
            operator: SelectorOperator::DoesNotExist,
            values: Values::default(),
        }
    }

    /// Tests a label set.
    #[must_use]
    pub fn matches(&self, labels: &LabelSet) -> bool {
        let found = labels.find(&self.key);
        let listed = || found.is_some_and(|l| self.values.has(l.value()));
        match self.operator {
            SelectorOperator::In => listed(),
            SelectorOperator::NotIn => !listed(),
            SelectorOperator::Exists => found.is_some(),
            SelectorOperator::DoesNotExist => found.is_none(),
        }
    }

    /// Tests a label set the way `cidrGroupSelector` does: a value is part of
    /// the key, joined by `+`, because a prefix may be in several groups.
    fn matches_encoded(&self, labels: &LabelSet) -> bool {
        let listed = || {
            if self.values.len() > labels.as_slice().len() {
                return self.has_encoded(labels);
            }
            self.values.iter().any(|v| {
                let key = format!("{}+{v}", self.key.key());
                let wanted = Label::new(self.key.source().clone(), key, "");
                labels.find(&wanted).is_some()
            })
        };
        match self.operator {
            SelectorOperator::In => listed(),
            SelectorOperator::NotIn => !listed(),
            SelectorOperator::Exists | SelectorOperator::DoesNotExist => self.matches(labels),
        }
    }

    /// True when one of the labels is the key and one of the values: the same
    /// from the other side, where the values are more than the labels.
    fn has_encoded(&self, labels: &LabelSet) -> bool {
        let source = self.key.source();
        // A key with a value is no prefix, and so nothing of that source.
        let fits = |l: &Label| match source {
            LabelSource::Any => true,
            LabelSource::Cidr => false,
            other => other == l.source(),
        };
        labels.iter().filter(|l| fits(l)).any(|l| {
            let value = l.key().strip_prefix(self.key.key());
            let value = value.and_then(|rest| rest.strip_prefix('+'));
            value.is_some_and(|v| self.values.has(v))
        })
    }
}

/// What kind of selector it is, as far as matching depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SelectorKind {
    /// Labels of endpoints, entities, nodes.
    Labels,
    /// A prefix or a CIDR group by name.
    Cidr,
    /// CIDR groups by their labels.
    CidrGroup,
    /// A DNS name or pattern.
    Fqdn,
}

/// A selector ready to match.
#[derive(Clone, Debug)]
pub struct Selector {
    key: Arc<str>,
    kind: SelectorKind,
    requirements: Vec<Requirement>,
    /// How many of the conditions come before the exceptions.
    before_except: usize,
    except: Exceptions,
    prefixes: Vec<IpNet>,
    span: Span,
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Selector {}

/// Key of the selector that selects everything.
const WILDCARD_KEY: &str = "{}{}";
/// Key of the selector of the entity `none`.
const NONE_KEY: &str = "{reserved:none:}{}";

impl Selector {
    /// Makes a selector from its parts. `key` decides which selectors are the
    /// same one.
    #[must_use]
    pub fn new(
        key: impl Into<Arc<str>>,
        kind: SelectorKind,
        requirements: Vec<Requirement>,
        span: Span,
    ) -> Self {
        Self {
            key: key.into(),
            kind,
            before_except: requirements.len(),
            requirements,
            except: Exceptions::default(),
            prefixes: Vec::new(),
            span,
        }
    }

    /// Takes prefixes out of what it selects.
    fn without(mut self, except: &[(&str, IpNet)], config: &Config) -> Self {
        for (_, prefix) in except {
            let absent = Requirement::absent(crate::label::cidr_label(prefix, config));
            self.except.add(prefix, &absent);
            self.requirements.push(absent);
        }
        self.naming(except.iter().map(|(_, p)| p))
    }

    /// Names prefixes it speaks of. A /0 is the world, not a prefix.
    fn naming<'p>(mut self, prefixes: impl IntoIterator<Item = &'p IpNet>) -> Self {
        let named = prefixes.into_iter().filter(|p| p.prefix_len() > 0);
        self.prefixes.extend(named);
        self
    }

    /// Selects everything, identities without labels included.
    #[must_use]
    pub fn wildcard(span: Span) -> Self {
        LabelQuery::default().build(span)
    }

    /// Selects what carries a `reserved:` label.
    #[must_use]
    pub fn reserved(name: &str, span: Span) -> Self {
        let mut query = LabelQuery::default();
        query.add_match(format!("reserved:{name}"), "");
        query.build(span)
    }

    /// Selects a prefix as a rule writes it (`text` is a prefix or an
    /// address), without some prefixes inside it.
    #[must_use]
    pub fn cidr(
        text: &str,
        prefix: &IpNet,
        except: &[(&str, IpNet)],
        config: &Config,
        span: Span,
    ) -> Self {
        let requirement = Requirement::exists(crate::label::cidr_label(prefix, config));
        Self::new(
            format!("cidr:{text}{}", except_key(except)),
            SelectorKind::Cidr,
            vec![requirement],
            span,
        )
        .naming([prefix])
        .without(except, config)
    }

    /// Selects the prefixes of a CIDR group by the group's name.
    #[must_use]
    pub fn cidr_group(name: &str, except: &[(&str, IpNet)], config: &Config, span: Span) -> Self {
        let key = format!("{}/{name}", keys::CIDR_GROUP_NAME);
        let label = Label::new(LabelSource::CidrGroup, key.as_str(), "");
        Self::new(
            format!("cidrgroup:{key}{}", except_key(except)),
            SelectorKind::Cidr,
            vec![Requirement::exists(label)],
            span,
        )
        .without(except, config)
    }

    /// Selects the prefixes of CIDR groups by the groups' labels. Without
    /// conditions its key is the wildcard's: Cilium then selects *everything*.
    #[must_use]
    pub fn cidr_groups(
        query: LabelQuery,
        except: &[(&str, IpNet)],
        config: &Config,
        span: Span,
    ) -> Self {
        let groups = query.build(span);
        Self::new(
            format!("{}{}", groups.key, except_key(except)),
            SelectorKind::CidrGroup,
            groups.requirements,
            span,
        )
        .without(except, config)
    }

    /// Selects the addresses that DNS gave for a name or pattern.
    #[must_use]
    pub fn fqdn(match_name: &str, match_pattern: &str, span: Span) -> Self {
        let label = if match_name.is_empty() {
            match_pattern
        } else {
            match_name
        };
        Self::new(
            format!("MatchName: {match_name}, MatchPattern: {match_pattern}"),
            SelectorKind::Fqdn,
            vec![Requirement::exists(Label::new(
                LabelSource::Fqdn,
                label,
                "",
            ))],
            span,
        )
    }

    /// Its identity among selectors.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What kind it is.
    #[must_use]
    pub fn kind(&self) -> SelectorKind {
        self.kind
    }

    /// Its conditions; all must hold.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Where it is written.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// True for the selector that policy maps store under identity 0 and the
    /// aggregates instead of every identity.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        &*self.key == WILDCARD_KEY
    }

    /// True for the entity `none`, which nothing ever carries.
    #[must_use]
    pub fn is_none(&self) -> bool {
        &*self.key == NONE_KEY
    }

    /// The DNS name or pattern as written, for FQDN selectors.
    #[must_use]
    pub fn fqdn_label(&self) -> Option<&str> {
        match (self.kind, self.requirements.first()) {
            (SelectorKind::Fqdn, Some(r)) => Some(r.key.key()),
            _ => None,
        }
    }

    /// The prefixes it speaks of, exceptions included, with the host bits they
    /// were written with.
    pub fn prefixes(&self) -> impl Iterator<Item = &IpNet> {
        self.prefixes.iter()
    }

    /// The namespaces outside which it selects nothing, when its conditions
    /// say so.
    #[must_use]
    pub fn namespaces(&self) -> Option<&[Arc<str>]> {
        self.requirements
            .iter()
            .find(|r| {
                r.operator == SelectorOperator::In
                    && r.key.source() == &LabelSource::K8s
                    && r.key.key() == keys::POD_NAMESPACE
            })
            .map(|r| &*r.values)
    }

    /// Tests a label set.
    #[must_use]
    pub fn matches(&self, labels: &LabelSet, config: &Config) -> bool {
        // A selector with the wildcard's key *is* the wildcard, whatever it
        // was written as.
        if self.is_wildcard() {
            return true;
        }
        match self.kind {
            SelectorKind::Labels => self.requirements.iter().all(|r| r.matches(labels)),
            SelectorKind::Fqdn => self
                .requirements
                .iter()
                .all(|r| labels.find(&r.key).is_some_and(|l| l.value().is_empty())),
            SelectorKind::Cidr | SelectorKind::CidrGroup => self.matches_prefix(labels, config),
        }
    }

    /// Prefix selectors see the world only, unless the match mode says
    /// otherwise (Cilium 1.20.2 pkg/policy/types/selector.go).
    fn matches_prefix(&self, labels: &LabelSet, config: &Config) -> bool {
        let world = labels.has_world();
        let node = labels.get("host").is_some() || labels.get("remote-node").is_some();
        let visible =
            world || (node && config.cidr_matches_nodes) || (!node && config.cidr_matches_pods);
        let holds = |r: &Requirement| match self.kind {
            SelectorKind::CidrGroup => r.matches_encoded(labels),
            _ => matches_any_prefix(r, labels, config) || r.matches(labels),
        };
        visible
            && self.requirements.iter().take(self.before_except).all(holds)
            && self.except.worlds().all(holds)
            && !self.except.has_any(labels)
    }
}

/// In match mode `pods` a /0 also means every identity that has a prefix of
/// that family.
fn matches_any_prefix(r: &Requirement, labels: &LabelSet, config: &Config) -> bool {
    if !config.cidr_matches_pods || r.key.source() != &LabelSource::Reserved {
        return false;
    }
    let (four, six) = match r.key.key() {
        "world" => (true, true),
        "world-ipv4" => (true, false),
        "world-ipv6" => (false, true),
        _ => return false,
    };
    labels.iter().filter_map(Label::prefix).any(|p| match p {
        IpNet::V4(_) => config.ipv4 && four,
        IpNet::V6(_) => config.ipv6 && six,
    })
}

fn except_key(except: &[(&str, IpNet)]) -> String {
    if except.is_empty() {
        return String::new();
    }
    let texts: Vec<&str> = except.iter().map(|(text, _)| *text).collect();
    format!("-[{}]", texts.join(","))
}

impl fmt::Display for Selector {
    /// The conditions as people read them: `app=web, !role`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_wildcard() {
            return f.write_str("everything");
        }
        if let Some(name) = self.fqdn_label() {
            return f.write_str(name);
        }
        for (i, r) in self.requirements.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            let key = r.key.to_string();
            let key = key.strip_prefix("any:").unwrap_or(&key);
            match (r.operator, &*r.values) {
                (SelectorOperator::In, [one]) if one.is_empty() => write!(f, "{key}")?,
                (SelectorOperator::In, [one]) => write!(f, "{key}={one}")?,
                (SelectorOperator::In, all) => write!(f, "{key} in ({})", all.join(", "))?,
                (SelectorOperator::NotIn, all) => write!(f, "{key} not in ({})", all.join(", "))?,
                (SelectorOperator::Exists, _) => write!(f, "{key}")?,
                (SelectorOperator::DoesNotExist, _) => write!(f, "!{key}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(labels: &[&str]) -> LabelSet {
        labels.iter().map(|l| Label::parse(l)).collect()
    }

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn prefixes_match_the_world_only() {
        let c = Config::default();
        let ten = Selector::cidr("10.0.0.0/8", &net("10.0.0.0/8"), &[], &c, Span::default());
        assert!(ten.matches(&set(&["cidr:10.1.0.0/16", "reserved:world-ipv4"]), &c));
        assert!(!ten.matches(&set(&["cidr:10.1.0.0/16"]), &c));
        assert!(!ten.matches(&set(&["cidr:11.1.0.0/16", "reserved:world-ipv4"]), &c));
        let except = Selector::cidr(
            "10.0.0.0/8",
            &net("10.0.0.0/8"),
            &[("10.1.0.0/16", net("10.1.0.0/16"))],
            &c,
            Span::default(),
        );
        assert!(!except.matches(&set(&["cidr:10.1.0.0/16", "reserved:world-ipv4"]), &c));
        assert!(except.matches(&set(&["cidr:10.0.0.0/8", "reserved:world-ipv4"]), &c));
        assert_eq!(except.key(), "cidr:10.0.0.0/8-[10.1.0.0/16]");
        assert_eq!(except.prefixes().count(), 2);
        let all = Selector::cidr("0.0.0.0/0", &net("0.0.0.0/0"), &[], &c, Span::default());
        assert!(all.matches(&set(&["cidr:10.1.0.0/16", "reserved:world-ipv4"]), &c));
        assert!(!all.matches(&set(&["reserved:aggregate-world"]), &c));
    }

    #[test]
    fn an_empty_group_selector_is_the_wildcard() {
        let c = Config::default();
        let s = Selector::cidr_groups(LabelQuery::default(), &[], &c, Span::default());
        assert!(s.is_wildcard());
        assert!(s.matches(&set(&["k8s:app=web"]), &c));
        let e = Selector::cidr_groups(
            LabelQuery::default(),
            &[("10.0.0.0/8", net("10.0.0.0/8"))],
            &c,
            Span::default(),
        );
        assert!(!e.is_wildcard());
        assert!(!e.matches(&set(&["k8s:app=web"]), &c));
        assert!(e.matches(&set(&["reserved:world-ipv4"]), &c));
    }

    #[test]
    fn group_values_are_part_of_the_key() {
        let c = Config::default();
        let mut q = LabelQuery::default();
        q.add_match("cidrgroup:env", "prod");
        let s = Selector::cidr_groups(q, &[], &c, Span::default());
        let group = set(&[
            "cidrgroup:env=dev",
            "cidrgroup:env+prod",
            "reserved:world-ipv4",
        ]);
        assert!(s.matches(&group, &c));
        assert!(!s.matches(&set(&["cidrgroup:env=prod", "reserved:world-ipv4"]), &c));
    }

    #[test]
    fn the_entity_none_is_known() {
        assert!(Selector::reserved("none", Span::default()).is_none());
        assert!(!Selector::reserved("host", Span::default()).is_none());
        assert!(Selector::wildcard(Span::default()).is_wildcard());
    }
}
