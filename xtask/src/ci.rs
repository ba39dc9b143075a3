//! Every required check, and everything that takes longer.

use crate::api;
use crate::bindings;
use crate::conformance::{self, Run};
use crate::dist;
use crate::docs;
use crate::editor;
use crate::ffi;
use crate::fuzz;
use crate::guide;
use crate::header;
use crate::install::Profile;
use crate::instructions;
use crate::job::{
    self, Job, Tally, cargo, cargo_test_line, command, go_test_line, root, run_tests,
};
use crate::layer7;
use crate::{bpf, sanitize, side, supply_chain, testdata, wasm, worlds};
use crate::{oracle, packages};

/// Scenarios in the required conformance run.
const SCENARIOS: u64 = 200;
/// Hundreds of questions about layer 7 in it.
const LAYER_7: u64 = 10;

/// The test that asks Cilium's engine about the naive evaluator.
const NAIVE_TEST: &str = "cilium_agrees_with_the_naive_evaluator";

/// Checks that the tools which the jobs call are there.
fn tools() -> Result<Tally, String> {
    // What it cannot install is named there, and skipped later.
    let script = root().join("xtask/install-tools");
    if let Err(message) = job::run(&mut std::process::Command::new(script)) {
        println!("xtask/install-tools: {message}");
    }
    let wanted: [(&str, &[&str], &str); 4] = [
        ("cargo", &["--version"], "https://rustup.rs"),
        (
            "cargo",
            &["fmt", "--version"],
            "rustup component add rustfmt",
        ),
        (
            "cargo",
            &["clippy", "--version"],
            "rustup component add clippy",
        ),
        ("go", &["version"], "https://go.dev/dl, 1.26 or later"),
    ];
    let mut missing = Vec::new();
    for (program, arguments, source) in wanted {
        match command(program, arguments).output() {
            Ok(output) if output.status.success() => {
                print!("{}", String::from_utf8_lossy(&output.stdout));
            }
            _ => missing.push(format!("{program} {}: {source}", arguments.join(" "))),
        }
    }
    if missing.is_empty() {
        Ok(Tally::ONE)
    } else {
        Err(format!("missing tools:\n{}", missing.join("\n")))
    }
}

fn check(mut command: std::process::Command) -> Result<Tally, String> {
    job::run(&mut command)
}

/// The tests that ask the running kernel; they say themselves what they skip.
pub(crate) fn kernel() -> Result<Tally, String> {
    let required = std::env::var("NETVERDICT_REQUIRE_KERNEL").is_ok_and(|v| v == "1");
    let built = match bpf::run() {
        Ok(tally) => tally,
        Err(why) if !required => {
            println!("SKIPPED: {why}");
            return Ok(Tally {
                skipped: 1,
                ..Tally::default()
            });
        }
        Err(why) => return Err(why),
    };
    if required && built.skipped > 0 {
        return Err("not all BPF programs could be built".into());
    }
    let mut tally = Tally::default();
    for (package, test) in [
        ("netverdict-datapath", "kernel"),
        ("netverdict-cli", "datapath"),
    ] {
        let arguments = ["test", "--package", package, "--test", test];
        tally += run_tests(&mut cargo(&arguments), cargo_test_line)?;
    }
    Ok(tally)
}

