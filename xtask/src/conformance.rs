//! Random scenarios through Cilium's own engine and through netverdict.
//!
//! In: a count and a seed. Out: every scenario in which the two differ, with a
//! file to try it again, and `docs/conformance.md` when asked for.

use crate::job::{self, Tally, cargo, root};
use crate::layer7::{self, Compared};
use crate::oracle::{self, answer_lines};
use netverdict::scenario::{Answer, Scenario};
use netverdict_compare::{Difference, Outcome, differences};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A scenario that differs is asked again this often: what Cilium leaves to
/// chance may have gone unnoticed in a few runs.
const SECOND_LOOK: u32 = 64;

/// Differing scenarios that are shown in full.
const SHOWN: usize = 3;

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) count: u64,
    pub(crate) seed: u64,
    pub(crate) profile: String,
    pub(crate) repeat: u32,
    /// Hundreds of questions about layer 7.
    pub(crate) layer7: u64,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            count: 2000,
            seed: 1,
            profile: "full".into(),
            repeat: 4,
            layer7: 100,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) scenarios: u64,
    pub(crate) documents: u64,
    pub(crate) refused: u64,
    pub(crate) endpoints: u64,
    pub(crate) entries: u64,
    pub(crate) queries: u64,
    pub(crate) unstable: u64,
    pub(crate) verdicts: BTreeMap<String, u64>,
    pub(crate) kinds: BTreeMap<String, u64>,
    /// What Cilium answers differently from run to run, by name.
    pub(crate) by_chance: BTreeMap<String, u64>,
    /// Scenarios in which that came out at the second look only.
    pub(crate) second_look: u64,
    /// Scenario number in the run and how it differs.
    pub(crate) differing: Vec<(u64, Vec<Difference>)>,
}

/// The job: builds, runs, and says whether all agreed.
pub(crate) fn run(options: &[(&str, &str)]) -> Result<bool, String> {
    let mut run = Run::default();
    let mut write = false;
    for &(name, value) in options {
        let wrong = |e: std::num::ParseIntError| format!("{name}: {e}");
        match name {
            "--count" => run.count = value.parse().map_err(wrong)?,
            "--seed" => run.seed = value.parse().map_err(wrong)?,
            "--repeat" => run.repeat = value.parse().map_err(wrong)?,
            "--layer7" => run.layer7 = value.parse().map_err(wrong)?,
            "--profile" => value.clone_into(&mut run.profile),
            _ => write = true,
        }
    }
    job::run(&mut oracle::build())?;
    build()?;
    let report = compare(&run)?;
    print(&report);
    let layer7 = layer7::compare(run.layer7, run.seed)?;
    layer7::print(&layer7);
    if write {
        let page = root().join("docs/conformance.md");
        std::fs::write(&page, document(&run, &report, &layer7)?).map_err(|e| e.to_string())?;
        println!("written: docs/conformance.md");
    }
    Ok(report.differing.is_empty() && layer7.iter().all(|c| c.differing == 0))
}

/// Builds netverdict's side.
pub(crate) fn build() -> Result<Tally, String> {
    job::run(&mut cargo(&[
        "build",
        "--quiet",
        "--release",
        "--bin=netverdict-generate",
        "--bin=netverdict-scenario",
    ]))
}

pub(crate) fn program(name: &str) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("release").join(name)
}

/// Generates, answers twice and compares.
pub(crate) fn compare(run: &Run) -> Result<Report, String> {
    let (count, seed) = (run.count.to_string(), run.seed.to_string());
    let generated = Command::new(program("netverdict-generate"))
        .args([
            "--count",
            &count,
            "--seed",
            &seed,
            "--profile",
            &run.profile,
        ])
        .output()
        .map_err(|e| format!("netverdict-generate: {e}"))?;
    let generated = String::from_utf8(generated.stdout).map_err(|e| e.to_string())?;
    let questions: Vec<String> = generated.lines().map(str::to_owned).collect();
    if questions.len() as u64 != run.count {
        return Err(format!("{} scenarios generated", questions.len()));
    }
    let scenario = program("netverdict-scenario");
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| oracle::ask(&questions, run.repeat));
        let ours = answer_lines(Command::new(&scenario).arg("--lines"), &questions);
        (theirs.join(), ours)
    });
    let (theirs, ours) = (theirs.map_err(|_| "Cilium's side panicked")??, ours?);
    let mut report = Report::default();
    for (number, question) in questions.iter().enumerate() {
        let mut expected = read(&theirs[number])?;
        let found = Outcome::of(&read(&ours[number])?);
        let mut wrong = differences(&Outcome::of(&expected), &found);
        if !wrong.is_empty() {
            let again = oracle::ask(std::slice::from_ref(question), SECOND_LOOK)?;
            for answer in &again {
                expected.unstable.extend(read(answer)?.unstable);
            }
            wrong = differences(&Outcome::of(&expected), &found);
            report.second_look += u64::from(wrong.is_empty());
        }
        report.count(&expected);
        if !wrong.is_empty() {
            keep(number, question, &theirs[number], &ours[number])?;
            report.differing.push((number as u64, wrong));
        }
    }
    Ok(report)
}

