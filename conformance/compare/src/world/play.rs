//! What netverdict makes of a world.

use super::{
    Flow as FlowOutcome, MapOutcome, NamedIdentity, SideOutcome, World, WorldCase, WorldFlow,
    WorldOutcome,
};
use crate::case::CaseError;
use crate::outcome::{Names, entry};
use netverdict::cluster::{
    Cluster, ClusterOptions, Decision, FlowAnswer, Peer, ResolvedPolicy, SideAnswer, Target,
};
use netverdict::config::Config;
use netverdict::diagnostic::Diagnostic;
use netverdict::identity::{NumericIdentity, Reserved};
use netverdict::label::{Label, LabelFilter};
use netverdict::object::Object;
use netverdict::object::load::{LoadOptions, Strictness, load};
use netverdict::rule::{Rule, protocol};
use netverdict::scenario::map_entries;
use netverdict::source::Sources;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A world with the cluster netverdict makes of it.
pub(super) struct Played<'c> {
    pub(super) case: &'c WorldCase,
    pub(super) cluster: Cluster,
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
    names: Names,
}

fn wrong(what: impl std::fmt::Display) -> CaseError {
    CaseError(what.to_string())
}

impl World {
    /// The agent's options.
    #[must_use]
    pub fn config(&self) -> Config {
        Config {
            allow_icmp_frag_needed: !self.disable_icmp_frag_needed,
            cluster_network_policy: !self.disable_cluster_network_policy,
            well_known_identities: self.well_known_identities,
            fixed_identities: self.fixed_identities.clone(),
            ..Config::from(&self.config)
        }
    }
}

impl WorldCase {
    /// What netverdict answers.
    ///
    /// # Errors
    /// When a question cannot be read, or names nothing of the world.
    pub fn play(&self) -> Result<WorldOutcome, CaseError> {
        Played::new(self)?.outcome()
    }
}

impl<'c> Played<'c> {
    pub(super) fn new(case: &'c WorldCase) -> Result<Self, CaseError> {
        let config = case.world.config();
        let mut options = LoadOptions::new(&config);
        if case.world.config.enforce_schema {
            options.strictness = Strictness::Crds;
        }
        let mut sources = Sources::new();
        let mut diagnostics = Vec::new();
        let mut objects: Vec<Object> = Vec::new();
        for (i, text) in case.world.objects.iter().enumerate() {
            let source = sources.add(i.to_string(), text.as_str());
            let loaded = load(source, text, &options);
            diagnostics.extend(loaded.diagnostics.iter().cloned());
            objects.extend(loaded.into_objects());
        }
        let labels = case.world.identity_labels.iter().map(String::as_str);
        let cluster_options = ClusterOptions {
            filter: LabelFilter::new(labels).map_err(wrong)?,
            local_node: Some(case.world.local_node.clone()).filter(|n| !n.is_empty()),
            resolved_names: case.world.names.clone(),
        };
        let cluster = Cluster::build(config, cluster_options, objects);
        diagnostics.extend(cluster.diagnostics().iter().cloned());
        let names = names(&cluster);
        Ok(Self {
            case,
            cluster,
            sources,
            diagnostics,
            names,
        })
    }

    fn outcome(&self) -> Result<WorldOutcome, CaseError> {
        let flows = self.case.flows.iter();
        let flows: Result<_, _> = flows.map(|f| Ok(self.flow(&self.ask(f)?))).collect();
        let maps: Result<_, _> = self.case.maps.iter().map(|m| self.map(m)).collect();
        let identities = self.case.identities.iter();
        let identities: Result<_, _> = identities.map(|i| self.identity(i)).collect();
        Ok(WorldOutcome {
            diagnostics: self.diagnostics.iter().map(|d| self.short(d)).collect(),
            flows: flows?,
            maps: maps?,
            identities: identities?,
        })
    }

    fn short(&self, diagnostic: &Diagnostic) -> String {
        // The name of a source is its position in the list of texts.
        match self.sources.get(diagnostic.span.source) {
            Some(_) => format!(
                "{}@{}",
                diagnostic.code,
                self.sources.locate(diagnostic.span)
            ),
            None => diagnostic.code.to_string(),
        }
    }

    pub(super) fn peer(&self, text: &str) -> Result<Peer, CaseError> {
        let found = self.cluster.peer(text);
        found.map_err(|d| wrong(format!("`{text}`: {}", d.message)))
    }

    pub(super) fn ask(&self, asked: &WorldFlow) -> Result<FlowAnswer, CaseError> {
        let (from, to) = (self.peer(&asked.from)?, self.peer(&asked.to)?);
        let (protocol, port, icmp_code) = asked.packet()?;
        Ok(self.cluster.flow(&netverdict::cluster::Flow {
            from: &from,
            to: &to,
            protocol,
            port,
            icmp_code,
            untracked_fragment: asked.fragment,
        }))
    }

    fn flow(&self, answer: &FlowAnswer) -> FlowOutcome {
        FlowOutcome {
            verdict: word(&answer.overall),
            egress: answer.egress.as_ref().map(|s| self.side(s)),
            ingress: answer.ingress.as_ref().map(|s| self.side(s)),
        }
    }

