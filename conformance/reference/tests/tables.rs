//! Verdict tables against the policy maps they are compiled from, in every
//! field, on generated scenarios.

use netverdict_reference::generate::{Profile, generate, wide};
use netverdict_reference::judge::table_disagreement;
use netverdict_table::layout::{WIDE_CELLS, WIDE_PEERS, WIDE_PORTS};
use netverdict_table::{Direction, View};

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

fn tables_agree(profile: Profile) {
    let first = number("NETVERDICT_SEED", 0);
    let mut asked = 0;
    for seed in first..first + number("NETVERDICT_CASES", 12) {
        let scenario = generate(seed, profile);
        let prepared = scenario.prepare();
        let image = prepared.compile().unwrap();
        let proven = prepared.verify(&image);
        match proven
            .map_err(|e| e.to_string())
            .and_then(|_| table_disagreement(&prepared, &image, 1))
        {
            Ok(n) => asked += n,
            Err(error) => panic!(
                "{}\n{:?}\n{}\n{error}",
                scenario.name,
                scenario.config,
                scenario.policies.join("---\n")
            ),
        }
        assert_eq!(
            image,
            scenario.prepare().compile().unwrap(),
            "the same input gives the same bytes"
        );
    }
    assert!(asked > 20_000, "only {asked} questions were asked");
}

#[test]
fn tables_agree_with_maps_on_simple_scenarios() {
    tables_agree(Profile::Simple);
}

#[test]
fn tables_agree_with_maps_on_full_scenarios() {
    tables_agree(Profile::Full);
}

#[test]
fn wide_tables_agree_with_maps() {
    let scenario = wide(300);
    let prepared = scenario.prepare();
    let image = prepared.compile().unwrap();
    let view = View::new(&image).unwrap();
    prepared.verify(&image).unwrap_or_else(|e| panic!("{e}"));
    let policy = view.policy(0, Direction::Egress).unwrap();
    let wide = WIDE_PEERS | WIDE_PORTS | WIDE_CELLS;
    assert_eq!(policy.descriptor().flags & wide, wide);
    assert_eq!(
        table_disagreement(&prepared, &image, 101).map(|n| n > 10_000),
        Ok(true)
    );
}