impl Report {
    fn count(&mut self, answer: &Answer) {
        self.scenarios += 1;
        self.unstable += u64::from(!answer.unstable.is_empty());
        let chance: BTreeSet<&String> = answer.unstable.iter().collect();
        for path in chance {
            *self.by_chance.entry(field(path)).or_default() += 1;
        }
        for policy in &answer.policies {
            self.documents += 1;
            self.refused += u64::from(!policy.accepted);
            *self.kinds.entry(policy.kind.clone()).or_default() += 1;
        }
        for endpoint in &answer.endpoints {
            self.endpoints += 1;
            self.entries += endpoint.map.len() as u64;
        }
        for query in &answer.queries {
            self.queries += 1;
            *self.verdicts.entry(query.verdict.clone()).or_default() += 1;
        }
    }

    /// How many values differ, by path without positions and keys.
    fn fields(&self) -> BTreeMap<String, u64> {
        let mut fields = BTreeMap::new();
        for difference in self.differing.iter().flat_map(|(_, list)| list) {
            *fields.entry(field(&difference.path)).or_default() += 1;
        }
        fields
    }

    /// Scenarios as passed and failed.
    pub(crate) fn tally(&self) -> Tally {
        let failed = self.differing.len() as u64;
        Tally {
            passed: self.scenarios - failed,
            failed,
            skipped: 0,
        }
    }
}

/// `endpoints[0].map[egress 1001 6 80/16].auth` → `endpoints.map.auth`.
fn field(path: &str) -> String {
    let mut inside = false;
    path.chars()
        .filter(|c| {
            inside = *c == '[' || (inside && *c != ']');
            !inside && *c != ']'
        })
        .collect()
}

fn read(answer: &str) -> Result<Answer, String> {
    serde_json::from_str(answer).map_err(|e| format!("an answer cannot be read: {e}"))
}

fn folder() -> PathBuf {
    root().join("target/conformance")
}

