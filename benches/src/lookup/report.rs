//! Every contest of lookups, as `cargo xtask bench` prints them.
//!
//! In: how many rounds. Out: JSON: per contest the questions' shape, and what
//! each contender took.

use super::classes::{self, Bitmaps, Bits, Flat, two_bits};
use super::contest::{Contest, Copies, Taken, question};
use super::maps::{HashMaps, Tries};
use super::world::{Spread, World};
use super::{Ask, Tables, answer_bits};
use netverdict::cluster::Cluster;
use netverdict::config::Config;
use netverdict::identity::NumericIdentity;
use netverdict::policy_map::{self, PolicyMap};
use netverdict::rule::Direction;
use netverdict_table::{Answer, Direction as Way, Live, Question, View};
use rustc_hash::FxBuildHasher;
use serde_json::{Value, json};
use std::hash::{BuildHasherDefault, DefaultHasher};

/// The standard library's hasher without random keys: runs are alike.
type Sip = BuildHasherDefault<DefaultHasher>;
/// The levels of a processor's memory, in bytes that fit well.
const L1: usize = 16 << 10;

/// The engine's own policy maps.
#[derive(Debug)]
struct PolicyMaps<'w>(&'w [PolicyMap], &'w [u32], &'w Config);

impl Tables for PolicyMaps<'_> {
    #[inline(always)]
    fn ask(&self, ask: &Ask) -> u64 {
        let map = &self.0[self.1[ask.subject as usize] as usize];
        let direction = if ask.egress {
            Direction::Egress
        } else {
            Direction::Ingress
        };
        let peer = NumericIdentity(ask.identity);
        let q = policy_map::Question::new(direction, peer, ask.protocol, ask.port);
        let found = map.lookup(&q, self.2);
        let [p0, p1] = found.proxy_port.to_be_bytes();
        let [c0, c1] = found.code.to_le_bytes();
        let deny = u8::from(found.code == -181);
        let m = found.match_type as u8;
        u64::from_le_bytes([p0, p1, deny, found.auth_type, c0, c1, m, 255])
    }
}

/// The right answers, which are the table's: contenders are compared with it.
fn expected(view: &View<'_>, asks: &[Ask]) -> Vec<u64> {
    let answer = |a: &Ask| view.verdict(&question(a)).expect("a subject");
    let answers = asks.iter().map(answer);
    answers
        .map(|a| {
            assert_eq!(a.cookie(), 0, "peers know no cookies");
            answer_bits(a)
        })
        .collect()
}

/// Everybody else on a world's questions.
fn add_peers<'c>(contest: &mut Contest<'c>, world: &'c World, entries: &'c [super::maps::Entries]) {
    let sip = HashMaps::<Sip>::new(entries, &world.of);
    contest.add("HashMap, SipHash", sip.bytes(), sip);
    let ahash = HashMaps::<ahash::RandomState>::new(entries, &world.of);
    contest.add("HashMap, ahash", ahash.bytes(), ahash);
    let fx = HashMaps::<FxBuildHasher>::new(entries, &world.of);
    contest.add("HashMap, FxHash", fx.bytes(), fx);
    let tries = Tries::new(entries, &world.of);
    contest.add("LPM trie", tries.bytes(), tries);
}

fn taken(list: Vec<Taken>) -> Value {
    list.into_iter()
        .map(|t| {
            json!({
                "name": t.name,
                "dependent": t.dependent,
                "independent": t.independent,
                "bytes": t.bytes,
            })
        })
        .collect()
}

fn contest_of(name: String, questions: &str, found: Vec<Taken>) -> Value {
    json!({"name": name, "questions": questions, "contenders": taken(found)})
}

/// One endpoint, its policy in hand, and every other form of it.
///
/// # Panics
/// When somebody's answer differs.
#[must_use]
pub fn one(policies: usize, identities: usize, rounds: usize) -> Value {
    let world = World::one(policies, identities);
    let view = world.view();
    let asks = world.asks(1 << 15, Spread::Uniform, &[Direction::Ingress]);
    let expected = expected(&view, &asks);
    let entries = world.entries();
    let live = Live::new(&world.image).expect("a sound image");
    let reader = live.reader();
    let both = classes::policies(&view);
    let sides = classes::both(&both);
    let hand = view.policy(0, Way::Ingress).expect("a policy");
    let (ids, protocols, ports) = columns(&asks);
    let questions: Vec<Question> = asks.iter().map(question).collect();
    let mut contest = Contest::new(&asks, &expected);
    contest.add_chase("one load in L1", L1);
    contest.add("policy in hand", world.image.len(), hand);
    contest.add_batch("policy in hand, batch of columns", |answers| {
        hand.verdict_batch(&ids, &protocols, &ports, answers);
    });
    contest.add("table", world.image.len(), view);
    contest.add_batch("table, batch", |answers| {
        view.verdict_batch(&questions, answers);
    });
    contest.add(
        "live policy in hand",
        world.image.len(),
        reader.policy(0, Way::Ingress).expect("a policy"),
    );
    contest.add("live table", world.image.len(), live.reader());
    add_peers(&mut contest, &world, &entries);
    contest.add(
        "policy map of the engine",
        0,
        PolicyMaps(&world.maps, &world.of, &world.config),
    );
    add_forms(&mut contest, &view, &both, &sides);
    let found = contest.run(rounds);
    contest_of(world.name.clone(), "uniform", found)
}

