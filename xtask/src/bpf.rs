//! `cargo xtask bpf`: the BPF programs, built by clang.
//!
//! In: datapath/bpf/*.bpf.c. Out: objects in `target/bpf`, where the command
//! line and the kernel tests look for them. The one that includes Cilium's own
//! code finds it in Go's module cache, and is left out where there is no Go.

use crate::job::{Tally, command, root};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The one object that needs Cilium's sources.
const CILIUM: &str = "cilium_conformance.bpf.c";

/// Builds every object; returns how many, and those left out as skipped.
pub(crate) fn run() -> Result<Tally, String> {
    let Some(clang) = clang() else {
        let why = "there is no clang; xtask/install-tools installs one";
        return Err(why.into());
    };
    let out = directory();
    std::fs::create_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    let sources = root().join("datapath/bpf");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&sources)
        .map_err(|e| format!("{}: {e}", sources.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".bpf.c"))
        .collect();
    files.sort();
    let mut tally = Tally::default();
    for source in files {
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        let object = out.join(name.replace(".c", ".o"));
        let mut build = Command::new(clang);
        build.args(["-target", "bpf", "-mcpu=v3", "-O2", "-g"]);
        build.args(["-Wall", "-Wextra", "-Werror", "-Wshadow"]);
        if name == CILIUM {
            let Some(cilium) = cilium() else {
                println!("{name}: left out, for there is no Go to fetch Cilium's sources");
                tally.skipped += 1;
                continue;
            };
            build.args(["-nostdinc", "-std=gnu99"]);
            build.args([
                "-ftrap-function=__undefined_trap",
                "-Wno-address-of-packed-member",
            ]);
            build.arg("-Wno-gnu-variable-sized-type-not-at-end");
            build.arg("-I").arg(cilium.join("bpf"));
            build.arg("-I").arg(cilium.join("bpf/include"));
        }
        build.arg("-I").arg(root().join("table/include"));
        build.arg("-I").arg(&sources);
        build.arg("-c").arg(&source).arg("-o").arg(&object);
        let output = build.output().map_err(|e| format!("{clang}: {e}"))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{name}: {}\n{text}", output.status));
        }
        let bytes = std::fs::metadata(&object).map_or(0, |m| m.len());
        println!("{}: {bytes} bytes", object.display());
        tally.passed += 1;
    }
    Ok(tally)
}

/// Where the objects are.
pub(crate) fn directory() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("bpf")
}

fn clang() -> Option<&'static str> {
    ["clang-19", "clang", "clang-18", "clang-17"]
        .into_iter()
        .find(|c| works(Command::new(c).arg("--version")))
}

fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|o| o.status.success())
}

/// Cilium's sources in Go's module cache, as `conformance/cilium` names them.
fn cilium() -> Option<PathBuf> {
    let go = |arguments: &[&str]| {
        let mut go = command("go", arguments);
        let output = go
            .current_dir(root().join("conformance/cilium"))
            .output()
            .ok()?;
        output.status.success().then_some(output.stdout)
    };
    let module = "github.com/cilium/cilium";
    go(&["mod", "download", module])?;
    let directory = String::from_utf8(go(&["list", "-m", "-f", "{{.Dir}}", module])?).ok()?;
    let directory = Path::new(directory.trim()).to_owned();
    directory
        .join("bpf/lib/policy.h")
        .is_file()
        .then_some(directory)
}
