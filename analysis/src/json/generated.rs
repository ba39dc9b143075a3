//! Generated policies and their proof, for programs.

use super::JsonEffect;
use crate::connectivity::{Connectivity, Options};
use crate::difference::{Difference, learn_same_names};
use crate::generate::{Generated, Need, Opened, Proof, Unmet, prove};
use netverdict::cluster::Cluster;
use netverdict::rule::JsonPlace;
use netverdict::source::{SourceId, Sources};
use serde::Serialize;

/// A need that is not met.
#[derive(Clone, Debug, Serialize)]
pub struct JsonUnmet {
    /// The need, in words.
    pub need: String,
    /// What happens instead.
    pub found: String,
    /// The rules that decide.
    pub rules: Vec<JsonPlace>,
}

/// A connection that nobody needs and that is open.
#[derive(Clone, Debug, Serialize)]
pub struct JsonOpened {
    /// Who sends.
    pub from: String,
    /// Who receives.
    pub to: String,
    /// Which ports.
    pub ports: String,
}

/// Policies, written and proved.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonGenerated {
    /// All policies as one text.
    pub yaml: String,
    /// Workloads and the text of their policies.
    pub policies: Vec<(String, String)>,
    /// How many connections were needed.
    pub needed: usize,
    /// How many of them pass.
    pub met: usize,
    /// Those that do not.
    pub unmet: Vec<JsonUnmet>,
    /// What else is open.
    pub opened: Vec<JsonOpened>,
    /// Everything that is different in the cluster.
    pub effects: Vec<JsonEffect>,
    /// Needs that no policy of this kind can meet, and why.
    pub left_out: Vec<String>,
    /// Complaints about the policies.
    pub refused: Vec<String>,
}

impl JsonGenerated {
    /// Adds the policies to a copy of the cluster and looks what changes.
    #[must_use]
    pub fn new(
        cluster: &Cluster,
        needs: &[Need],
        generated: &Generated,
        sources: &Sources,
    ) -> Self {
        let source = SourceId(u32::MAX);
        let mut after = cluster.rebuilt();
        let proof = prove(&mut after, needs, generated, source);
        let mut before = cluster.rebuilt();
        Self {
            yaml: generated.yaml(),
            policies: generated.policies.clone(),
            needed: needs.len(),
            effects: effects(&mut before, &mut after),
            left_out: generated.left_out.clone(),
            ..Self::of_proof(proof, sources)
        }
    }

    fn of_proof(proof: Proof, sources: &Sources) -> Self {
        let unmet = |u: Unmet| JsonUnmet {
            need: u.need,
            found: u.found,
            rules: u.rules.iter().map(|r| JsonPlace::new(r, sources)).collect(),
        };
        let opened = |o: Opened| JsonOpened {
            from: o.from,
            to: o.to,
            ports: o.ports,
        };
        Self {
            yaml: String::new(),
            policies: Vec::new(),
            needed: 0,
            met: proof.met,
            unmet: proof.unmet.into_iter().map(unmet).collect(),
            opened: proof.opened.into_iter().map(opened).collect(),
            effects: Vec::new(),
            left_out: Vec::new(),
            refused: proof.refused,
        }
    }
}

fn effects(before: &mut Cluster, after: &mut Cluster) -> Vec<JsonEffect> {
    let [stand_ins, _] = learn_same_names(before, after);
    let options = Options {
        stand_ins,
        all_entities: true,
        ..Options::default()
    };
    let old = Connectivity::new(before, &options);
    let new = Connectivity::new(after, &options);
    let difference = Difference::new(&old, &new);
    let pairs = difference.pairs.iter();
    pairs
        .flat_map(|pair| JsonEffect::of(pair, &pair.ports))
        .collect()
}
