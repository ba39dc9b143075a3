//! `cargo xtask bench`: netverdict and Cilium's own engine on the same work.
//!
//! In: the programs `netverdict-bench` and `cilium-bench`. Out:
//! docs/benchmarks.md, in processor time of one machine and one run. Nothing
//! here passes or fails by a time; entries of policy maps have to be as many
//! on both sides.

mod lookup;

use crate::instructions;
use crate::job::{cargo, command, root, run as run_command};
use crate::oracle;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// Policies and identities, and how often each is measured.
const SIZES: [(u32, u32, u32); 9] = [
    (10, 100, 25),
    (10, 1000, 25),
    (10, 10_000, 9),
    (100, 100, 25),
    (100, 1000, 25),
    (100, 10_000, 9),
    (1000, 100, 15),
    (1000, 1000, 9),
    (1000, 10_000, 5),
];

/// What both engines measure, and what it is called.
const OPERATIONS: [&str; 5] = ["parse", "cold", "compile", "recompile", "distil"];

/// Measures and writes docs/benchmarks.md. `quick`: the sizes up to 1,000
/// identities, and nothing is written.
pub(crate) fn run(quick: bool) -> Result<(), String> {
    run_command(&mut cargo(&[
        "build",
        "--quiet",
        "--release",
        "--package=netverdict-benches",
    ]))?;
    run_command(&mut oracle::build())?;
    let mut page = String::from(HEAD);
    let _ = writeln!(page, "\nMeasured on {}.\n", machine());
    page += "| shape | policies | identities | entries | operation | netverdict | Cilium | ratio |\n|---|--:|--:|--:|---|--:|--:|--:|\n";
    let mut bytes = String::from(BYTES);
    for shape in ["dense", "spread"] {
        for (policies, identities, rounds) in SIZES {
            if quick && identities > 1000 {
                continue;
            }
            let rounds = if quick { 3 } else { rounds };
            let size = [policies, identities, rounds].map(|n| n.to_string());
            let arguments = |what: &'static str| {
                let [policies, identities, rounds] = size.clone();
                [
                    what.to_owned(),
                    shape.to_owned(),
                    policies,
                    identities,
                    rounds,
                ]
            };
            let ours = parse(&output(
                Command::new(program()?).args(arguments("endpoint")),
            )?)?;
            let work = output(Command::new(program()?).args(arguments("workload")))?;
            let mut peer = Command::new(root().join("conformance/cilium/bin/cilium-bench"));
            let answers = oracle::answer_lines(&mut peer, &[work.trim().to_owned()])?;
            let theirs = parse(answers.first().map_or("", |line| line))?;
            if ours["entries"] != theirs["entries"] {
                return Err(format!(
                    "{shape} {policies} {identities}: {} entries, Cilium has {}",
                    ours["entries"], theirs["entries"]
                ));
            }
            for operation in OPERATIONS {
                let (a, b) = (time(&ours, operation), time(&theirs, operation));
                let row = format!(
                    "| {shape} | {policies} | {identities} | {} | {operation} | {} | {} | {:.1} |",
                    ours["entries"],
                    written(a),
                    written(b),
                    b / a.max(1.0)
                );
                println!("{row}");
                let _ = writeln!(page, "{row}");
            }
            let (a, b) = (time(&ours, "compileBytes"), time(&theirs, "compileBytes"));
            let _ = writeln!(
                bytes,
                "| {shape} | {policies} | {identities} | {a:.0} | {b:.0} | {:.1} |",
                b / a.max(1.0)
            );
        }
    }
    page += &bytes;
    page += CLUSTERS;
    for (pods, rounds) in [("10000", "11"), ("65000", "3")] {
        if quick && pods != "10000" {
            continue;
        }
        let rounds = if quick { "3" } else { rounds };
        let cluster = parse(&output(
            Command::new(program()?).args(["cluster", pods, rounds]),
        )?)?;
        let row = format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} MiB |",
            cluster["subjects"],
            cluster["policies"],
            written(time(&cluster, "compile")),
            written(time(&cluster, "compileWithOrigins")),
            cluster["image"],
            cluster["bytesPerSubject"],
            cluster["imageWithOrigins"],
            cluster["bytesPerSubjectWithOrigins"],
            cluster["peakKiB"].as_u64().unwrap_or(0) >> 10,
        );
        println!("{row}");
        let _ = writeln!(page, "{row}");
    }
    page += REMARKS;
    let (rounds, changes) = if quick { ("3", "64") } else { ("15", "1024") };
    let ask = |what, times| parse(&output(Command::new(program()?).args([what, times]))?);
    for text in [
        lookup::section(&ask("lookup", rounds)?),
        lookup::updates(&ask("updates", changes)?),
        format!("{INSTRUCTIONS}{}", instructions::page()?),
        criterion(quick)?,
    ] {
        println!("{text}");
        page += &text;
    }
    if !quick {
        let path = root().join("docs/benchmarks.md");
        page += &by_hand(&std::fs::read_to_string(&path).unwrap_or_default());
        std::fs::write(&path, page).map_err(|e| format!("docs/benchmarks.md: {e}"))?;
    }
    Ok(())
}

