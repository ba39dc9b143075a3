//! Redirects to proxies, and who says where they lead.

use crate::resolve::Parser;
use crate::rule::Direction;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a redirect is known by: Cilium's proxy id without the endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RedirectKey {
    /// Traffic direction.
    pub direction: Direction,
    /// IP protocol number.
    pub protocol: u8,
    /// The port, or the first of a range.
    pub port: u16,
    /// The parser.
    pub parser: Parser,
    /// Qualified name of a custom listener; empty without one.
    pub listener: Arc<str>,
}

/// Where redirects lead. The caller runs the proxies.
///
/// ```
/// use netverdict::policy_map::{ProxyPorts, RedirectKey};
///
/// /// Proxies that stand where their redirects say.
/// struct Beside;
///
/// impl ProxyPorts for Beside {
///     fn proxy_port(&mut self, redirect: &RedirectKey) -> Option<u16> {
///         // Port 0 is every port: nobody listens there.
///         (redirect.port != 0).then(|| redirect.port ^ 0x8000)
///     }
/// }
///
/// # use netverdict::{resolve::Parser, rule::Direction};
/// let http = RedirectKey {
///     direction: Direction::Ingress,
///     protocol: 6,
///     port: 80,
///     parser: Parser::Http,
///     listener: "".into(),
/// };
/// assert_eq!(Beside.proxy_port(&http), Some(32848));
/// ```
pub trait ProxyPorts {
    /// The proxy port of a redirect, host byte order. `None`: the redirect is
    /// not realised yet, and its entries are left out, as Cilium does.
    fn proxy_port(&mut self, redirect: &RedirectKey) -> Option<u16>;
}

/// Distinct proxy ports from 10001 on, for when no proxy runs: offline
/// answers, tests.
#[derive(Debug, Default)]
pub struct StandInProxyPorts {
    given: BTreeMap<RedirectKey, u16>,
}

impl ProxyPorts for StandInProxyPorts {
    fn proxy_port(&mut self, redirect: &RedirectKey) -> Option<u16> {
        let given = u16::try_from(self.given.len()).unwrap_or(u16::MAX);
        let next = 10_001u16.saturating_add(given);
        // Cilium's proxy ids do not tell parsers apart.
        let key = RedirectKey {
            parser: Parser::None,
            ..redirect.clone()
        };
        Some(*self.given.entry(key).or_insert(next))
    }
}
