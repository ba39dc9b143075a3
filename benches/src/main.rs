//! Measures in turns and prints JSON: what `cargo xtask bench` is made of.
//!
//! `netverdict-bench endpoint SHAPE POLICIES IDENTITIES ROUNDS` measures one
//! endpoint, `workload` with the same arguments prints the same work for
//! `cilium-bench`, `cluster 10000|65000 ROUNDS` measures a cluster of so many
//! pods, `objects 10000|65000` prints its objects, `lookup ROUNDS` verdicts, `updates CHANGES` changes of a published table; `image SUBJECTS POLICIES IDENTITIES FILE` writes a table.

use netverdict_benches::cluster::{self, Size};
use netverdict_benches::compile;
use netverdict_benches::lookup::{self, world::World};
use netverdict_benches::one::{self, Shape};
use netverdict_benches::updates;
use serde_json::json;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [what, subjects, policies, identities, path] = arguments.as_slice()
        && what == "image"
    {
        return image([subjects, policies, identities], path);
    }
    match run(&arguments) {
        Some(result) => {
            println!("{result}");
            ExitCode::SUCCESS
        }
        None => {
            eprintln!(
                "usage: netverdict-bench endpoint|workload dense|spread POLICIES IDENTITIES ROUNDS [OPERATION]\n       \
                 netverdict-bench cluster 10000|65000 ROUNDS\n       \
                 netverdict-bench objects 10000|65000\n       \
                 netverdict-bench lookup|updates ROUNDS\n       \
                 netverdict-bench image SUBJECTS POLICIES IDENTITIES FILE"
            );
            ExitCode::from(1)
        }
    }
}

/// The most memory this process has had, in KiB, where the system says.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Writes a table: of one subject that so many policies select, or of so many
/// pods of the cluster.
fn image(numbers: [&String; 3], path: &str) -> ExitCode {
    let numbers = numbers.map(|n| n.parse::<usize>().unwrap_or(1));
    let world = match numbers {
        [1, policies, identities] => World::one(policies, identities),
        [subjects, ..] => World::of_cluster(&World::cluster(), subjects),
    };
    match std::fs::write(path, world.image) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::from(1)
        }
    }
}

fn run(arguments: &[String]) -> Option<String> {
    let number = |i: usize| arguments.get(i)?.parse::<usize>().ok();
    let shape = || match arguments.get(1)?.as_str() {
        "dense" => Some(Shape::Dense),
        "spread" => Some(Shape::Spread),
        _ => None,
    };
    let size = || match arguments.get(1)?.as_str() {
        "10000" => Some(Size::TEN_THOUSAND),
        "65000" => Some(Size::SIXTY_FIVE_THOUSAND),
        _ => None,
    };
    match arguments.first()?.as_str() {
        "endpoint" => {
            let (policies, identities, rounds) = (number(2)?, number(3)?, number(4)?);
            let only = arguments.get(5).map(String::as_str);
            let found = compile::endpoint(shape()?, policies, identities, rounds, only);
            Some(found.to_string())
        }
        "workload" => {
            let scenario = one::scenario(shape()?, number(2)?, number(3)?);
            let workload = json!({"scenario": scenario, "rounds": number(4)?});
            Some(workload.to_string())
        }
        "cluster" => {
            let rounds = number(2)?;
            let cluster = compile::cluster(cluster::objects(size()?));
            let mut found = compile::whole_cluster(&cluster, rounds);
            found["peakKiB"] = json!(peak());
            Some(found.to_string())
        }
        "objects" => Some(cluster::texts(size()?).join("\n---\n")),
        "lookup" => Some(lookup::report::all(number(1)?).to_string()),
        "updates" => Some(updates::all(number(1)?).to_string()),
        _ => None,
    }
}