/// The section of the page that is measured by other programs: kept.
fn by_hand(page: &str) -> String {
    let section = page.split_once("\n## From other languages");
    section.map_or_else(String::new, |(_, rest)| {
        let end = rest.find("\n## ").unwrap_or(rest.len());
        format!(
            "\n## From other languages{}",
            rest.get(..end).unwrap_or(rest)
        )
    })
}

const HEAD: &str = "\
# Benchmarks

`cargo xtask bench` writes this page. netverdict and Cilium 1.20.2's Go engine (`conformance/cilium`)
get the same policies and identities; `benches/src/one.rs` makes them. *dense*: every policy selects the
endpoint, *spread*: one in a hundred does.

- *parse*: from the JSON text of all policies to rules (netverdict, which checks schemas, too, and keeps places) or policy
  entries (Cilium, without schemas: its agent leaves those to the API server).
- *cold*: rules and identities are objects in memory; to the verdict table (netverdict) or the policy map
  (Cilium) of one endpoint.
- *compile*: the same, but rules and identities are loaded before, and no selector knows its identities.
- *recompile*: selectors know their identities, too.
- *distil*: the policy map alone, on both sides.

Times are processor time of the whole process, Cilium's garbage collector included, medians of several
rounds. *ratio* is Cilium's time over netverdict's. Numbers of two runs differ by up to a factor of two
where others use the machine; read ratios of less than two as \"alike\". Not shown: reading YAML, what
agents do beside policies, and the datapath, for which see
[benchmarks-kernel.md](benchmarks-kernel.md). The two engines are measured one after the other, in
processes of their own.
";

const BYTES: &str = "
## Memory

How many bytes *compile* allocates, those that it frees again included.

| shape | policies | identities | netverdict | Cilium | ratio |
|---|--:|--:|--:|--:|--:|
";

const CLUSTERS: &str = "
## Clusters

Pods with an identity each, 50 in a namespace, in an order of arrival that mixes namespaces; policies as
a platform team and application teams write them (`benches/src/cluster.rs`). From the rules and
identities of a cluster to one frozen table of all its subjects. *memory*: the most that the process had,
objects and rules among it.

| pods | policies | compiled | with origins | bytes | per subject | with origins | per subject | memory |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

const INSTRUCTIONS: &str = "
## Instructions

Instructions of one lookup, counted by Valgrind: the same on a busy machine. *policy*: `PolicyView::verdict`, *table*:
`View::verdict`, *live*: the same of a table that changes, *C*: `netverdict_table.h`; *prefixes*: through roots. `cargo xtask ci`
fails when one of them rises by a tenth.

";