/// The required checks. True when nothing failed.
pub(crate) fn run() -> Result<bool, String> {
    let mut job = Job::default();
    job.step("tools", tools);
    let [oracle, package] = side::start([oracle::build(), wasm::build_apart()?]);
    job.step("format", || check(cargo(&["fmt", "--all", "--check"])));
    job.step("generated pages", || docs::run(true).map(|()| Tally::ONE));
    job.step("C headers", || header::run(true).map(|()| Tally::ONE));
    job.step("clippy", || {
        let lint = |what: &[&str]| {
            let mut clippy = cargo(&["clippy", "--quiet"]);
            job::run(clippy.args(what).args(["--", "-D", "warnings"]))
        };
        let mut tally = lint(&["--workspace", "--all-targets"])?;
        // `--all-targets` leaves out tests that are not run by default.
        tally += lint(&["--package=netverdict-datapath", "--test=kernel"])?;
        Ok(tally)
    });
    job.step("rustdoc", || {
        let mut doc = cargo(&["doc", "--quiet", "--workspace", "--no-deps"]);
        doc.env("RUSTDOCFLAGS", "-D warnings");
        check(doc)
    });
    job.step("tests", || {
        let mut test = cargo(&["test", "--workspace", "--no-fail-fast", "--"]);
        // It has a step of its own.
        run_tests(test.args(["--skip", NAIVE_TEST]), cargo_test_line)
    });
    job.step("Cilium's engine: rest of the build", || oracle.finish());
    job.step("tables in C, C++ and BPF", || {
        let arguments = ["-p", "netverdict-reference", "--test", "c_table"];
        let mut test = cargo(&["test"]);
        run_tests(test.args(arguments), cargo_test_line)
    });
    job.step("C ABI in C and C++", ffi::programs);
    job.step("Go", bindings::go);
    job.step("Python", bindings::python);
    job.step("npm package: rest of the build", || package.finish());
    job.step("npm package: tests", wasm::test);
    job.step("editor", editor::build);
    job.step("editor: a story in a browser", editor::story);
    job.step("instructions per lookup", instructions::check);
    job.step("kernel", kernel);
    job.step("tables with AddressSanitizer", sanitize::address);
    job.step("publication: every order of steps", || {
        // A build of its own: the model checker's atomics are in it.
        let mut test = cargo(&[
            "test",
            "--package=netverdict-table",
            "--features=publish",
            "--test=loom",
        ]);
        test.env("RUSTFLAGS", "--cfg loom");
        test.env("CARGO_TARGET_DIR", root().join("target/loom"));
        run_tests(&mut test, cargo_test_line)
    });
    job.step("testdata against Cilium", || testdata::compare(false));
    job.step("worlds against Cilium", worlds::compare);
    job.step("Cilium's engine: vet", || {
        let mut vet = command("go", &["vet", "./..."]);
        vet.current_dir(root().join("conformance/cilium"));
        check(vet)
    });
    job.step("Cilium's engine: tests", || {
        let mut test = command("go", &["test", "-v", "./..."]);
        test.current_dir(root().join("conformance/cilium"));
        run_tests(&mut test, go_test_line)
    });
    conformance_step(&mut job, SCENARIOS, LAYER_7);
    job.step("conformance: the naive evaluator", naive_evaluator);
    Ok(job.finish())
}

/// Counts the instructions of lookups. True when none has too many.
pub(crate) fn instructions() -> Result<bool, String> {
    let mut job = Job::default();
    job.step("instructions per lookup", instructions::check);
    Ok(job.finish())
}

/// What takes longer than a required check may.
pub(crate) fn soak() -> Result<bool, String> {
    let mut job = Job::default();
    job.step("tools", tools);
    job.step("Cilium's engine", || job::run(&mut oracle::build()));
    job.step("tables in Miri", sanitize::miri);
    job.step("C ABI in Valgrind and ThreadSanitizer", ffi::long);
    job.step("npm package", wasm::build);
    job.step("npm package: tests", wasm::test);
    job.step("npm package: samples and types", wasm::samples);
    job.step("editor", editor::build);
    job.step("editor: in a browser", editor::test);
    packages::steps(&mut job);
    job.step("public interface", || api::run(false));
    job.step("guide", guide::run);
    supply_chain::steps(&mut job);
    let wanted = dist::Wanted {
        profile: Profile::Release,
        tried: true,
        kept: false,
        write: false,
    };
    dist::steps(&mut job, wanted)?;
    job.step("dist: again, the same bytes", dist::again);
    conformance_step(&mut job, 2000, 100);
    job.step("names: a million answers", || {
        let mut test = cargo(&["test", "--release", "--package=netverdict", "--test=names"]);
        test.args(["--", "--ignored"]);
        run_tests(&mut test, cargo_test_line)
    });
    fuzz::steps(&mut job, &fuzz::Run::default())?;
    Ok(job.finish())
}

/// Cilium's engine and the naive evaluator on the same scenarios.
fn naive_evaluator() -> Result<Tally, String> {
    let mut test = cargo(&[
        "test",
        "--package=netverdict-reference",
        "--test=scenarios",
        "--",
        "--ignored",
        "--exact",
        NAIVE_TEST,
    ]);
    test.env("NETVERDICT_ORACLE", oracle::path());
    let tally = run_tests(&mut test, cargo_test_line)?;
    if tally.passed + tally.failed == 0 {
        return Err(format!("there is no test {NAIVE_TEST}"));
    }
    Ok(tally)
}

fn conformance_step(job: &mut Job, count: u64, layer7: u64) {
    job.step(&format!("conformance: {count} scenarios"), || {
        conformance::build()?;
        let report = conformance::compare(&Run {
            count,
            ..Run::default()
        })?;
        conformance::print(&report);
        Ok(report.tally())
    });
    job.step(&format!("conformance: {layer7}00 layer-7 mixtures"), || {
        let compared = layer7::compare(layer7, Run::default().seed)?;
        layer7::print(&compared);
        Ok(layer7::tally(&compared))
    });
}
