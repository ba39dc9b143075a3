//! Nanoseconds per verdict in the kernel: Cilium's lookup, a hash map's and ours,
//! on the same entries and questions.
//!
//! In: policies of 100, 1,000 and 16,000 entries, *plain* (allowed pods by port)
//! and *hostile* (every scope, denials, authentication, entries for everybody;
//! every protocol is asked about). Out: a table for docs/benchmarks.md. Answers
//! of both are compared before anything is timed. `cargo xtask bench-kernel` runs
//! it.

use crate::Outcome;
use crate::batch::{BATCH, Options, ciliums, ours, packet, to_cilium, to_ours};
use crate::visible;
use netverdict::policy_map::{key_to_bytes, value_to_bytes};
use netverdict::scenario::{Scenario, ScenarioEndpoint, ScenarioIdentity};
use netverdict_table::{Direction, Question, Write};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

/// Samples of each kind. A quarter of them is faster than what counts: others
/// that use the machine make samples slower and never faster.
const SAMPLES: usize = 41;
/// Questions of a cold sample, and what is walked through before each.
const FEW: usize = 64;
const WALK: usize = 64 << 20;

/// A small generator of numbers, the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}

/// A subject whose ingress map has about so many entries.
fn scenario(entries: usize, hostile: bool) -> Scenario {
    let groups = (entries as f64).sqrt() as usize * 8 / 10;
    let groups = groups.clamp(4, 100);
    let ports = if entries <= 100 { 5 } else { 10 };
    let members = (entries / groups / ports).max(1);
    let labels = |app: String| {
        BTreeMap::from([
            ("k8s:app".to_owned(), app),
            (
                "k8s:io.kubernetes.pod.namespace".to_owned(),
                "default".to_owned(),
            ),
            (
                "k8s:io.cilium.k8s.policy.cluster".to_owned(),
                "default".to_owned(),
            ),
        ])
    };
    let mut identities = vec![ScenarioIdentity {
        id: 1000,
        labels: labels("subject".into()),
        ..ScenarioIdentity::default()
    }];
    let mut number = 0u32;
    for group in 0..groups {
        for _ in 0..members {
            number += 1;
            // Other clusters' and remote nodes' numbers among the pods'.
            let id = match (hostile, number % 4) {
                (true, 1) => 0x0007_0000 + number,
                (true, 2) => 0x0200_0000 + number,
                (true, 3) => 0x0100_0000 + number,
                _ => 2000 + number,
            };
            identities.push(ScenarioIdentity {
                id,
                labels: labels(format!("g{group}")),
                ..ScenarioIdentity::default()
            });
        }
    }
    let mut policies = Vec::new();
    for group in 0..groups {
        let mut text = format!(
            "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: p{group}, namespace: default}}\n\
             spec:\n  endpointSelector: {{matchLabels: {{app: subject}}}}\n  ingress:\n"
        );
        let from = format!("fromEndpoints: [{{matchLabels: {{app: g{group}}}}}]");
        let mut deny = String::new();
        for port in 0..ports {
            let first = 1024 + (group * 37 + port * 613) % 60000;
            let protocol = ["TCP", "UDP", "SCTP"][if hostile { port % 3 } else { 0 }];
            let rule = format!(
                "  - {from}\n    toPorts: [{{ports: [{{port: '{first}', protocol: {protocol}}}]}}]\n"
            );
            match (hostile, port) {
                (true, 2) => deny += &rule,
                (true, 3) => {
                    text += &rule;
                    text += "    authentication: {mode: required}\n";
                }
                (true, 4) => {
                    let _ = writeln!(
                        text,
                        "  - toPorts: [{{ports: [{{port: '{first}', protocol: {protocol}}}]}}]"
                    );
                }
                _ => text += &rule,
            }
        }
        if !deny.is_empty() {
            text += "  ingressDeny:\n";
            text += &deny;
        }
        policies.push(text);
    }
    Scenario {
        name: format!("{entries} {hostile}"),
        policies,
        identities,
        endpoints: vec![ScenarioEndpoint {
            id: 1000,
            ..ScenarioEndpoint::default()
        }],
        ..Scenario::default()
    }
}

fn quartile(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 4]
}

