//! The bindings: tested, and all of testdata/ replayed through each.
//!
//! In: Go, Python, and the C library. Out: counts. What is missing is named,
//! and counted as skipped.

use crate::ffi::{Bench, there};
use crate::job::{self, Tally, go_test_line, root, run_tests, skip};
use crate::{locks, testdata};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Go module, with cgo and without.
pub(crate) fn go() -> Result<Tally, String> {
    if !there("cc") || !there("pkg-config") {
        return Ok(skip("cgo wants a C compiler and pkg-config"));
    }
    let bench = Bench::new()?;
    let go = |arguments: &[&str]| {
        let mut command = Command::new("go");
        command
            .args(arguments)
            .current_dir(root().join("bindings/go"));
        let library = bench.lib();
        command.env("PKG_CONFIG_PATH", library.join("pkgconfig"));
        command.env("LD_LIBRARY_PATH", library);
        command
    };
    let unformatted = Command::new("gofmt")
        .args(["-l", "."])
        .current_dir(root().join("bindings/go"))
        .output()
        .map_err(|e| format!("gofmt: {e}"))?;
    if !unformatted.stdout.is_empty() {
        let files = String::from_utf8_lossy(&unformatted.stdout).into_owned();
        return Err(format!("gofmt would change {files}"));
    }
    let mut tally = job::run(&mut go(&["vet", "./..."]))?;
    tally += run_tests(&mut go(&["test", "-v", "./..."]), go_test_line)?;
    for arguments in [["vet", "./..."], ["test", "./table"]] {
        tally += job::run(go(&arguments).env("CGO_ENABLED", "0"))?;
    }
    let program = bench.folder().join("go-scenario");
    let to = path(&program)?;
    job::run(&mut go(&["build", "-o", to, "./cmd/netverdict-scenario"]))?;
    // It is started from here, not by `go`.
    tally += replay(&format!(
        "env LD_LIBRARY_PATH={} {to}",
        bench.lib().display()
    ))?;
    Ok(tally)
}

/// The folder of the environment that has maturin.
fn environment() -> PathBuf {
    crate::install::target_folder().join("python/venv")
}

/// pip, about to install into an environment. By the interpreter: the script names
/// the folder it was installed in.
pub(crate) fn pip_install(environment: &Path, options: &[&str]) -> Command {
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet"]).args(options);
    pip
}

/// The program that makes wheels; `None` when it cannot be had.
pub(crate) fn maturin() -> Result<Option<PathBuf>, String> {
    let new_enough = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
    let mut probe = Command::new("python3");
    if !probe
        .args(["-c", new_enough])
        .status()
        .is_ok_and(|s| s.success())
    {
        return Ok(None);
    }
    let maturin = environment().join("bin/maturin");
    let requirements = locks::requirements()?;
    let noted = environment().join("requirements.txt");
    if !maturin.exists() || !std::fs::read_to_string(&noted).is_ok_and(|n| n == requirements) {
        job::run(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(environment()),
        )?;
        let mut pip = pip_install(&environment(), &["--require-hashes", "-r"]);
        pip.arg(root().join(locks::REQUIREMENTS));
        let installed = pip.status().is_ok_and(|s| s.success());
        if !installed || std::fs::write(&noted, requirements).is_err() {
            return Ok(None);
        }
    }
    Ok(Some(maturin))
}

/// The Python package: a wheel, installed in an environment of its own.
pub(crate) fn python() -> Result<Tally, String> {
    let Some(maturin) = maturin()? else {
        return Ok(skip(
            "no Python 3.11 or later with venv, or maturin cannot be installed",
        ));
    };
    let wheels = crate::install::target_folder().join("python/wheels");
    let program = |name: &str| environment().join("bin").join(name);
    let _ = std::fs::remove_dir_all(&wheels);
    let mut build = Command::new(maturin);
    build.args([
        "build",
        "--quiet",
        "--profile",
        "dev",
        "--strip",
        "--manifest-path",
    ]);
    build.arg(root().join("bindings/python/Cargo.toml"));
    build.arg("--out").arg(&wheels);
    job::run(&mut build)?;
    let wheel = only_file(&wheels)?;
    if !path(&wheel)?.contains("-cp311-abi3-") {
        return Err(format!("{}: not an abi3 wheel", wheel.display()));
    }
    let mut pip = pip_install(&environment(), &["--no-deps", "--force-reinstall"]);
    job::run(pip.arg(&wheel))?;
    let mut test = Command::new(program("python"));
    test.args(["-m", "unittest", "discover", "-s"]);
    let mut tally = job::run(test.arg(root().join("bindings/python/tests")))?;
    let python = program("python");
    tally += replay(&format!("{} -m netverdict.scenario", path(&python)?))?;
    Ok(tally)
}

fn only_file(folder: &Path) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files = entries.flatten().map(|e| e.path());
    match (files.next(), files.next()) {
        (Some(file), None) => Ok(file),
        _ => Err(format!("{}: not one file", folder.display())),
    }
}

fn path(of: &Path) -> Result<&str, String> {
    of.to_str()
        .ok_or("the target folder is not UTF-8".to_owned())
}

/// All cases of testdata/ through a program.
fn replay(engine: &str) -> Result<Tally, String> {
    testdata::replay(engine)?;
    Ok(Tally::ONE)
}
