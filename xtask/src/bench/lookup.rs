//! The pages about verdicts and about changes.
//!
//! In: what `netverdict-bench lookup` and `updates` print. Out: Markdown, with
//! a table of budgets first.

use super::written;
use serde_json::Value;
use std::fmt::Write as _;

const HEAD: &str = "
## Verdicts

Nanoseconds per verdict of one thread, the least of several rounds in which all contenders of a table take turns: what else
the machine does can only add. *waits*: each question is changed by the answer before it. *alone*: questions have nothing to
do with each other. *×* is a contender's time over that of the table (*policy in hand* where there is one, else *table*), so
above 1 is slower than netverdict. All contenders give the same answers, in every field but the cookie, to the same questions;
*two bits* tells only allowed, denied, redirected and unmatched apart. Hash maps and tries hold the policy map's entries and
are asked as Cilium's datapath asks. *One load* is a chain of loads over as many bytes: the limit of everything that waits.
Not shown: other processors, the cost of finding identity and subject of a packet, and what a machine of one's own would give:
the larger a table, the more its time is that of caches which other work empties.

What is known to stand against the aims: an answer with proxy port, authentication, cookie and match type takes a fourth load
that waits (directory, page, cell, entry), so six loads in L1 are just met when the processor is quiet; a trie over the few
entries of ten policies is shallow and no fifteen times slower than anything; tables of many subjects need the second-level cache
for themselves.
";

fn number(of: &Value, key: &str) -> f64 {
    of[key].as_f64().unwrap_or(0.0)
}

fn text<'v>(of: &'v Value, key: &str) -> &'v str {
    of[key].as_str().unwrap_or("")
}

fn list(of: &Value) -> impl Iterator<Item = &Value> {
    of.as_array().into_iter().flatten()
}

fn contender<'v>(contest: &'v Value, name: &str) -> Option<&'v Value> {
    list(&contest["contenders"]).find(|c| text(c, "name") == name)
}

/// The time of the table itself.
fn own(contest: &Value, key: &str) -> f64 {
    let ours = contender(contest, "policy in hand").or_else(|| contender(contest, "table"));
    ours.map_or(0.0, |c| number(c, key))
}

/// The least time of some contenders.
fn best(contest: &Value, start: &str, key: &str) -> f64 {
    let named = list(&contest["contenders"]).filter(|c| text(c, "name").starts_with(start));
    named
        .map(|c| number(c, key))
        .filter(|ns| *ns > 0.0)
        .fold(f64::INFINITY, f64::min)
}

fn ratio(a: f64, b: f64) -> String {
    match a > 0.0 && b > 0.0 && a.is_finite() {
        true => format!("{:.1}", a / b),
        false => String::new(),
    }
}

fn ns(n: f64) -> String {
    match n > 0.0 {
        true => format!("{n:.1}"),
        false => String::new(),
    }
}

/// Everything about verdicts.
pub(super) fn section(contests: &Value) -> String {
    let mut page = String::from(HEAD);
    page += &budgets(contests);
    for contest in list(contests) {
        let _ = write!(
            page,
            "\n### {}, {} questions\n\n| contender | waits | × | alone | million a second | × | bytes |\n|---|--:|--:|--:|--:|--:|--:|\n",
            text(contest, "name"),
            text(contest, "questions"),
        );
        let (waits, alone) = (own(contest, "dependent"), own(contest, "independent"));
        for c in list(&contest["contenders"]) {
            let (d, i) = (number(c, "dependent"), number(c, "independent"));
            let rate = if i > 0.0 {
                format!("{:.0}", 1e3 / i)
            } else {
                String::new()
            };
            let bytes = match number(c, "bytes") {
                b if b > 0.0 => format!("{b:.0}"),
                _ => String::new(),
            };
            let _ = writeln!(
                page,
                "| {} | {} | {} | {} | {rate} | {} | {bytes} |",
                text(c, "name"),
                ns(d),
                ratio(d, waits),
                ns(i),
                ratio(i, alone),
            );
        }
    }
    page
}

