//! An engine and its documents.
//!
//! In: texts by name, and questions. Out: values that become JSON. Everything
//! is answered by `netverdict` and `netverdict-analysis`.

use crate::place::Range;
use crate::told::{JsDiagnostics, Told};
use netverdict::cluster::{
    AskError, AskedFlow, Change, Cluster, Documents, Endpoint, JsonFlow, JsonSide, ResolvedPolicy,
    Target,
};
use netverdict::label::LabelSet;
use netverdict::object::load::LoadOptions;
use netverdict::policy_map::JsonEntry;
use netverdict::rule::protocol;
use netverdict::scenario::Settings;
use netverdict_analysis::following::Following;
use netverdict_analysis::json::{self, JsonPolicies};
use netverdict_analysis::lint::Linter;
use serde::Serialize;
use std::sync::Arc;

/// Documents, the cluster they make, and how both came about.
#[derive(Debug)]
pub(crate) struct Session {
    settings: Settings,
    documents: Documents,
    cluster: Cluster,
    linter: Linter,
    told: Told,
    /// Since somebody asked for connections.
    following: Option<Following>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Edit {
    pub(crate) range: Option<Range>,
    pub(crate) text: String,
}

/// A workload or pod.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Workload {
    name: String,
    namespace: String,
    kind: &'static str,
    identity: u32,
    labels: Vec<String>,
    addresses: Vec<String>,
    ports: Vec<WorkloadPort>,
    host_network: bool,
    range: Option<Range>,
}

#[derive(Debug, Serialize)]
struct WorkloadPort {
    name: String,
    port: u16,
    protocol: &'static str,
}

/// An identity in force.
#[derive(Debug, Serialize)]
pub(crate) struct Identity {
    id: u32,
    labels: Vec<String>,
}

impl Session {
    pub(crate) fn new(settings: &str) -> Result<Self, String> {
        let settings = Settings::parse(settings)?;
        let cluster = Cluster::new(settings.config(), settings.cluster_options()?);
        Ok(Self {
            settings,
            documents: Documents::new(),
            cluster,
            linter: Linter::default(),
            told: Told::default(),
            following: None,
        })
    }

    /// A document comes, or takes the place of the one with its name.
    pub(crate) fn set(&mut self, name: &str, text: &str) {
        let config = self.cluster.config().clone();
        let options = self.settings.load_options(&config);
        let name = name.to_owned();
        self.told.forget(self.documents.source(&name));
        let changes = self.documents.set(&name, text, &options);
        self.told.forget(self.documents.source(&name));
        self.apply(changes);
    }

    /// A document goes; false when there was none.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let config = self.cluster.config().clone();
        let options = self.settings.load_options(&config);
        let name = name.to_owned();
        self.told.forget(self.documents.source(&name));
        let Some(changes) = self.documents.remove(&name, &options) else {
            return false;
        };
        self.apply(changes);
        true
    }

    fn apply(&mut self, changes: Vec<Change>) {
        let open = self.documents.open_policies();
        if let Some(following) = &mut self.following {
            following.apply(changes.clone(), open.clone());
        }
        self.cluster.apply(changes);
        self.cluster.set_open_policies(open);
    }

    pub(crate) const fn documents(&self) -> &Documents {
        &self.documents
    }

    pub(crate) const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// How texts are read.
    pub(crate) fn load_options(&self) -> LoadOptions<'_> {
        self.settings.load_options(self.cluster.config())
    }

    /// What there is to say about all documents: each by itself, how they fit
    /// together, and what is probably not meant.
    pub(crate) fn diagnostics(&mut self) -> JsDiagnostics {
        let together = self.linter.together(&self.cluster);
        let documents = &self.documents;
        let names = documents.names();
        let own = names.flat_map(|name| documents.diagnostics(name)).cloned();
        self.told.tell(own.chain(together), documents.sources())
    }

    /// What becomes of a flow; with `explained`, why.
    pub(crate) fn verdict(
        &self,
        question: &str,
        explained: bool,
    ) -> Result<JsonFlow<JsonSide>, AskError> {
        let asked = AskedFlow::parse(question)?;
        asked.answer(&self.cluster, self.documents.sources(), explained)
    }

    pub(crate) fn workloads(&self) -> Vec<Workload> {
        let workload = |endpoint: &Arc<Endpoint>| Workload {
            name: endpoint.to_string(),
            namespace: endpoint.namespace.clone(),
            kind: endpoint.kind,
            identity: endpoint.identity.0,
            labels: labels(&endpoint.labels),
            addresses: endpoint.addresses.iter().map(ToString::to_string).collect(),
            ports: endpoint
                .ports
                .iter()
                .map(|port| WorkloadPort {
                    name: port.name.clone(),
                    port: port.port,
                    protocol: protocol::name(port.protocol).unwrap_or_default(),
                })
                .collect(),
            host_network: endpoint.host_network,
            range: Range::new(endpoint.span, self.documents.sources()),
        };
        self.cluster.endpoints().iter().map(workload).collect()
    }

    pub(crate) fn identities(&self) -> Vec<Identity> {
        let all = self.cluster.identities().iter();
        all.map(|(id, of)| Identity {
            id: id.0,
            labels: labels(of),
        })
        .collect()
    }

    pub(crate) fn reach(&self, pods: bool, denied: bool, exposure: bool) -> Result<String, String> {
        let all = json::connectivity(&self.cluster, pods, denied, exposure);
        all.map_err(|e| e.to_string())
    }

    /// The connections by workload that changed after a revision.
    pub(crate) fn reach_since(&mut self, revision: u32) -> Result<String, String> {
        let cluster = &self.cluster;
        let following = self
            .following
            .get_or_insert_with(|| Following::new(cluster));
        let told = following.since(revision.into());
        told.map_err(|e| e.to_string())
    }

    /// What is different from `old`.
    pub(crate) fn diff(&self, old: &Self, pods: bool) -> Result<String, String> {
        let clusters = [&old.cluster, &self.cluster];
        let sources = [old.documents.sources(), self.documents.sources()];
        json::difference(clusters, sources, pods).map_err(|e| e.to_string())
    }

    /// Everything that applies to a workload.
    pub(crate) fn policies(&self, workload: &str) -> Result<JsonPolicies, String> {
        let (endpoint, policy) = self.policy(workload)?;
        let sources = self.documents.sources();
        Ok(JsonPolicies::new(&endpoint, &policy, sources))
    }

    fn policy(&self, workload: &str) -> Result<(Arc<Endpoint>, Arc<ResolvedPolicy>), String> {
        let peer = self.cluster.peer(workload).map_err(|d| d.message)?;
        let Target::Endpoint(endpoint) = peer.target else {
            return Err(format!("`{workload}` is no workload"));
        };
        let policy = self.cluster.policy(&endpoint);
        let policy = policy.map_err(|e| format!("`{endpoint}` has no policy: {e}"))?;
        Ok((endpoint, policy))
    }

    /// The policy map of a workload.
    pub(crate) fn entries(&self, workload: &str) -> Result<Vec<JsonEntry>, String> {
        let (_, policy) = self.policy(workload)?;
        let sources = self.documents.sources();
        Ok(JsonEntry::all(&policy.map, &policy.subject, sources))
    }

    /// The verdict table of all endpoints, with the rules behind each verdict.
    pub(crate) fn compile(&self) -> Result<Vec<u8>, String> {
        let table = self.cluster.compile(Some(self.documents.sources()));
        table.map(|t| t.image).map_err(|e| e.to_string())
    }
}

fn labels(of: &LabelSet) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
}
