//! What somebody expects of their policies.
//!
//! In: a file of expectations and a cluster. Out: for each whether it holds,
//! and if not a flow that shows it, with the rules that decide.
//!
//! ```yaml
//! allow:
//! - from: shop/storefront
//!   to: shop/cart
//!   port: 7070
//! deny:
//! - from: [shop/cart, world]
//!   to: shop/catalogue
//!   ports: [80, http]
//! only:
//! - from: shop/storefront
//!   to: shop/cart
//! ```
//!
//! `allow`, `deny` and `redirect` ask about every sender, receiver and port of
//! an item; `only` says that nobody else reaches the receivers, whoever it is.
//! What nobody can tell fails an expectation: it is neither allowed nor denied.
//!
//! ```
//! use netverdict::{cluster::Cluster, source::SourceId};
//! use netverdict_analysis::{coverage::Coverage, expectation, expectation::Expectation};
//!
//! let text = "deny:\n- {from: shop/web, to: shop/db, port: 80}\n- {from: shop/web, to: shop/db, port: 5432}\n";
//! let expected = expectation::read(SourceId(0), text).expect("nothing to complain of");
//! let mut cluster = Cluster::read(include_str!("../../../core/examples/shop.yaml"))?;
//! // Whoever is expected and not there yet, and names that DNS would have answered.
//! expectation::prepare(&mut cluster, &expected);
//! let checked = expectation::check(&mut cluster, &expected, &mut Coverage::new());
//! assert!(checked[0].holds() && !checked[1].holds());
//! let broken: &Expectation = checked[1].expectation;
//! assert!(broken.title().contains("5432"));
//! assert_eq!(checked[1].failed[0].found, "allowed");
//! # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
//! ```

mod ask;
mod ends;
mod prepare;
mod read;
mod traffic;

pub use ask::{Checked, Failed, check};
pub use prepare::prepare;
pub use read::{Problem, read};

use netverdict::source::{Span, Spanned};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Flows get through, be it by way of a proxy.
    Allow,
    /// Flows are dropped, or what is sent on them is refused.
    Deny,
    /// Flows get through by way of a proxy.
    Redirect,
    /// Nobody but the senders gets through to the receivers.
    Only,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Deny, Self::Redirect, Self::Only];

    /// The key of its list.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Redirect => "redirect",
            Self::Only => "only",
        }
    }
}

/// One item of a file.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// What is expected.
    pub kind: Kind,
    /// What it is called; empty without `name`.
    pub name: String,
    /// Who sends.
    pub from: Vec<Spanned<String>>,
    /// Who receives.
    pub to: Vec<Spanned<String>>,
    /// `80`, `53/UDP`, `http`; none for every port of every protocol.
    pub ports: Vec<Spanned<String>>,
    /// `icmp`: types, by number or name.
    pub icmp: Vec<Spanned<String>>,
    /// `icmpv6`.
    pub icmpv6: Vec<Spanned<String>>,
    /// `http`: `GET /path host=name`.
    pub http: Option<Spanned<String>>,
    /// `headers`, each `Name: value`.
    pub headers: Vec<Spanned<String>>,
    /// `dns`: the name of a query.
    pub dns: Option<Spanned<String>>,
    /// `sni`: the name of a TLS handshake.
    pub sni: Option<Spanned<String>>,
    /// The item.
    pub span: Span,
}

impl Expectation {
    /// Its name, or what it says.
    #[must_use]
    pub fn title(&self) -> String {
        if !self.name.is_empty() {
            return self.name.clone();
        }
        let list = |items: &[Spanned<String>]| {
            let items: Vec<&str> = items.iter().map(|i| i.value.as_str()).collect();
            items.join(", ")
        };
        let mut what = list(&self.ports);
        for (name, items) in [("ICMP", &self.icmp), ("ICMPv6", &self.icmpv6)] {
            if !items.is_empty() {
                what = format!("{what} {name} {}", list(items)).trim().to_owned();
            }
        }
        if what.is_empty() {
            "every port".clone_into(&mut what);
        }
        for sent in [&self.http, &self.dns, &self.sni].into_iter().flatten() {
            what = format!("{what} {}", sent.value);
        }
        format!(
            "{} {} → {} {what}",
            self.kind.as_str(),
            list(&self.from),
            list(&self.to)
        )
    }
}

/// A file.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    /// Its items, in the order of the kinds and then as written.
    pub items: Vec<Expectation>,
    /// `names`: what DNS says.
    pub names: BTreeMap<String, Vec<IpAddr>>,
}

#[cfg(test)]
mod tests;