    pub(super) fn side(&self, side: &SideAnswer) -> SideOutcome {
        let key = side.entry.as_ref().map(|(key, _)| {
            let (l4, id) = (key.l4, self.name(key.identity));
            format!("{id} {} {}/{}", l4.protocol, l4.port, l4.port_prefix)
        });
        let parser = side.entry.as_ref().and_then(|(key, entry)| {
            let map = &side.policy.as_ref()?.map;
            map.direction(key.direction).redirect_of(entry)
        });
        let mut rules: Vec<String> = side.rules.iter().map(|r| self.rule(r)).collect();
        rules.sort();
        rules.dedup();
        SideOutcome {
            verdict: word(&side.decision),
            peer: side.peer.map(|id| self.name(id)).unwrap_or_default(),
            match_type: side.match_type.as_str().to_owned(),
            key: key.unwrap_or_default(),
            code: side.code,
            parser: parser.map_or("", |r| r.parser.as_str()).to_owned(),
            auth: i16::from(side.auth_type),
            rules,
        }
    }

    fn rule(&self, rule: &Arc<Rule>) -> String {
        let id = rule.origin.id();
        match self.sources.get(rule.origin.span.source) {
            Some(source) if !rule.origin.is_synthesized() => {
                format!("{id}@{}", source.position(rule.origin.span.start).line)
            }
            _ => id,
        }
    }

    fn map(&self, subject: &str) -> Result<MapOutcome, CaseError> {
        let policy = self.policy(subject)?;
        let Some(policy) = policy else {
            return Ok(MapOutcome {
                subject: subject.to_owned(),
                error: true,
                ..MapOutcome::default()
            });
        };
        let entries = map_entries(&policy.subject, &policy.map);
        Ok(MapOutcome {
            subject: subject.to_owned(),
            ingress_enabled: policy.subject.ingress.enforced,
            egress_enabled: policy.subject.egress.enforced,
            error: false,
            map: entries.iter().map(|e| entry(e, &self.names)).collect(),
        })
    }

    /// A policy; `None` when its rules contradict each other.
    pub(super) fn policy(&self, subject: &str) -> Result<Option<Arc<ResolvedPolicy>>, CaseError> {
        if subject == "host" {
            return Ok(self.cluster.host_policy().ok());
        }
        match self.peer(subject)?.target {
            Target::Endpoint(e) => Ok(self.cluster.policy(&e).ok()),
            _ => Err(wrong(format!("`{subject}` has no policy map"))),
        }
    }

    fn identity(&self, of: &str) -> Result<NamedIdentity, CaseError> {
        let id = match self.peer(of)?.target {
            Target::Endpoint(e) => e.identity,
            Target::Address(ip) => self.cluster.identity_at(ip, None),
            _ => return Err(wrong(format!("`{of}` is neither endpoint nor address"))),
        };
        let labels = self.cluster.identities().get(id).into_iter().flatten();
        let mut labels: Vec<String> = labels.map(Label::to_string).collect();
        labels.sort();
        Ok(NamedIdentity {
            of: of.to_owned(),
            id: self.names.peer(id.0).id,
            labels,
        })
    }

    fn name(&self, id: NumericIdentity) -> String {
        match Reserved::by_id(id) {
            Some(reserved) => reserved.name.to_owned(),
            None => self.names.peer(id.0).name(),
        }
    }
}

impl WorldFlow {
    /// IP protocol, port or ICMP type, ICMP code.
    pub(super) fn packet(&self) -> Result<(u8, u16, Option<u8>), CaseError> {
        let number = |name: &str| {
            let known = protocol::number(name).or_else(|| name.parse().ok());
            known.ok_or_else(|| wrong(format!("`{name}` is no protocol")))
        };
        let icmp = |text: &str| {
            let (kind, code) = text.split_once('/').unwrap_or((text, ""));
            let code = Some(code).filter(|c| !c.is_empty());
            let code = code.map(str::parse).transpose().map_err(wrong)?;
            Ok::<_, CaseError>((kind.parse::<u8>().map_err(wrong)?, code))
        };
        match (&*self.port, &*self.icmp, &*self.icmpv6) {
            (text, "", "") => match text.split_once('/') {
                Some((port, name)) => Ok((number(name)?, port.parse().map_err(wrong)?, None)),
                None => Ok((number(text)?, 0, None)),
            },
            ("", text, "") => {
                icmp(text).map(|(kind, code)| (protocol::ICMP, u16::from(kind), code))
            }
            ("", "", text) => {
                icmp(text).map(|(kind, code)| (protocol::ICMPV6, u16::from(kind), code))
            }
            _ => Err(wrong("a flow has one of `port`, `icmp` and `icmpv6`")),
        }
    }
}

fn word(decision: &Decision) -> String {
    let verdict = decision.verdict();
    verdict.map_or("unknown", |v| v.as_str()).to_owned()
}

/// Names of the identities that engines number as they like: the first
/// endpoint or prefix that has one. Numbers that objects or options give
/// stay numbers.
fn names(cluster: &Cluster) -> Names {
    let mut names = BTreeMap::new();
    let given: Vec<u32> = cluster
        .objects()
        .filter_map(|o| match o {
            Object::CiliumIdentity(i) => Some(i.id.value),
            _ => None,
        })
        .collect();
    let own = |id: NumericIdentity| id.0 > 255 && !given.contains(&id.0);
    for endpoint in cluster.endpoints().iter().filter(|e| own(e.identity)) {
        let name = || endpoint.to_string();
        names.entry(endpoint.identity.0).or_insert_with(name);
    }
    for (prefix, entry) in cluster.ipcache().iter().filter(|(_, e)| own(e.id)) {
        names
            .entry(entry.id.0)
            .or_insert_with(|| prefix.to_string());
    }
    Names(names)
}
