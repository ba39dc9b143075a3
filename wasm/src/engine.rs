//! The engine as JavaScript sees it.
//!
//! In: strings. Out: strings of JSON, whose types `npm/index.d.ts` says.

use crate::session::Session;
use crate::{change, text};
use netverdict::scenario::Scenario;
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;

/// An engine.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawEngine {
    session: Session,
}

fn json(value: &impl Serialize) -> String {
    // Nothing here has keys that are no strings.
    serde_json::to_string(value).unwrap_or_default()
}

/// Answers a scenario.
///
/// # Errors
/// When it is none.
#[wasm_bindgen]
pub fn answer_scenario(scenario: &str) -> Result<String, String> {
    let scenario = Scenario::parse(scenario).map_err(|e| e.to_string())?;
    Ok(json(&scenario.answer()))
}

/// Compiles the endpoints of a scenario that have a policy: subject i is the ith.
///
/// # Errors
/// When it is none, or a policy does not fit into a table.
#[wasm_bindgen]
pub fn compile_scenario(scenario: &str) -> Result<Vec<u8>, String> {
    let scenario = Scenario::parse(scenario).map_err(|e| e.to_string())?;
    let compiled = scenario.prepare().compile();
    compiled.map_err(|(subject, e)| format!("endpoint {subject}: {e}"))
}

#[wasm_bindgen]
impl RawEngine {
    /// An engine without documents.
    ///
    /// # Errors
    /// What is wrong with the settings.
    #[wasm_bindgen(constructor)]
    pub fn new(settings: &str) -> Result<Self, String> {
        let session = Session::new(settings)?;
        Ok(Self { session })
    }

    /// A document comes, or takes the place of the one with its name.
    pub fn set(&mut self, name: &str, text: &str) {
        self.session.set(name, text);
    }

    /// A document goes; false when there was none.
    pub fn remove(&mut self, name: &str) -> bool {
        self.session.remove(name)
    }

    /// Names of the documents.
    #[must_use]
    pub fn documents(&self) -> String {
        let names: Vec<&String> = self.session.documents().names().collect();
        json(&names)
    }

    /// The text of a document.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        let text = self.session.documents().text(&name.to_owned());
        text.map(str::to_owned)
    }

    /// Diagnostics of all documents, those told before by their numbers.
    #[must_use]
    pub fn diagnostics(&mut self) -> String {
        json(&self.session.diagnostics())
    }

    /// Workloads and pods.
    #[must_use]
    pub fn workloads(&self) -> String {
        json(&self.session.workloads())
    }

    /// Identities in force.
    #[must_use]
    pub fn identities(&self) -> String {
        json(&self.session.identities())
    }

    /// What becomes of a flow; with `explained`, why.
    ///
    /// # Errors
    /// When the question is malformed or an end of the flow is not found.
    pub fn verdict(&self, question: &str, explained: bool) -> Result<String, String> {
        let answer = self.session.verdict(question, explained);
        Ok(json(&answer.map_err(|e| e.to_string())?))
    }

    /// All connections.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn reach(&self, pods: bool, denied: bool, exposure: bool) -> Result<String, String> {
        self.session.reach(pods, denied, exposure)
    }

    /// The connections by workload that changed after a revision; of 0 all.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn reach_since(&mut self, revision: u32) -> Result<String, String> {
        self.session.reach_since(revision)
    }

    /// What is different from another engine.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn diff(&self, old: &Self, pods: bool) -> Result<String, String> {
        self.session.diff(&old.session, pods)
    }

    /// What to show beside a place.
    #[must_use]
    pub fn hover(&self, document: &str, offset: u32) -> String {
        json(&text::hover(&self.session, document, offset))
    }

    /// What could be written at a place.
    #[must_use]
    pub fn complete(&self, document: &str, offset: u32) -> String {
        json(&text::complete(&self.session, document, offset))
    }

    /// Where the things are written that a place names.
    #[must_use]
    pub fn definitions(&self, document: &str, offset: u32) -> String {
        json(&text::definitions(&self.session, document, offset))
    }

    /// All of the rule at `document:line:column`.
    #[must_use]
    pub fn locate(&self, at: &str) -> String {
        json(&text::locate(&self.session, at))
    }

    /// Everything that applies to a workload.
    ///
    /// # Errors
    /// When there is no such workload, or no policy for it.
    pub fn policies(&self, workload: &str) -> Result<String, String> {
        Ok(json(&self.session.policies(workload)?))
    }

    /// Changes that let a flow through.
    ///
    /// # Errors
    /// When the question is malformed or an end of the flow is not found.
    pub fn remedies(&self, question: &str) -> Result<String, String> {
        let remedies = change::remedies(&self.session, question);
        Ok(json(&remedies.map_err(|e| e.to_string())?))
    }

    /// Recorded flows against the policies.
    #[must_use]
    pub fn replay(&self, recording: &str, name: &str) -> String {
        json(&change::replay(&self.session, recording, name))
    }

    /// Policies for what is needed.
    ///
    /// # Errors
    /// When the request is malformed or an end of a flow is not found.
    pub fn generate(&self, request: &str) -> Result<String, String> {
        Ok(json(&change::generate(&self.session, request)?))
    }

    /// The policy map of a workload.
    ///
    /// # Errors
    /// When there is no such workload, or no policy for it.
    pub fn entries(&self, workload: &str) -> Result<String, String> {
        Ok(json(&self.session.entries(workload)?))
    }

    /// The verdict table of all endpoints.
    ///
    /// # Errors
    /// When a policy does not fit into a table.
    pub fn compile(&self) -> Result<Vec<u8>, String> {
        self.session.compile()
    }
}