/// What criterion measures, from its own files.
fn criterion(quick: bool) -> Result<String, String> {
    let mut bench = cargo(&["bench", "--quiet", "--package=netverdict-benches", "--"]);
    bench.args(["--quick", "--noplot"]);
    if quick {
        bench.arg("one subject");
    }
    run_command(&mut bench)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root().join("target"), PathBuf::from);
    let mut found = Vec::new();
    estimates(&target.join("criterion"), &mut found)?;
    found.sort();
    let mut text = String::from(
        "\n## criterion\n\n`cargo bench -p netverdict-benches`, quick settings, nanoseconds per verdict:\n\n\
         | bench | |\n|---|--:|\n",
    );
    for (name, ns) in found {
        let _ = writeln!(text, "| {name} | {ns} |");
    }
    Ok(text)
}

/// The medians below a directory of criterion's.
fn estimates(dir: &std::path::Path, found: &mut Vec<(String, String)>) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{}: {e}", dir.display());
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let file = path.join("new/estimates.json");
        if !path.is_dir() || path.ends_with("report") {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(file) else {
            estimates(&path, found)?;
            continue;
        };
        let bench =
            parse(&std::fs::read_to_string(path.join("new/benchmark.json")).map_err(failed)?)?;
        let median = parse(&text)?["median"]["point_estimate"].as_f64();
        let each = bench["throughput"]["Elements"].as_f64().unwrap_or(1.0);
        let name = bench["full_id"].as_str().unwrap_or_default().to_owned();
        found.push((name, format!("{:.2}", median.unwrap_or(0.0) / each)));
    }
    Ok(())
}

const REMARKS: &str = "
Goals that are not reached, and why:

- 80 ms for 10,000 pods and 1 s for 65,000. The time is spread: an eighth goes into merging rules into
  filters for each of 2,618 distinct sets of rules, a twelfth into asking which rules apply to 10,000
  subjects, a seventh into classes, a sixth into cells and a tenth into entries of 4,530 directions, a
  fifth into the parts of the image; a quarter of all is allocating and freeing. Tried, and kept: rules
  found by a label of their subjects, origins and rules shared instead of copied, short lists searched
  instead of hashed, cells in one array, port directories known by their intervals, a third together;
  selectors of one rule that share what they get, origins of one rule without a list, a direction shared
  between policies that differ in the other only, room for pages that is known before or used again,
  another fifth. Sharing what selectors get does little by itself: copies were not what merging costs.
- Format 2 of tables took a third off their size, and time where a whole table is asked: a verdict with the policy in hand takes as
  long as in format 1, one of a whole table 28 instead of 22 to 24 ns when it waits, and in batches over one subject 10 instead of 8.
- Ten times Cilium in *parse*: it is 2.0 to 6.3 times so far. Of the instructions a fifth reads JSON with the place of
  every value, a third decodes, a tenth checks the schema, a sixth checks as the agent does, a fifth translates into
  rules; a quarter of all is allocating and freeing.
- *recompile* of very few rules among 10,000 identities is no faster than Cilium's, because it ends with an
  image, which lists all identities, and Cilium's with a policy map. For the same reason *compile* allocates
  more there.
";

/// The program that measures netverdict.
fn program() -> Result<PathBuf, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root().join("target"), PathBuf::from);
    let path = target.join("release/netverdict-bench");
    path.is_file()
        .then_some(path)
        .ok_or_else(|| "netverdict-bench was not built".to_owned())
}

fn output(program: &mut Command) -> Result<String, String> {
    let name = program.get_program().to_string_lossy().into_owned();
    let output = program.output().map_err(|e| format!("{name}: {e}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name}: {}\n{why}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("{name}: {e}"))
}

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|e| format!("no JSON: {e}"))
}

fn time(of: &Value, operation: &str) -> f64 {
    of[operation].as_f64().unwrap_or(0.0)
}

fn written(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.1} µs", n / 1e3),
        n => format!("{:.2} ms", n / 1e6),
    }
}

/// Processor, number of them, load and date, as far as they can be found out.
pub(crate) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|l| l.strip_prefix("model name"));
    let model = model.map_or("an unknown processor", |m| {
        m.trim_start_matches([' ', '\t', ':'])
    });
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    let date = output(&mut command("date", &["+%Y-%m-%d"])).unwrap_or_default();
    format!(
        "{model}, {count} processors, load {load} at the start, {}",
        date.trim()
    )
}
