//! Filters: what applies to one port and protocol, selector by selector.

use crate::rule::{Authentication, L7Rules, RulePort, RuleVerdict, TlsContext};
use crate::selector::SelectorId;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Which proxy parses traffic of a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Parser {
    /// None: no redirect.
    #[default]
    None,
    /// TLS server names or termination, without a layer-7 parser.
    Tls,
    /// A custom Envoy listener.
    Crd,
    /// HTTP.
    Http,
    /// DNS.
    Dns,
}

impl Parser {
    /// Cilium's name: empty for none.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Tls => "tls",
            Self::Crd => "crd",
            Self::Http => "http",
            Self::Dns => "dns",
        }
    }

    /// The listener priority of redirects to this parser: lower wins, 0 is the
    /// weakest (pkg/policy/l4.go).
    #[must_use]
    pub const fn default_priority(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Http => 101,
            Self::Tls => 116,
            Self::Dns => 121,
            Self::Crd => 126,
        }
    }

    const fn can_become(self, other: Self) -> bool {
        match self {
            Self::None => true,
            Self::Tls => matches!(other, Self::Http),
            _ => false,
        }
    }

    /// The parser that serves both, if one does.
    #[must_use]
    pub fn merge(self, other: Self) -> Option<Self> {
        if self == other || other.can_become(self) {
            Some(self)
        } else if self.can_become(other) {
            Some(other)
        } else {
            None
        }
    }
}

/// The rules something derives from: indices into the direction's rule list,
/// ascending.
#[derive(Clone, Debug, Default)]
pub struct Origin(Rules);

/// Most things derive from one rule.
#[derive(Clone, Debug)]
enum Rules {
    One(u32),
    /// None, or several.
    Many(Arc<Vec<u32>>),
}

impl Default for Rules {
    fn default() -> Self {
        Self::Many(Arc::default())
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        self.rules() == other.rules()
    }
}

impl Eq for Origin {}

impl Origin {
    /// A single rule.
    #[must_use]
    pub fn of(rule: u32) -> Self {
        Self(Rules::One(rule))
    }

    fn rules(&self) -> &[u32] {
        match &self.0 {
            Rules::One(rule) => std::slice::from_ref(rule),
            Rules::Many(all) => all,
        }
    }

    /// The indices, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.rules().iter().copied()
    }

    /// True when it derives from that rule.
    #[must_use]
    pub fn contains(&self, rule: u32) -> bool {
        self.rules().binary_search(&rule).is_ok()
    }

    /// Adds the rules of another. Very many selectors may meet in one entry,
    /// mostly in the order of their rules: what is there stays in place.
    pub fn extend(&mut self, other: &Self) {
        if self == other {
            return;
        }
        let all = match &mut self.0 {
            Rules::One(rule) => {
                let rule = *rule;
                self.0 = Rules::Many(Arc::new(vec![rule]));
                return self.extend(other);
            }
            Rules::Many(all) => Arc::make_mut(all),
        };
        for rule in other.iter() {
            if let Err(place) = all.binary_search(&rule) {
                all.insert(place, rule);
            }
        }
    }

    /// These rules, which are given in ascending order.
    pub(super) fn ascending(rules: Vec<u32>) -> Self {
        match rules.as_slice() {
            [rule] => Self::of(*rule),
            _ => Self(Rules::Many(Arc::new(rules))),
        }
    }
}

/// What happens to the peers of one selector within a filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SelectorPolicy {
    /// Flattened priority; lower wins.
    pub priority: u32,
    /// Allow, deny or pass.
    pub verdict: RuleVerdict,
    /// The proxy, if any.
    pub parser: Parser,
    /// Listener priority of the redirect.
    pub listener_priority: u8,
    /// Qualified name of a custom listener; empty without one.
    pub listener: Arc<str>,
    /// TLS contexts.
    pub tls: Tls,
    /// Allowed TLS server names; empty does not restrict.
    pub server_names: BTreeSet<Arc<str>>,
    /// Layer-7 rules; empty does not restrict.
    pub l7: L7Rules,
    /// `authentication`.
    pub authentication: Option<Authentication>,
    /// The rules it was merged from.
    pub origin: Origin,
}

/// TLS contexts of a redirect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Towards the client.
    pub terminating: Option<Arc<TlsContext>>,
    /// Towards the server.
    pub originating: Option<Arc<TlsContext>>,
}

/// What a filter matches; filters with equal keys are merged.
///
/// Ranges are not split: `80` and `80-90` are two filters, and so are `80` and
/// `80` with `endPort: 80`. A named port's end port is not part of its key:
/// the first rule sets it for all (pkg/policy/l4.go).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterKey {
    /// The port, or the first of a range.
    pub port: RulePort,
    /// The last port of a numeric range, as written.
    pub end_port: u16,
    /// IP protocol number; 0 is every protocol and goes with port 0.
    pub protocol: u8,
}

/// One port and protocol with what each selector's peers get there.
#[derive(Clone, Debug)]
pub struct Filter {
    /// What it matches.
    pub key: FilterKey,
    /// The last port; for named ports of the first rule that named it.
    pub end_port: u16,
    /// Per selector, in the order first met. Selectors of one rule share what
    /// they get.
    pub policies: Vec<(SelectorId, Arc<SelectorPolicy>)>,
    /// Position of the wildcard selector in [`Self::policies`].
    pub wildcard: Option<usize>,
}

impl Filter {
    /// The policy of the wildcard selector.
    #[must_use]
    pub fn wildcard_policy(&self) -> Option<&SelectorPolicy> {
        self.policies.get(self.wildcard?).map(|(_, p)| &**p)
    }
}

/// Features of a direction's rules that change how entries are inserted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Deny rules, redirects or priorities: entries can cover each other.
    pub precedence: bool,
    /// Explicit authentication.
    pub authentication: bool,
    /// Pass rules.
    pub pass: bool,
}