/// One size and mix: a line of the table for each lookup.
fn measure(
    entries: usize,
    hostile: bool,
    page: &mut String,
) -> Result<f64, Box<dyn std::error::Error>> {
    let scenario = scenario(entries, hostile);
    let prepared = scenario.prepare();
    let image = prepared.compile().map_err(|(_, e)| e)?;
    let map = prepared.maps().next().ok_or("no subject")?.2;
    let pairs: Vec<([u8; 12], [u8; 12])> = map
        .entries()
        .into_iter()
        .filter(|(_, e)| !e.invalid)
        .map(|(k, e)| (key_to_bytes(&k), value_to_bytes(&k, e)))
        .collect();
    let (mut table, ours) = ours(image.len())?;
    table.replace(&image)?;
    let config = prepared.config();
    let ciliums = ciliums(Options {
        cluster_id: config.cluster_id,
        cluster_bits: 8,
        icmp_rules: config.icmp_rules,
        frag_needed: config.allow_icmp_frag_needed,
    })?;
    let policy_map = ciliums.map("cilium_policy")?;
    let began = Instant::now();
    policy_map.put_all(&pairs)?;
    let fill = began.elapsed();
    let hash: Vec<([u8; 8], [u8; 12])> = pairs
        .iter()
        .filter_map(|(k, v)| Some((*k.split_first_chunk::<4>()?.1.first_chunk::<8>()?, *v)))
        .map(|(mut k, v)| {
            // The word after the identity: direction, protocol, port.
            k[4] &= 1;
            (k, v)
        })
        .collect();
    ours.map("hash")?.put_all(&hash)?;
    // Questions about entries' ports and identities, shuffled together.
    let ids: Vec<u32> = prepared.identities().iter().map(|(id, _)| id.0).collect();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let questions: Vec<Question> = (0..BATCH)
        .map(|_| {
            let key = pairs[dice.below(pairs.len())].0;
            let port =
                u16::from_be_bytes([key[10], key[11]]).wrapping_add(u16::from(dice.below(4) == 0));
            let own = u32::from_le_bytes([key[4], key[5], key[6], key[7]]);
            let identity = if dice.below(2) == 0 {
                own
            } else {
                ids[dice.below(ids.len())]
            };
            let protocol = if hostile {
                [6, 17, 132, 1, 47][dice.below(5)]
            } else {
                6
            };
            let port = if protocol == 47 { 0 } else { port };
            Question::new(0, Direction::Ingress, identity, protocol, port)
        })
        .collect();
    let packet = packet();
    let theirs: Vec<[u8; 16]> = questions
        .iter()
        .map(|q| to_cilium(q, config.icmp_rules))
        .collect();
    let mine: Vec<[u8; 16]> = questions.iter().map(to_ours).collect();
    let expected = ciliums.ask("cilium_batch", &theirs, &packet)?;
    if ours.ask("table_batch", &mine, &packet)? != expected {
        return Err("the answers differ".into());
    }
    let runs = [
        (&ciliums, "cilium_batch", "Cilium's policy.h"),
        (&ours, "hash_batch", "hash map, two probes"),
        (&ours, "table_batch", "netverdict"),
        (&ours, "empty_batch", "the loop alone"),
    ];
    let mut walk = vec![1u8; WALK];
    let (mut hot, mut cold) = (vec![Vec::new(); 4], vec![Vec::new(); 4]);
    for sample in 0..SAMPLES {
        for (i, (batch, program, _)) in runs.iter().enumerate() {
            let batch_of = if i == 0 { &theirs } else { &mine };
            batch.load(batch_of);
            let run = || batch.program(program).and_then(|p| p.test_run(&packet, 1));
            run()?;
            hot[i].push(f64::from(run()?.nanoseconds) / BATCH as f64);
            let at = (sample * 977) % (BATCH - FEW);
            batch.load(&batch_of[at..at + FEW]);
            for byte in walk.iter_mut().step_by(64) {
                *byte = byte.wrapping_add(1);
            }
            cold[i].push(f64::from(run()?.nanoseconds) / FEW as f64);
        }
    }
    let hot: Vec<f64> = hot.into_iter().map(quartile).collect();
    let cold: Vec<f64> = cold.into_iter().map(quartile).collect();
    let mix = if hostile { "hostile" } else { "plain" };
    for (i, (_, _, name)) in runs.iter().enumerate() {
        let (gross, net) = (hot[0] / hot[i], (hot[0] - hot[3]) / (hot[i] - hot[3]));
        let ratio = |r: f64| {
            if i == 3 {
                String::new()
            } else {
                format!("{r:.1}")
            }
        };
        let line = format!(
            "| {mix} | {} | {name} | {:.1} | {} | {} | {:.0} | {} |",
            pairs.len(),
            hot[i],
            ratio(gross),
            ratio(net),
            cold[i],
            ratio(cold[0] / cold[i]),
        );
        println!("{line}");
        let _ = writeln!(page, "{line}");
    }
    println!(
        "{mix} {}: image {} bytes; filling the policy map took {} µs",
        pairs.len(),
        image.len(),
        fill.as_micros()
    );
    Ok(fill.as_secs_f64() * 1e9 / pairs.len() as f64)
}

