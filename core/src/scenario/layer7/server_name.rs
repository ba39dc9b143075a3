//! Server names against `serverNames`.

use super::super::ScenarioError;
use crate::l7::{ServerNames, sent_server_name};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SniQuestion {
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    server_names: Vec<String>,
    q: Vec<Asked>,
    valid: bool,
    /// As the agent sends them to the proxy.
    sent: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    sni: String,
    #[serde(rename = "match")]
    matches: bool,
}

impl SniQuestion {
    pub(super) fn answer(&mut self) -> Result<(), ScenarioError> {
        self.valid = self.server_names.iter().all(|name| !name.is_empty());
        let written = self.server_names.iter().map(|n| n.as_str().into());
        let names = ServerNames::new(&written.collect());
        self.sent.clear();
        if self.valid {
            let distinct: std::collections::BTreeSet<&String> = self.server_names.iter().collect();
            self.sent = distinct.into_iter().map(|n| sent_server_name(n)).collect();
            self.sent.sort_unstable();
        }
        for q in &mut self.q {
            q.matches = self.valid && names.matching(Some(&q.sni)).is_some();
        }
        Ok(())
    }
}
