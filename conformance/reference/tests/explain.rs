//! Explanations never disagree with verdicts, and the change they propose
//! turns the verdict round. Checked on generated scenarios; `NETVERDICT_CASES`
//! sets how many.

use netverdict::explain::{ChangeKind, Explanation, Fate};
use netverdict::policy_map::Verdict;
use netverdict::rule::RuleVerdict;
use netverdict::scenario::{Query, Scenario};
use netverdict_reference::generate::{Profile, generate};

fn cases() -> u64 {
    std::env::var("NETVERDICT_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(150)
}

fn word(e: &Explanation) -> (&'static str, &'static str) {
    match e.verdict {
        Verdict::Allow => ("allowed", ""),
        Verdict::Redirect => ("redirect", ""),
        Verdict::AuthRequired => ("auth", ""),
        Verdict::Deny => ("denied", "deny"),
        Verdict::DefaultDeny => ("denied", "no-match"),
    }
}

/// What must hold between an explanation and the packet it explains.
fn check_candidates(e: &Explanation, query: &Query, seed: u64) {
    let decides: Vec<_> = e
        .candidates
        .iter()
        .filter(|c| c.fate == Fate::Decides)
        .collect();
    assert_eq!(
        decides.is_empty(),
        e.key.is_none(),
        "seed {seed} {query:?}: an entry decides exactly when some rule does"
    );
    for c in &decides {
        assert!(
            c.peer.matches() && c.port.matches(),
            "seed {seed} {query:?}: {} {} decides without matching: {:?} {:?}",
            c.rule.origin.id(),
            c.rule.origin.path,
            c.peer,
            c.port
        );
        assert_ne!(c.rule.verdict, RuleVerdict::Pass, "seed {seed}");
        let denies = c.rule.verdict == RuleVerdict::Deny;
        assert_eq!(denies, e.verdict == Verdict::Deny, "seed {seed} {query:?}");
    }
    for c in &e.candidates {
        if c.fate == Fate::NoMatch {
            assert!(!c.reason().is_empty(), "seed {seed} {query:?}: no reason");
        }
        // A matching deny is never silently outvoted by rules below it.
        if c.rule.verdict == RuleVerdict::Deny && c.fate == Fate::MoreSpecific {
            assert_eq!(e.verdict, Verdict::Deny, "seed {seed} {query:?}");
        }
    }
}

/// Applies the proposed change to the scenario and asks again.
fn check_change(scenario: &Scenario, query: &Query, e: &Explanation, seed: u64) -> bool {
    let Some(change) = &e.change else {
        return false;
    };
    let ChangeKind::Add { policy, .. } = &change.kind else {
        return false;
    };
    let mut changed = scenario.clone();
    changed.policies.push(policy.clone());
    changed.queries = vec![query.clone()];
    let answer = changed.answer();
    let taken = answer.policies.last().unwrap();
    assert!(
        taken.accepted,
        "seed {seed}: the proposed policy is refused ({}):\n{policy}",
        taken.error
    );
    let q = answer.queries.first().unwrap();
    let allowed = matches!(q.verdict.as_str(), "allowed" | "redirect" | "auth");
    let was_allowed = matches!(e.verdict, Verdict::Allow | Verdict::Redirect);
    assert_ne!(
        allowed, was_allowed,
        "seed {seed} {query:?}: still {} after\n{policy}",
        q.verdict
    );
    true
}

#[test]
fn explanations_agree_with_verdicts() {
    let mut explained = 0;
    for seed in 0..cases() {
        let scenario = generate(seed, Profile::Full);
        let prepared = scenario.prepare();
        let answer = prepared.answer();
        for (query, told) in scenario.queries.iter().zip(&answer.queries) {
            let Some(e) = prepared.explain(query) else {
                assert_eq!(told.verdict, "error", "seed {seed} {query:?}");
                continue;
            };
            explained += 1;
            assert_eq!(
                word(&e),
                (told.verdict.as_str(), told.reason.as_str()),
                "seed {seed} {query:?}"
            );
            check_candidates(&e, query, seed);
        }
    }
    assert!(explained > 0);
}

#[test]
fn proposed_changes_turn_the_verdict_round() {
    let mut turned = 0;
    for seed in 0..cases() {
        // Without authentication and passes: what a policy of the normal tier
        // can do is then the whole story.
        let scenario = generate(seed, Profile::Simple);
        let prepared = scenario.prepare();
        for query in &scenario.queries {
            if let Some(e) = prepared.explain(query) {
                turned += usize::from(check_change(&scenario, query, &e, seed));
            }
        }
    }
    assert!(turned > 1000, "only {turned} changes were proposed");
}
