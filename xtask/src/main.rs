//! The jobs of this repository, each one command: `cargo xtask <job>`.

mod api;
mod bench;
mod bench_kernel;
mod bindings;
mod blocks;
mod bpf;
mod ci;
mod conformance;
mod diagnostics;
mod diagram;
mod dist;
mod docs;
mod editor;
mod examples;
mod ffi;
mod fuzz;
mod guide;
mod header;
mod install;
mod instructions;
mod job;
mod layer7;
mod limits;
mod links;
mod locks;
mod materials;
mod notices;
mod oracle;
mod packages;
mod readme;
mod rules;
mod sanitize;
mod scale;
mod side;
mod sizes;
mod supply_chain;
mod testdata;
mod tool;
mod versions;
mod wasm;
mod worlds;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <job>

  ci                    every required check; ends with `N passed, N failed, N skipped`
  testdata [--bless]    answer testdata/ with Cilium's engine and compare (or write what it says)
           [--bless-diagnostics]   write netverdict's diagnostics into the cases
           [--engine COMMAND]      replay testdata/cases through any engine: scenarios in, answers out, one a line
           [--bless-worlds]        write netverdict's answers into testdata/worlds, unless Cilium's contradict
  conformance [--count N] [--seed S] [--profile P] [--repeat N] [--layer7 N] [--write]
                        random scenarios, and N hundred questions about layer 7, through Cilium's
                        engine and netverdict; --write: docs/conformance.md
  fuzz [--seconds N] [target…]
                        run the targets of fuzz/, each for N seconds (60)
  bench [--quick]       one endpoint and a cluster, beside Cilium's engine; writes docs/benchmarks.md
                        (--quick: small sizes, nothing is written)
  instructions          instructions per lookup, in Rust and C, against their bounds
  bench-kernel          lookups in the running kernel; writes docs/benchmarks-kernel.md (needs root)
  bpf                   build the BPF programs of datapath/bpf into target/bpf (needs clang)
  kernel                build them and test them in the running kernel (needs root)
  docs [--check]        write the generated pages of docs/, or see that they are up to date
  install --prefix DIR  build the C libraries and install them with headers, for pkg-config and CMake
  ffi [--long]          the C ABI in C and C++, with sanitizers, and the bindings (--long: Valgrind, ThreadSanitizer)
  header [--check]      write the C headers of ffi/include, or see that they are up to date
  packages              the crates packed, and used by strangers; features one by one; the oldest compiler
  dist [--quick] [--keep] [--try] [--write]
                        every package into dist/ (--try: install each and ask it a question;
                        --quick: of what is built for tests; --keep: those that are there;
                        --write: docs/sizes.txt)
  api [--bless]         the public interface of the crates, against api/ (or write it there)
  guide                 the guide as a book, into target/guide (installs mdBook)
  supply-chain          licences, bans, sources, advisories (installs cargo-deny)
  scale                 20,000 policies and 60,000 identities, from files to a verdict and a table
  wasm                  the npm package: built into target/npm, measured and tested (needs Node)
      --build             no tests
      --samples           also packed, and installed into the projects of npm/samples
  editor [--build]      that package, the editor on it in target/editor/dist, and its tests in Chromium (--build: no tests)
  soak                  everything that takes long
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut arguments = arguments.iter().map(String::as_str);
    let result = match arguments.next() {
        Some("ci") => options(arguments, &[]).and_then(|_| ci::run()),
        Some("soak") => options(arguments, &[]).and_then(|_| ci::soak()),
        Some("testdata") => options(
            arguments,
            &[
                "--bless",
                "--bless-diagnostics",
                "--bless-worlds",
                "--engine=",
            ],
        )
        .and_then(|o| testdata_job(&o)),
        Some("conformance") => {
            let known = [
                "--count=",
                "--seed=",
                "--profile=",
                "--repeat=",
                "--layer7=",
                "--write",
            ];
            options(arguments, &known).and_then(|o| conformance::run(&o))
        }
        Some("fuzz") => fuzz::options(arguments).and_then(|run| fuzz::run(&run)),
        Some("wasm") => options(arguments, &["--build", "--samples"]).and_then(|o| {
            wasm::run(match o.last() {
                Some(("--build", _)) => wasm::Wanted::Package,
                Some(_) => wasm::Wanted::Samples,
                None => wasm::Wanted::Tests,
            })
        }),
        Some("editor") => options(arguments, &["--build"]).and_then(|o| editor::run(!o.is_empty())),
        Some("dist") => {
            options(arguments, &["--quick", "--try", "--keep", "--write"]).and_then(|o| {
                let asked = |name| o.contains(&(name, ""));
                let profile = if asked("--quick") {
                    install::Profile::Dev
                } else {
                    install::Profile::Release
                };
                let (tried, kept, write) = (asked("--try"), asked("--keep"), asked("--write"));
                dist::run(dist::Wanted {
                    profile,
                    tried,
                    kept,
                    write,
                })
            })
        }
        Some("api") => options(arguments, &["--bless"])
            .and_then(|o| one("public interface", || api::run(!o.is_empty()))),
        Some("guide") => options(arguments, &[]).and_then(|_| one("guide", guide::run)),
        Some("supply-chain") => options(arguments, &[]).and_then(|_| supply_chain::run()),
        Some("packages") => options(arguments, &[]).and_then(|_| packages::run()),
        Some("scale") => options(arguments, &[]).and_then(|_| scale::scale()),
        Some("bench") => {
            let quick = options(arguments, &["--quick"]);
            quick.and_then(|o| bench::run(!o.is_empty()).map(|()| true))
        }
        Some("instructions") => options(arguments, &[]).and_then(|_| ci::instructions()),
        Some("bench-kernel") => {
            options(arguments, &[]).and_then(|_| bench_kernel::run().map(|_| true))
        }
        Some("bpf") => options(arguments, &[]).and_then(|_| bpf::run().map(|_| true)),
        Some("kernel") => options(arguments, &[]).and_then(|_| {
            let tally = ci::kernel()?;
            Ok(tally.failed == 0)
        }),
        Some("docs") => {
            options(arguments, &["--check"]).and_then(|o| docs::run(!o.is_empty()).map(|()| true))
        }
        Some("install") => match options(arguments, &["--prefix="]).as_deref() {
            Ok([(_, prefix)]) => install::run(prefix, install::Profile::Release).map(|()| true),
            Ok(_) => Err("install needs --prefix DIR".into()),
            Err(message) => Err(message.clone()),
        },
        Some("ffi") => options(arguments, &["--long"]).and_then(|o| ffi_job(!o.is_empty())),
        Some("header") => {
            let check = options(arguments, &["--check"]);
            check.and_then(|o| header::run(!o.is_empty()).map(|()| true))
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(1);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::from(1)
        }
    }
}