/// How long a store takes to be seen, and a new image to be in force.
fn publication(page: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let scenario = scenario(1000, false);
    let image = scenario.prepare().compile().map_err(|(_, e)| e)?;
    let (mut table, batch) = ours(image.len())?;
    table.replace(&image)?;
    let (mut stores, mut images) = (Vec::new(), Vec::new());
    let word = table.image()?;
    let at = u32::from_le_bytes([word[0x30], word[0x31], word[0x32], word[0x33]]);
    let value = word[at as usize..]
        .first_chunk()
        .copied()
        .ok_or("no subject")?;
    let store = [Write::Word64 {
        at,
        value: u64::from_le_bytes(value),
    }];
    for _ in 0..1001 {
        let began = Instant::now();
        table.publish(&store)?;
        stores.push(began.elapsed().as_nanos() as f64);
    }
    for _ in 0..25 {
        table.wait_for_readers()?;
        let began = Instant::now();
        table.replace(&image)?;
        images.push(began.elapsed().as_nanos() as f64);
    }
    // The very next run sees a subject that was taken away.
    let question = [to_ours(&Question::new(
        0,
        Direction::Ingress,
        2001,
        6,
        1024,
    ))];
    let gone = [Write::Word64 { at, value: 0 }];
    let began = Instant::now();
    table.publish(&gone)?;
    let said = batch.ask("table_batch", &question, &packet())?;
    let round = began.elapsed();
    if said[0].code != -133 {
        return Err("a store was not seen".into());
    }
    let mut fewer = scenario;
    fewer.policies.remove(0);
    let other = fewer.prepare().compile().map_err(|(_, e)| e)?;
    let (here, away) = (image.as_slice(), other.as_slice());
    let words = visible::times(&mut table, &batch, question[0], |table, round| {
        table.publish(if round % 2 == 0 { &store } else { &gone })
    })?;
    table.replace(&other)?;
    table.wait_for_readers()?;
    let swaps = visible::times(&mut table, &batch, question[0], |table, round| {
        table.replace(if round % 2 == 0 { here } else { away })
    })?;
    let _ = writeln!(
        page,
        "\nAn update of one word takes {:.0} ns from the call to the store, which the next packet sees; a new image of {} bytes \
         {:.0} µs, checking it included, and the store that puts it in force comes last. A store, a run of a program that asks, and \
         the answer in user space took {} µs together.",
        quartile(stores),
        image.len(),
        quartile(images) / 1e3,
        round.as_micros()
    );
    let _ = writeln!(
        page,
        "\nA program asks one question in a loop on the other processor while a table is published, {} times. On the clock of both, \
         two readings of which are {} ns apart here:\n\n\
         | nanoseconds | median | 3 in 4 within | 9 in 10 within | 99 in 100 within |\n|---|--:|--:|--:|--:|",
        words.len(),
        visible::clock()
    );
    for (what, times) in [("one word", &words), ("a whole image", &swaps)] {
        let mut row = |name: &str, figure: fn(&visible::Publication) -> i64| {
            let mut figures: Vec<i64> = times.iter().map(figure).collect();
            figures.sort_unstable();
            let at = |part: usize| figures[(figures.len() - 1) * part / 100];
            let line = format!(
                "| {what}: {name} | {} | {} | {} | {} |",
                at(50),
                at(75),
                at(90),
                at(99)
            );
            println!("{line}");
            let _ = writeln!(page, "{line}");
        };
        row("the call", |p| p.returned);
        row(
            "the last question with the old answer began, after the call returned",
            |p| p.stale - p.returned,
        );
        row(
            "the first new answer was there, after the call returned",
            |p| p.seen - p.returned,
        );
    }
    let _ = writeln!(
        page,
        "\nNegative figures are before the call had returned: the store is seen while the caller still reads its clock. What reaches \
         the table after the middle row has the new answer."
    );
    Ok(())
}

/// Prints everything, and writes it to the file that `NETVERDICT_BENCH` names.
pub(crate) fn run() -> Outcome {
    let mut page = String::from(
        "| mix | entries | lookup | hot, ns | ratio | ratio net of the loop | cold, ns | ratio |\n|---|--:|---|--:|--:|--:|--:|--:|\n",
    );
    let mut fill = 0.0;
    for hostile in [false, true] {
        for entries in [100, 1000, 16000] {
            fill = measure(entries, hostile, &mut page)?;
        }
    }
    publication(&mut page)?;
    let _ = writeln!(
        page,
        "Cilium's policy map is filled in batches: {fill:.0} ns per entry at 16,000 of the hostile mix."
    );
    if let Some(path) = std::env::var_os("NETVERDICT_BENCH") {
        std::fs::write(path, &page)?;
    }
    Ok("measured".into())
}
