//! Verdicts under criterion: `cargo bench -p netverdict-benches [-- FILTER]`.
//!
//! The same worlds, questions and contenders as `netverdict-bench lookup`, for
//! work on one of them. Ratios belong to `cargo xtask bench`, whose contenders
//! take turns; criterion measures one after the other.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use netverdict::rule::Direction as RuleDirection;
use netverdict_benches::lookup::contest::question;
use netverdict_benches::lookup::maps::{HashMaps, Tries};
use netverdict_benches::lookup::world::{Spread, World};
use netverdict_benches::lookup::{Ask, Tables, dependent, independent};
use netverdict_table::{Answer, Direction, Live, Question};
use rustc_hash::FxBuildHasher;
use std::hint::black_box;

fn both<T: Tables>(c: &mut Criterion, group: &str, name: &str, asks: &[Ask], tables: &T) {
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Elements(asks.len() as u64));
    let zero = black_box(0);
    group.bench_function(format!("{name}, waits"), |b| {
        b.iter(|| dependent(tables, asks, zero));
    });
    let mut answers = vec![0; asks.len()];
    group.bench_function(format!("{name}, alone"), |b| {
        b.iter(|| independent(tables, asks, black_box(&mut answers)));
    });
    group.finish();
}

fn one_subject(c: &mut Criterion) {
    let world = World::one(100, 10_000);
    let (view, entries) = (world.view(), world.entries());
    let asks = world.asks(1 << 14, Spread::Uniform, &[RuleDirection::Ingress]);
    let hand = view.policy(0, Direction::Ingress).expect("a policy");
    let live = Live::new(&world.image).expect("a sound image");
    let name = "one subject";
    both(c, name, "policy in hand", &asks, &hand);
    both(c, name, "table", &asks, &view);
    both(c, name, "live table", &asks, &live.reader());
    let fx = HashMaps::<FxBuildHasher>::new(&entries, &world.of);
    both(c, name, "FxHash", &asks, &fx);
    let ahash = HashMaps::<ahash::RandomState>::new(&entries, &world.of);
    both(c, name, "ahash", &asks, &ahash);
    both(c, name, "LPM trie", &asks, &Tries::new(&entries, &world.of));
}

fn many_subjects(c: &mut Criterion) {
    let cluster = World::cluster();
    for subjects in [100, 10_000] {
        let world = World::of_cluster(&cluster, subjects);
        let view = world.view();
        for (name, spread) in [("uniform", Spread::Uniform), ("Zipf", Spread::Zipf)] {
            let both_ways = [RuleDirection::Ingress, RuleDirection::Egress];
            let asks = world.asks(1 << 16, spread, &both_ways);
            let group = format!("{subjects} subjects, {name}");
            both(c, &group, "table", &asks, &view);
            let questions: Vec<Question> = asks.iter().map(question).collect();
            let mut answers = vec![Answer::DROP; asks.len()];
            let mut group = c.benchmark_group(group);
            group.throughput(Throughput::Elements(asks.len() as u64));
            group.bench_function("table, batch", |b| {
                b.iter(|| view.verdict_batch(&questions, black_box(&mut answers)));
            });
            group.finish();
        }
    }
}

criterion_group!(benches, one_subject, many_subjects);
criterion_main!(benches);
