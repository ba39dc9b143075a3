//! The verdict table of a scenario.
//!
//! In: a prepared scenario. Out: an image, and the policies and maps it must
//! agree with.

use super::answer::Prepared;
use crate::compile::{CompileError, Compiler, RulePlace, Subject};
use crate::config::Config;
use crate::identity::{IdentityTable, NumericIdentity};
use crate::policy_map::PolicyMap;
use crate::resolve::SubjectPolicy;
use crate::rule::Rule;
use std::sync::Arc;

impl Prepared<'_> {
    /// The endpoints that have a policy, with the policy and its map.
    pub fn maps(&self) -> impl Iterator<Item = (NumericIdentity, &SubjectPolicy, &PolicyMap)> {
        self.resolved.iter().filter_map(|r| {
            let (policy, map) = r.result.as_ref().ok()?;
            Some((r.id, &**policy, map))
        })
    }

    /// The agent's options.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The identities.
    #[must_use]
    pub fn identities(&self) -> &IdentityTable {
        &self.world.identities
    }

    /// A verdict table of the endpoints that have a policy: a subject for
    /// each, in the order of [`Self::maps`].
    ///
    /// # Errors
    /// When a policy does not fit, with the number of the subject.
    pub fn compile(&self) -> Result<Vec<u8>, (usize, CompileError)> {
        let subjects: Vec<Subject> = self
            .resolved
            .iter()
            .filter_map(|r| {
                let (policy, _) = r.result.as_ref().ok()?;
                let ports = r.ports.iter();
                Some(Subject {
                    identity: r.id,
                    endpoints: vec![r.id.0],
                    policy: Arc::clone(policy),
                    named_ports: ports
                        .map(|((n, p), port)| ((**n).into(), *p, *port))
                        .collect(),
                    proxy_ports: None,
                })
            })
            .collect();
        let place = |rule: &Rule| RulePlace::of(rule, &self.sources);
        let compiler = Compiler {
            selectors: self.repository.selectors(),
            named_ports: &self.world.peer_ports,
            revision: self.repository.revision(),
            places: Some(&place),
        };
        compiler.compile(&subjects)
    }
}
