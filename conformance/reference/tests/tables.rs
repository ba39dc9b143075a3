//! Verdict tables against the policy maps they are compiled from, in every
//! field, on generated scenarios.

use netverdict::identity::NumericIdentity;
use netverdict::policy_map::Question;
use netverdict_reference::generate::{Profile, generate, wide};
use netverdict_reference::judge::{table_disagreement, table_questions};
use netverdict_table::layout::{WIDE_CELLS, WIDE_PEERS, WIDE_PORTS};
use netverdict_table::{Answer, Direction, Live, View};

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

/// The fields of an answer.
type Fields = (i16, u16, u8, u8);

const fn fields(a: &Answer) -> Fields {
    (
        a.code(),
        a.proxy_port(),
        a.auth_type(),
        a.match_type() as u8,
    )
}

#[test]
fn a_million_verdicts_are_those_of_the_maps() {
    let wanted = number("NETVERDICT_VERDICTS", 1_000_000);
    let (mut asked, mut passed, mut redirected) = (0u64, 0u64, 0u64);
    for seed in 5000.. {
        let scenario = generate(seed, Profile::Full);
        let prepared = scenario.prepare();
        let image = prepared.compile().unwrap();
        let view = View::new(&image).unwrap();
        let live = Live::new(&image).unwrap();
        let reader = live.reader();
        // Every seventh of as many questions as leave room for others.
        let questions: Vec<_> = table_questions(&prepared).step_by(7).take(40_000).collect();
        let mut answers = vec![Answer::DROP; questions.len()];
        view.verdict_batch(&questions, &mut answers);
        let maps: Vec<_> = prepared.maps().collect();
        for (question, answer) in questions.iter().zip(answers) {
            let (_, _, map) = maps[question.subject as usize];
            let direction = match question.direction {
                Direction::Ingress => netverdict::rule::Direction::Ingress,
                Direction::Egress => netverdict::rule::Direction::Egress,
            };
            let peer = NumericIdentity(question.identity);
            let mut q = Question::new(direction, peer, question.protocol, question.port);
            q.untracked_fragment = question.untracked_fragment;
            q.icmp_code = Some(question.icmp_code);
            let expected = map.lookup(&q, prepared.config());
            let expected = (
                expected.code,
                expected.proxy_port,
                expected.auth_type,
                expected.match_type as u8,
            );
            assert_eq!(fields(&answer), expected, "seed {seed}: {question:?}");
            assert_eq!(
                reader.verdict(question),
                Some(answer),
                "seed {seed}: {question:?}"
            );
            passed += u64::from(answer.is_allowed());
            redirected += u64::from(answer.proxy_port() != 0);
        }
        asked += questions.len() as u64;
        if asked >= wanted {
            break;
        }
    }
    assert!(asked >= wanted && passed > asked / 50 && redirected > 0);
    println!("{asked} verdicts, {passed} pass, {redirected} by way of a proxy");
}