/// What is aimed at, and what came of it.
fn budgets(contests: &Value) -> String {
    let mut page = String::from("\n| what | aim | measured | |\n|---|--:|--:|---|\n");
    let mut line = |what: String, aim: f64, measured: f64, at_least: bool| {
        let met = (measured >= aim) == at_least;
        let (sign, met) = (
            if at_least { "≥" } else { "≤" },
            if met { "" } else { "missed" },
        );
        let _ = writeln!(page, "| {what} | {sign} {aim:.0} | {measured:.1} | {met} |");
    };
    for contest in list(contests) {
        let name = text(contest, "name");
        let (waits, alone) = (own(contest, "dependent"), own(contest, "independent"));
        let chase = contender(contest, "one load in L1").map(|c| number(c, "dependent"));
        let hash = best(contest, "HashMap", "dependent") / waits;
        if let Some(load) = chase.filter(|_| !name.contains("roots")) {
            let what = |what: &str| format!("{name}: {what}");
            line(
                what("loads in L1 that a verdict waits for"),
                6.0,
                waits / load,
                false,
            );
            let aim = if name.contains("100 policies, 10000") {
                5.0
            } else {
                3.0
            };
            line(what("best hash map, waits"), aim, hash, true);
            line(
                what("trie, waits"),
                15.0,
                best(contest, "LPM", "dependent") / waits,
                true,
            );
            line(what("million a second"), 400.0, 1e3 / alone, true);
            line(
                what("best hash map, alone"),
                10.0,
                best(contest, "HashMap", "independent") / alone,
                true,
            );
            line(
                what("trie, alone"),
                50.0,
                best(contest, "LPM", "independent") / alone,
                true,
            );
        }
        let batch = contender(contest, "table, batch").map(|c| number(c, "independent"));
        let aim = match name {
            n if n.starts_with("100 subjects") => 220.0,
            n if n.starts_with("10000 subjects") => 130.0,
            _ => continue,
        };
        if let Some(batch) = batch.filter(|_| text(contest, "questions") == "uniform") {
            line(
                format!("{name}: million a second, batch"),
                aim,
                1e3 / batch,
                true,
            );
        }
    }
    page
}

const UPDATES: &str = "
## Changes

From the change to the moment every reader sees it, in a cluster of 10,000 pods with an identity each, while another thread
looks verdicts up without pause: processor time of the thread that writes (p50 to max), and time on the clock on the wall, which
on a machine with other work is mostly that other work. *told*: a repository and a `Publisher` that are
told what changed. *found out*: a `PublishedCluster` that is given objects, and finds out what follows from them.
*whole* counts changes after which a new image took the place of the old one, because room had run out.

The aims are 15 µs for an identity that some hundred policies select, 30 µs for a policy, and 250 µs in 99 of 100 cases. They are
not reached. An identity takes one walk over its selectors, under which the directions that ask for them are filed with the step
they take; what is left is a page and a word for each of some 600 directions, and what changes in their policy maps, a tenth to
a quarter of a microsecond each, mostly of cache misses: every direction has a directory of its own. Doing all that
a direction needs before the next one is looked at was tried and is no faster, perhaps because misses of several short passes overlap. A policy is resolved and
compiled whole, both directions of it, when one of its rules changes. Pods cost what they touch, of 10,000 as of 100; a policy or a
CIDR group with new prefixes has all addresses and identities derived anew; proxy ports of all subjects at once compile every
subject by itself, because each may have ports of its own.
";

/// Everything about changes.
pub(super) fn updates(found: &Value) -> String {
    let mut page = String::from(UPDATES);
    let _ = write!(
        page,
        "\nLookups of the other thread: {:.1} million a second without changes, {:.1} during them.\n",
        number(found, "lookupsWithoutUpdates") / 1e6,
        number(found, "lookupsDuringUpdates") / 1e6,
    );
    page += "\n| change | | times | p50 | p90 | p99 | max | wall p50 | wall p99 | whole | writes |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
    for (level, key) in [("told", "published"), ("found out", "cluster")] {
        for kind in list(&found[key]) {
            let _ = writeln!(
                page,
                "| {} | {level} | {} | {} | {} | {} | {} | {} | {} | {} | {:.1} |",
                text(kind, "name"),
                kind["count"],
                written(number(kind, "p50")),
                written(number(kind, "p90")),
                written(number(kind, "p99")),
                written(number(kind, "max")),
                written(number(kind, "elapsed50")),
                written(number(kind, "elapsed99")),
                kind["whole"],
                number(kind, "writes"),
            );
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_missed_budget_is_named() {
        let contender = |name: &str, dependent: f64, independent: f64| json!({"name": name, "dependent": dependent, "independent": independent, "bytes": 64});
        let contest = json!([{
            "name": "1 subject, 100 policies, 10000 identities",
            "questions": "uniform",
            "contenders": [
                contender("one load in L1", 1.0, 0.0),
                contender("policy in hand", 8.0, 2.0),
                contender("HashMap, FxHash", 44.0, 44.0),
                contender("LPM trie", 160.0, 160.0),
            ],
        }]);
        let page = section(&contest);
        assert!(page.contains("waits for | ≤ 6 | 8.0 | missed |"), "{page}");
        assert!(
            page.contains("best hash map, waits | ≥ 5 | 5.5 |  |"),
            "{page}"
        );
        assert!(
            page.contains("| LPM trie | 160.0 | 20.0 | 160.0 | 6 | 80.0 | 64 |"),
            "{page}"
        );
    }
}
