//! What netverdict says about documents, short enough for a case.
//!
//! In: a [`Scenario`]. Out: per document the codes of its diagnostics and
//! where they stand, as `NV0202@3:5`.

use netverdict::diagnostic::Diagnostic;
use netverdict::scenario::Scenario;
use netverdict::source::Sources;

/// The diagnostics of each document, in the order of the policies.
#[must_use]
pub fn diagnoses(scenario: &Scenario) -> Vec<Vec<String>> {
    let prepared = scenario.prepare();
    let documents = prepared.diagnostics().iter();
    documents
        .map(|all| all.iter().map(|d| short(d, prepared.sources())).collect())
        .collect()
}

/// `NV0202@3:5`: code, line and column; `NV0202` where there is no place.
pub(crate) fn short(diagnostic: &Diagnostic, sources: &Sources) -> String {
    match sources.get(diagnostic.span.source) {
        Some(source) => {
            let at = source.position(diagnostic.span.start);
            format!("{}@{}:{}", diagnostic.code, at.line, at.column)
        }
        None => diagnostic.code.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::diagnoses;
    use netverdict::scenario::Scenario;

    #[test]
    fn each_document_has_its_own_with_their_places() {
        let scenario = Scenario {
            policies: vec![
                "apiVersion: v1\nkind: Pod\nmetadata: {name: 7}\n---\nkind: [".to_owned(),
                "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p}\n\
                 spec: {endpointSelector: {}, ingress: [{fromEntities: [word]}]}\n"
                    .to_owned(),
            ],
            ..Scenario::default()
        };
        let found = diagnoses(&scenario);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0][0].ends_with("@3:18"), "{found:?}");
        assert!(found[1][0].contains("@5:"), "{found:?}");
        assert!(found[2][0].ends_with("@4:56"), "{found:?}");
    }
}
