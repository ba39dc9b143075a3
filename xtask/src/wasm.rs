//! `cargo xtask wasm`: the npm package, built, measured and tested.
//!
//! In: wasm/ and npm/. Out: target/npm/netverdict, ready for `npm pack`.

use crate::ffi::there;
use crate::install::{same_paths, target_folder};
use crate::job::{self, Job, Tally, cargo, command, copy_folder, root, run_tests, skip};
use crate::testdata;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

/// What is marked `#[inline]`, as most of collections is, becomes part of its
/// callers up to a cost of 64 instead of LLVM's 325: a module of a twentieth less,
/// which takes 2 % more time once it is compiled, and less until then.
const HINTS: &str = "-Cllvm-args=-inlinehint-threshold=64";

/// What `xtask/wasm-toolchain` says where only the usual compiler is to be had.
const USUAL: &str = "rustc";

/// A module of the package: its name, how it is built, how many bytes it may
/// have after brotli so that it does not grow, and how many it is to have.
struct Module {
    name: &'static str,
    engine: bool,
    folder: &'static str,
    most: u64,
    goal: u64,
}

const MODULES: [Module; 2] = [
    Module {
        name: "netverdict",
        engine: true,
        folder: "",
        most: 764 << 10,
        goal: 300 << 10,
    },
    Module {
        name: "netverdict-table",
        engine: false,
        folder: "table",
        most: 16 << 10,
        goal: 20 << 10,
    },
];

/// Tests in npm/test.
const TESTS: [&str; 3] = ["engine", "editing", "documented"];

/// Where the package is put together.
pub(crate) fn package() -> PathBuf {
    target_folder().join("npm/netverdict")
}

/// What is wanted of the job, beside the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nothing.
    Package,
    /// Its tests.
    Tests,
    /// Also tests in projects that use it.
    Samples,
}

/// This program, building the package in a process of its own.
pub(crate) fn build_apart() -> Result<Command, String> {
    let mut program = Command::new(std::env::current_exe().map_err(|e| e.to_string())?);
    program.args(["wasm", "--build"]).current_dir(root());
    Ok(program)
}

/// Builds, and tests. True when nothing failed.
pub(crate) fn run(wanted: Wanted) -> Result<bool, String> {
    let mut job = Job::default();
    job.step("npm package", build);
    if wanted != Wanted::Package {
        job.step("npm package: tests", test);
    }
    if wanted == Wanted::Samples {
        job.step("npm package: samples and types", samples);
    }
    Ok(job.finish())
}

/// The compiler that knows wasm32; `Err` in the inner result says why there is
/// none.
fn compiler() -> Result<Result<String, String>, String> {
    let mut script = command("xtask/wasm-toolchain", &[]);
    let output = script
        .output()
        .map_err(|e| format!("xtask/wasm-toolchain: {e}"))?;
    Ok(if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    })
}

/// Builds the package.
pub(crate) fn build() -> Result<Tally, String> {
    if !there("node") {
        return Ok(skip("no Node"));
    }
    let compiler = match compiler()? {
        Ok(compiler) => compiler,
        Err(why) => return Ok(skip(&why)),
    };
    let to = package();
    let _ = fs::remove_dir_all(&to);
    copy_folder(&root().join("npm"), &to)?;
    for folder in ["test", "samples"] {
        let _ = fs::remove_dir_all(to.join(folder));
    }
    let bindgen = bindgen()?;
    let mut tally = Tally::default();
    for module in &MODULES {
        tally += build_module(module, &compiler, &bindgen, &to)?;
    }
    share(&to)?;
    inline(&to)?;
    for folder in ["", "table"] {
        let mut node = command("node", &["wasm/commonjs.mjs"]);
        let at = to.join(folder);
        job::run(node.arg(at.join("node.js")).arg(at.join("node.cjs")))?;
    }
    for file in ["LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(root().join(file), to.join(file)).map_err(|e| format!("{file}: {e}"))?;
    }
    Ok(tally)
}

/// The program that makes the JavaScript of a module.
fn bindgen() -> Result<PathBuf, String> {
    let folder = target_folder().join("bindgen");
    let mut build = cargo(&[
        "build",
        "--quiet",
        "--manifest-path=wasm/bindgen/Cargo.toml",
    ]);
    job::run(build.env("CARGO_TARGET_DIR", &folder))?;
    Ok(folder.join("debug/netverdict-bindgen"))
}

fn build_module(
    module: &Module,
    compiler: &str,
    bindgen: &Path,
    to: &Path,
) -> Result<Tally, String> {
    // Another compiler's products have a folder of their own.
    let target = target_folder().join("wasm");
    let mut build = cargo(&[
        "build",
        "--quiet",
        "--profile=wasm",
        "--package=netverdict-wasm",
        "--target",
        TARGET,
    ]);
    if !module.engine {
        build.arg("--no-default-features");
    }
    build.env("CARGO_TARGET_DIR", &target);
    build.env("RUSTC", compiler);
    // Hash maps of two builds are to be the same, and so are the places in messages.
    build.env("CONST_RANDOM_SEED", "netverdict");
    let mut flags = same_paths();
    flags.push(HINTS.to_owned());
    build.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    job::run(&mut build)?;
    let built = target.join(TARGET).join("wasm/netverdict_wasm.wasm");
    let lib = to.join(module.folder).join("lib");
    let mut glue = Command::new(bindgen);
    job::run(glue.arg(&built).arg(&lib).arg("raw"))?;
    let wasm = to.join(module.folder).join(format!("{}.wasm", module.name));
    fs::rename(lib.join("raw_bg.wasm"), &wasm).map_err(|e| format!("raw_bg.wasm: {e}"))?;
    for types in ["raw.d.ts", "raw_bg.wasm.d.ts"] {
        let _ = fs::remove_file(lib.join(types));
    }
    // The usual library for the target makes more of everything.
    let judged = compiler != USUAL;
    size(module, &wasm, judged)
}

