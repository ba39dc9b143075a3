//! HTTP rules under criterion: `cargo bench -p netverdict-benches --bench layer7`.
//!
//! In: one rule, and ten, a hundred and a thousand of them, each with a path and
//! a method of its own, on one port. Out: the time of a request that the last
//! rule allows, and of one that none does. What many rules cost over one is the
//! ratio to the first line.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use netverdict::l7::{HttpRules, Request, Secrets};
use netverdict::rule::HttpRule;
use std::hint::black_box;
use std::sync::Arc;

const METHODS: [&str; 4] = ["GET", "PUT", "POST|PATCH", "DELETE"];

fn rules(count: usize) -> HttpRules {
    let rule = |i: usize| {
        Arc::new(HttpRule {
            method: METHODS[i % METHODS.len()].to_owned(),
            path: format!("/v1/tenant-{i}/orders/[0-9]+(/items)?"),
            ..HttpRule::default()
        })
    };
    let rules: Vec<_> = (0..count).map(rule).collect();
    HttpRules::new(&rules, &Secrets::default())
}

fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("http");
    for count in [1, 10, 100, 1000] {
        let rules = rules(count);
        let last = count - 1;
        let method = METHODS[last % METHODS.len()]
            .split('|')
            .next()
            .unwrap_or("");
        let path = format!("/v1/tenant-{last}/orders/4711/items");
        for (name, path, allowed) in [
            ("allowed by the last", path.as_str(), true),
            ("403", "/v1/tenant-x/orders/4711/items", false),
        ] {
            let mut request = Request::new(method, "api.example.com", path);
            assert_eq!(rules.decide(&mut request).allowed, allowed);
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter(|| rules.decide(black_box(&mut request)).allowed);
            });
        }
    }
    group.finish();
}

criterion_group!(benches, requests);
criterion_main!(benches);
