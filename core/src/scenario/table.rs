//! The verdict table of a scenario.
//!
//! In: a prepared scenario. Out: an image, the policies and maps it must agree
//! with, the proof that it does, and the scenario's answers as an image gives
//! them.

use super::answer::{Prepared, error, map_key};
use super::format::{Query, QueryAnswer};
use crate::compile::{CompileError, Compiler, RulePlace, Subject};
use crate::config::Config;
use crate::identity::{IdentityTable, NumericIdentity};
use crate::policy_map::{Key, L4Key, PolicyMap};
use crate::resolve::SubjectPolicy;
use crate::rule::{Direction, Rule};
use crate::verify::{Coverage, Expected, Fault, Verifier, Who};
use netverdict_table::{self as table, Answer, MatchType, View};
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

    /// Shows that an image says of the endpoints that have a policy what their
    /// policy maps say, for every identity, protocol and port.
    ///
    /// # Errors
    /// The first difference.
    pub fn verify(&self, image: &[u8]) -> Result<Coverage, Fault> {
        let mut verifier = Verifier::new(image, &self.config)?;
        let mut subjects = Vec::new();
        for (number, (identity, policy, map)) in (0u32..).zip(self.maps()) {
            let expected = Expected {
                map,
                policy: Some(policy),
                sources: Some(&self.sources),
            };
            verifier.policy(&[number], &expected)?;
            subjects.push(Who {
                identity,
                endpoints: vec![identity.0],
            });
        }
        let identities = self.world.identities.iter().map(|(id, _)| id);
        verifier.finish(&subjects, identities)
    }

    /// The scenario's queries, answered by an image of [`Self::compile`]. What
    /// a proxy does is not in an image: parser and listener are those that the
    /// policy map has for the entry that the image names.
    #[must_use]
    pub fn answer_by(&self, view: &View<'_>) -> Vec<QueryAnswer> {
        let queries = self.scenario.queries.iter();
        queries.map(|q| self.ask_table(view, q)).collect()
    }

    fn ask_table(&self, view: &View<'_>, query: &Query) -> QueryAnswer {
        let (place, map, peer) = match self.parties(query) {
            Ok(found) => found,
            Err(nobody) => return error(nobody),
        };
        let before = self.resolved.iter().take(place);
        let subject = before.filter(|r| r.result.is_ok()).count();
        let subject = u32::try_from(subject).unwrap_or(u32::MAX);
        let direction = match query.direction {
            Direction::Ingress => table::Direction::Ingress,
            Direction::Egress => table::Direction::Egress,
        };
        let (protocol, port) = (query.proto.0, query.port);
        let question = table::Question::new(subject, direction, peer.0, protocol, port);
        let Some(origin) = view.origin(&question) else {
            return error(("no such subject", peer.0));
        };
        let key = origin.winner.map(|w| Key {
            direction: query.direction,
            identity: NumericIdentity(w.identity),
            l4: L4Key {
                protocol: w.protocol,
                port: w.port,
                port_prefix: w.prefix_len.saturating_sub(8),
            },
        });
        let state = map.direction(query.direction);
        let entry = key.and_then(|key| state.get(key.identity, key.l4));
        let redirect = entry.and_then(|e| state.redirect_of(e));
        let answer = origin.answer;
        let (verdict, reason) = words(&answer);
        QueryAnswer {
            verdict: verdict.to_owned(),
            reason: reason.to_owned(),
            peer: peer.0,
            match_type: match_type(answer.match_type()).to_owned(),
            key: key.as_ref().map(map_key),
            parser: redirect.map_or("", |r| r.parser.as_str()).to_owned(),
            listener: redirect.map_or("", |r| &*r.listener).to_owned(),
            proxy_port: answer.proxy_port(),
            auth: answer.auth_type(),
        }
    }
}

const fn words(answer: &Answer) -> (&'static str, &'static str) {
    match answer.code() {
        0 if answer.proxy_port() != 0 => ("redirect", ""),
        0 => ("allowed", ""),
        -189 => ("auth", ""),
        -181 => ("denied", "deny"),
        _ => ("denied", "no-match"),
    }
}

const fn match_type(match_type: MatchType) -> &'static str {
    match match_type {
        MatchType::None => "none",
        MatchType::L3Only => "L3-Only",
        MatchType::L3L4 => "L3-L4",
        MatchType::L4Only => "L4-Only",
        MatchType::All => "All",
        MatchType::L3Proto => "L3-Proto",
        MatchType::ProtoOnly => "Proto-Only",
    }
}
