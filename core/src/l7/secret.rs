//! Values of header matches that secrets hold.
//!
//! In: Kubernetes secrets, and whether the agent reads them or leaves them to
//! Envoy's secret discovery. Out: what a header has to be. Follows Cilium
//! 1.20.2 pkg/crypto/certificatemanager and pkg/envoy/secretsync.go.

use std::collections::BTreeMap;

/// Items of a secret, by key.
pub type SecretItems = BTreeMap<String, String>;

/// Where the values of secrets come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// Envoy asks for them, which is Cilium's default
    /// (`enable-policy-secrets-sync`): values are those it was given.
    Discovered(BTreeMap<(String, String), SecretItems>),
    /// The agent reads them when it translates a policy.
    Inline(BTreeMap<(String, String), SecretItems>),
}

impl Default for Secrets {
    /// No secret is known.
    fn default() -> Self {
        Self::Discovered(BTreeMap::new())
    }
}

impl Secrets {
    /// What the agent reads: nothing with discovery; else the only item.
    ///
    /// # Errors
    /// Without such a secret, or unless it has exactly one item.
    pub(super) fn read(&self, secret: &(String, String)) -> Result<Option<&str>, ()> {
        let Self::Inline(all) = self else {
            return Ok(None);
        };
        let items = all.get(secret).ok_or(())?;
        match (items.values().next(), items.len()) {
            (Some(value), 1) => Ok(Some(value)),
            _ => Err(()),
        }
    }

    /// What Envoy is given: the item `generic`, else the only one. Secrets
    /// that look like certificates are no values.
    pub(super) fn delivered(&self, secret: &(String, String)) -> Option<&str> {
        let (Self::Discovered(all) | Self::Inline(all)) = self;
        let items = all.get(secret)?;
        let item = |key: &str| items.get(key).filter(|v| !v.is_empty());
        let certificates = ["tls.crt", "tls.key", "ca.crt", "tls.sessionticket.key"];
        if certificates.into_iter().any(|key| item(key).is_some()) {
            return None;
        }
        if let Some(generic) = item("generic") {
            return Some(generic);
        }
        match (items.values().next(), items.len()) {
            (Some(value), 1) => Some(value),
            _ => None,
        }
    }
}