/// Keeps a differing scenario with both answers.
fn keep(number: usize, question: &str, theirs: &str, ours: &str) -> Result<(), String> {
    let folder = folder();
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    for (what, text) in [
        ("scenario", question),
        ("cilium", theirs),
        ("netverdict", ours),
    ] {
        std::fs::write(folder.join(format!("{number}.{what}.json")), text)
            .map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// Prints the figures, and the first differences in full.
pub(crate) fn print(report: &Report) {
    println!(
        "{} scenarios, {} documents ({} refused), {} endpoints, {} map entries, {} verdicts; \
         {} scenarios in which Cilium answers differently from run to run ({} noticed when asked {SECOND_LOOK} times more)",
        report.scenarios,
        report.documents,
        report.refused,
        report.endpoints,
        report.entries,
        report.queries,
        report.unstable,
        report.second_look
    );
    for (field, count) in &report.by_chance {
        println!("  from run to run: {field}: {count}");
    }
    for (number, wrong) in report.differing.iter().take(SHOWN) {
        println!("\nscenario {number}: {} differences", wrong.len());
        for difference in wrong {
            println!("  {difference}");
        }
        let file = folder().join(format!("{number}.scenario.json"));
        println!(
            "  try it: {} < {}",
            oracle::path().display(),
            file.display()
        );
        show_policies(&file);
    }
    if report.differing.is_empty() {
        println!("no difference");
    } else {
        println!("\n{} scenarios differ, in:", report.differing.len());
        for (field, count) in report.fields() {
            println!("  {field}: {count}");
        }
    }
}

fn show_policies(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    if let Ok(scenario) = Scenario::parse(&text) {
        for policy in &scenario.policies {
            println!("  ---");
            for line in policy.lines() {
                println!("  {line}");
            }
        }
    }
}

/// The page that reports a run.
fn document(run: &Run, report: &Report, layer7: &[Compared]) -> Result<String, String> {
    let go = output(Command::new("go").arg("version"))?;
    let commit = output(&mut job::command(
        "git",
        &["rev-parse", "--short=12", "HEAD"],
    ))?;
    let date = output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let mut page = String::from(
        "# Conformance to Cilium 1.20.2\n\n\
         <!-- written by `cargo xtask conformance --write`; do not edit -->\n\n\
         Random scenarios, answered by Cilium's own policy engine and by netverdict. Compared: which documents\n\
         are accepted and where the others are refused, the labels of every identity, every policy-map entry\n\
         (key, precedence, proxy, parser, listener, authentication, rules) and every verdict with its match type\n\
         and key. Numbers that an engine gives out by itself (proxy ports, identities of prefixes) are compared\n\
         by what they stand for, error texts not at all.\n\n",
    );
    let mut line = |name: &str, value: String| writeln!(page, "| {name} | {value} |");
    let write = (|| {
        line("run", "".into())?;
        line("---", "---".into())?;
        line("date", date)?;
        line("netverdict", format!("commit {commit}"))?;
        line("Cilium", format!("v1.20.2, built with {go}"))?;
        line(
            "scenarios",
            format!(
                "{}, profile `{}`, from seed {}",
                report.scenarios, run.profile, run.seed
            ),
        )?;
        line("scenarios that differ", report.differing.len().to_string())?;
        line(
            "documents",
            format!("{}, of which {} refused", report.documents, report.refused),
        )?;
        line("endpoints", report.endpoints.to_string())?;
        line("policy-map entries", report.entries.to_string())?;
        line("verdicts", report.queries.to_string())?;
        line(
            "scenarios in which Cilium answers differently from run to run",
            format!(
                "{}, of which {} noticed when asked {SECOND_LOOK} times more",
                report.unstable, report.second_look
            ),
        )
    })();
    write.map_err(|e| e.to_string())?;
    let list = |counts: &BTreeMap<String, u64>| {
        let parts: Vec<String> = counts
            .iter()
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, n)| format!("{name} {n}"))
            .collect();
        parts.join(", ")
    };
    let fields = report.fields();
    if !fields.is_empty() {
        let _ = write!(page, "\nValues that differ: {}.\n", list(&fields));
    }
    if !report.by_chance.is_empty() {
        let _ = write!(
            page,
            "\nValues that Cilium answers differently from run to run, not compared: {}.\n",
            list(&report.by_chance)
        );
    }
    let _ = write!(
        page,
        "\nDocuments by kind: {}.\n\nVerdicts: {}.\n\n\
         {LAYER_7}{}\n\
         Try it: `cargo xtask conformance --count {} --seed {} --profile {} --layer7 {}`.\n\n{EXCEPTIONS}",
        list(&report.kinds),
        list(&report.verdicts),
        layer7::table(layer7),
        run.count,
        run.seed,
        run.profile,
        run.layer7
    );
    Ok(page)
}

const LAYER_7: &str = "\
## Layer 7

Questions about layer 7: Cilium's own expressions for DNS rules and `toFQDNs`, its translation of HTTP rules and
server names for Envoy, and its caches of names. What Envoy does with the translation, which is C++, is worked
out by the oracle after Envoy's documentation and cilium/network_policy.cc of github.com/cilium/proxy.

";

const EXCEPTIONS: &str = "\
## What is not compared

- **What Cilium itself leaves to chance.** It iterates Go maps, whose order is random, where order matters:
  authentication that narrower keys inherit, redundant keys next to those, and what Pass rules leave of lower
  tiers. The oracle answers every scenario several times and names what differed; those values, and only
  those, are left out. A scenario that differs otherwise is asked 64 more times before it counts.
- **Lookups are those of the datapath** (`bpf/lib/policy.h`), worked out on Cilium's own map. Cilium's Go
  `Lookup`, a test helper, returns other authentication for some ties; it is not what packets meet.
- **Entries marked `invalid`**, which Pass rules leave behind, are compared as entries but skipped by lookups.
- **Which address goes first** when a name or an endpoint has too many that are alike in use: Cilium sorts them in
  an order that begins with chance. Histories are compared up to the first step at which its own runs differ.
- Services, fixed identities and fragments cannot be said in a scenario; `testdata/worlds` has cases about them.
";

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| e.to_string())?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn paths_lose_their_positions() {
        assert_eq!(
            field("endpoints[0].map[egress 10.0.0.0/8 6 80/16].auth"),
            "endpoints.map.auth"
        );
        assert_eq!(field("queries[12].verdict"), "queries.verdict");
    }
}