/// Compares a module's size after brotli with what it may have.
fn size(module: &Module, wasm: &Path, judged: bool) -> Result<Tally, String> {
    let script = "const z=require('zlib'),f=require('fs').readFileSync(process.argv[1]);\
                  console.log(z.brotliCompressSync(f,{params:{[z.constants.BROTLI_PARAM_SIZE_HINT]:f.length}}).length,\
                  z.gzipSync(f,{level:9}).length)";
    let output = Command::new("node").args(["-e", script]).arg(wasm).output();
    let output = output.map_err(|e| format!("node: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut sizes = text.split_whitespace().map(str::parse);
    let (Some(Ok(bytes)), Some(Ok(gzip))) = (sizes.next(), sizes.next()) else {
        return Err("node measured nothing".to_owned());
    };
    let (bytes, gzip): (u64, u64) = (bytes, gzip);
    let raw = fs::metadata(wasm).map_or(0, |m| m.len());
    println!(
        "{}.wasm: {raw} bytes, {gzip} after gzip, {bytes} after brotli, at most {}, the goal is {}",
        module.name, module.most, module.goal
    );
    if !judged {
        return Ok(skip(
            "sizes are those of a library that was not compiled for size",
        ));
    }
    Ok(if bytes <= module.most {
        Tally::ONE
    } else {
        Tally {
            failed: 1,
            ..Tally::default()
        }
    })
}

/// Gives the package of tables the JavaScript that it has in common with the
/// whole.
fn share(to: &Path) -> Result<(), String> {
    for file in ["module.js", "table.js"] {
        let (from, into) = (to.join("lib").join(file), to.join("table/lib").join(file));
        fs::copy(from, into).map_err(|e| format!("{file}: {e}"))?;
    }
    Ok(())
}

/// Puts the module into a file of JavaScript.
fn inline(to: &Path) -> Result<(), String> {
    let script = "const f=require('fs'),[t,w,o]=process.argv.slice(1);\
                  f.writeFileSync(o,f.readFileSync(t,'utf8').replace('@module@',f.readFileSync(w).toString('base64')))";
    let mut node = Command::new("node");
    node.args(["-e", script])
        .arg(to.join("inline.template.js"))
        .arg(to.join("netverdict.wasm"))
        .arg(to.join("inline.js"));
    job::run(&mut node)?;
    fs::remove_file(to.join("inline.template.js")).map_err(|e| format!("inline.template.js: {e}"))
}

/// Tests the package that was built.
pub(crate) fn test() -> Result<Tally, String> {
    if !package().join("netverdict.wasm").exists() {
        return Ok(skip("no package was built"));
    }
    let mut node = command("node", &["--test", "--test-reporter=tap"]);
    node.args(TESTS.map(|name| format!("npm/test/{name}.test.mjs")));
    node.env("NETVERDICT_PACKAGE", package());
    let mut tally = run_tests(&mut node, tap_line)?;
    let engine = format!("node wasm/scenario.mjs {}", package().display());
    testdata::replay(&engine)?;
    tally += Tally::ONE;
    // Told, and judged by people: machines differ.
    let mut speed = command("node", &["npm/test/speed.mjs", "100", "200", "40"]);
    job::run(speed.env("NETVERDICT_PACKAGE", package()))?;
    Ok(tally)
}

/// Tests the package as it would be published, in the projects of npm/samples,
/// and its types.
pub(crate) fn samples() -> Result<Tally, String> {
    if !package().join("netverdict.wasm").exists() {
        return Ok(skip("no package was built"));
    }
    let tools = target_folder().join("npm/tools");
    copy_folder(&root().join("npm/samples/tools"), &tools)?;
    let mut install = command(
        "npm",
        &["ci", "--no-audit", "--no-fund", "--loglevel=error"],
    );
    job::run(install.current_dir(&tools))?;
    let mut node = command("node", &["--test", "--test-reporter=tap"]);
    node.arg("npm/test/samples.test.mjs");
    node.env("NETVERDICT_PACKAGE", package());
    node.env("NETVERDICT_TOOLS", &tools);
    run_tests(&mut node, tap_line)
}

/// Counts a line of the Test Anything Protocol.
pub(crate) fn tap_line(line: &str) -> (Tally, bool) {
    let text = line.trim_start();
    let one = |passed, failed, skipped| Tally {
        passed,
        failed,
        skipped,
    };
    // What has parts is counted by its parts.
    if text.starts_with("not ok") {
        (one(0, 1, 0), true)
    } else if text.starts_with("ok") && text.contains("# SKIP") {
        (one(0, 0, 1), true)
    } else if text.starts_with("ok") {
        (one(1, 0, 0), false)
    } else {
        (
            Tally::default(),
            !text.starts_with('#') && text.contains("rror"),
        )
    }
}