/// A job of one step.
fn one(name: &str, run: impl FnOnce() -> Result<job::Tally, String>) -> Result<bool, String> {
    let mut job = job::Job::default();
    job.step(name, run);
    Ok(job.finish())
}

fn ffi_job(long: bool) -> Result<bool, String> {
    let mut job = job::Job::default();
    if long {
        job.step("C ABI in Valgrind and ThreadSanitizer", ffi::long);
    } else {
        job.step("C ABI in C and C++", ffi::programs);
        job.step("Go", bindings::go);
        job.step("Python", bindings::python);
    }
    Ok(job.finish())
}

fn testdata_job(options: &[(&str, &str)]) -> Result<bool, String> {
    let asked = |name| options.contains(&(name, ""));
    if let Some((_, engine)) = options.iter().find(|(name, _)| *name == "--engine") {
        testdata::replay(engine)?;
    }
    if asked("--bless") || options.is_empty() {
        testdata::run(asked("--bless"))?;
    }
    if asked("--bless-worlds") {
        worlds::bless()?;
    }
    if asked("--bless-diagnostics") {
        testdata::bless_diagnostics()?;
    }
    Ok(true)
}

/// Reads `--name` and, for names known as `--name=`, their values.
fn options<'a>(
    mut arguments: impl Iterator<Item = &'a str>,
    known: &[&str],
) -> Result<Vec<(&'a str, &'a str)>, String> {
    let mut list = Vec::new();
    while let Some(name) = arguments.next() {
        if known.contains(&name) {
            list.push((name, ""));
        } else if known.contains(&format!("{name}=").as_str()) {
            let value = arguments.next().ok_or(format!("{name} needs a value"))?;
            list.push((name, value));
        } else {
            return Err(format!("unknown option `{name}`\n\n{USAGE}"));
        }
    }
    Ok(list)
}
