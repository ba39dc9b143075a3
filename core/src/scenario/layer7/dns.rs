//! Names against DNS rules and `toFQDNs`.

use super::super::ScenarioError;
use crate::identity::NamePattern;
use crate::l7::{DnsRule, DnsRules};
use crate::object::fqdn::{check_name, check_pattern};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NameRule {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) match_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) match_pattern: String,
}

impl NameRule {
    /// What a `toFQDNs` selector matches; a name comes first.
    pub(super) fn selector(&self) -> Option<NamePattern> {
        NamePattern::new(self.label())
    }

    /// The label that its addresses get.
    pub(super) fn label(&self) -> &str {
        match self.match_name.as_str() {
            "" => &self.match_pattern,
            name => name,
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DnsQuestion {
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    rules: Vec<NameRule>,
    q: Vec<Name>,
    valid: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Name {
    name: String,
    l7: bool,
    sel: bool,
}

impl DnsQuestion {
    pub(super) fn answer(&mut self) -> Result<(), ScenarioError> {
        let valid = |r: &NameRule| {
            check_name(&r.match_name).is_ok() && check_pattern(&r.match_pattern).is_ok()
        };
        self.valid = self.rules.iter().all(valid);
        let rules: Vec<DnsRule> = self
            .rules
            .iter()
            .map(|r| {
                (
                    r.match_name.as_str().into(),
                    r.match_pattern.as_str().into(),
                )
            })
            .collect();
        let rules = DnsRules::new(&rules);
        let selectors: Vec<NamePattern> =
            self.rules.iter().filter_map(NameRule::selector).collect();
        for q in &mut self.q {
            q.l7 = self.valid && rules.allows(&q.name);
            q.sel = self.valid && selectors.iter().any(|s| s.matches(&q.name));
        }
        Ok(())
    }
}