fn add_forms<'c>(
    contest: &mut Contest<'c>,
    view: &'c View<'c>,
    both: &'c [[netverdict_table::PolicyView<'c>; 2]],
    sides: &'c [netverdict_table::PolicyView<'c>],
) {
    let bitmaps = Bitmaps::new(view, both);
    contest.add("compressed bitmap per port class", bitmaps.bytes(), bitmaps);
    let bits = Bits::new(view, both);
    contest.add_telling(
        "two bits per identity and port class",
        bits.bytes(),
        bits,
        two_bits,
    );
    let own = Flat::own(view, sides);
    contest.add("classes without pages", own.bytes(), own);
    let shared = Flat::shared(view, sides);
    contest.add(
        "classes without pages, one port map",
        shared.bytes(),
        shared,
    );
}

fn columns(asks: &[Ask]) -> (Vec<u32>, Vec<u8>, Vec<u16>) {
    (
        asks.iter().map(|a| a.identity).collect(),
        asks.iter().map(|a| a.protocol).collect(),
        asks.iter().map(|a| a.port).collect(),
    )
}

/// One endpoint's traffic to prefixes: their identities go through roots, as
/// all do in clusters whose directories would be too large.
///
/// # Panics
/// When somebody's answer differs.
#[must_use]
pub fn rooted(policies: usize, identities: usize, rounds: usize) -> Value {
    let world = World::one(policies, identities);
    let view = world.view();
    let mut asks = world.asks(1 << 15, Spread::Uniform, &[Direction::Egress]);
    let prefixes: Vec<u32> = view.identities().filter(|id| id >> 24 == 1).collect();
    for ask in &mut asks {
        ask.identity = prefixes[ask.identity as usize % prefixes.len()];
    }
    let expected = expected(&view, &asks);
    let entries = world.entries();
    let hand = view.policy(0, Way::Egress).expect("a policy");
    let (ids, protocols, ports) = columns(&asks);
    let mut contest = Contest::new(&asks, &expected);
    contest.add_chase("one load in L1", L1);
    contest.add("policy in hand", world.image.len(), hand);
    contest.add_batch("policy in hand, batch of columns", |answers| {
        hand.verdict_batch(&ids, &protocols, &ports, answers);
    });
    contest.add("table", world.image.len(), view);
    add_peers(&mut contest, &world, &entries);
    let found = contest.run(rounds);
    let name = format!("{}, through roots", world.name);
    contest_of(name, "uniform, of prefixes", found)
}

/// Many subjects of one table.
///
/// # Panics
/// When somebody's answer differs.
#[must_use]
pub fn many(world: &World, spread: Spread, rounds: usize) -> Value {
    let view = world.view();
    let asks = world.asks(1 << 17, spread, &Direction::BOTH);
    let expected = expected(&view, &asks);
    let live = Live::new(&world.image).expect("a sound image");
    let questions: Vec<Question> = asks.iter().map(question).collect();
    let entries = world.entries();
    let (both, sides);
    let mut contest = Contest::new(&asks, &expected);
    contest.add_chase("one load of as many bytes", world.image.len());
    contest.add("table", world.image.len(), view);
    contest.add_batch("table, batch", |answers: &mut [Answer]| {
        view.verdict_batch(&questions, answers);
    });
    contest.add("live table", world.image.len(), live.reader());
    let small = world.of.len() <= 1000;
    if small {
        add_peers(&mut contest, world, &entries);
        contest.add(
            "policy map of the engine",
            0,
            PolicyMaps(&world.maps, &world.of, &world.config),
        );
        both = classes::policies(&view);
        sides = classes::both(&both);
        add_forms(&mut contest, &view, &both, &sides);
    } else {
        let fx = HashMaps::<FxBuildHasher>::new(&entries, &world.of);
        contest.add("HashMap, FxHash", fx.bytes(), fx);
        let tries = Tries::new(&entries, &world.of);
        contest.add("LPM trie", tries.bytes(), tries);
    }
    let found = contest.run(rounds);
    let spread = match spread {
        Spread::Uniform => "uniform",
        Spread::Zipf => "Zipf",
    };
    contest_of(world.name.clone(), spread, found)
}

/// As many copies of a table as no cache holds.
///
/// # Panics
/// When somebody's answer differs.
#[must_use]
pub fn in_memory(world: &World, copies: u32, rounds: usize) -> Value {
    let images: Vec<Vec<u8>> = (0..copies).map(|_| world.image.clone()).collect();
    let views = images.iter().map(|i| View::new(i).expect("a sound image"));
    let subjects = world.view().subjects();
    let copied = Copies {
        views: views.collect(),
        subjects,
    };
    let mut asks = world.asks(1 << 18, Spread::Uniform, &Direction::BOTH);
    let mut random = crate::random::Random(5);
    for ask in &mut asks {
        let copy = random.below(copies as usize) as u32;
        ask.subject += copy * subjects;
    }
    let expected: Vec<u64> = asks.iter().map(|a| copied.ask(a)).collect();
    let bytes = world.image.len() * copies as usize;
    let mut contest = Contest::new(&asks, &expected);
    contest.add_chase("one load of as many bytes", bytes);
    contest.add("table", bytes, copied);
    let found = contest.run(rounds);
    contest_of(format!("{copies} × {}", world.name), "uniform", found)
}

/// All contests.
#[must_use]
pub fn all(rounds: usize) -> Value {
    let cluster: Cluster = World::cluster();
    let node = World::of_cluster(&cluster, 100);
    let whole = World::of_cluster(&cluster, 10_000);
    drop(cluster);
    json!([
        one(10, 100, rounds),
        one(100, 10_000, rounds),
        one(1000, 10_000, rounds),
        rooted(100, 10_000, rounds),
        many(&node, Spread::Uniform, rounds),
        many(&node, Spread::Zipf, rounds),
        many(&whole, Spread::Uniform, rounds),
        many(&whole, Spread::Zipf, rounds),
        in_memory(&whole, 16, rounds),
    ])
}
