//! `cargo xtask editor`: the editor, built on the npm package and tried in a
//! browser.
//!
//! In: editor/ and the npm package. Out: target/editor/dist, ready for any file
//! host, and pictures of what the tests saw in target/editor/shots.

use crate::ffi::there;
use crate::install::target_folder;
use crate::job::{self, Job, Tally, cargo, command, root, run_tests, skip};
use crate::wasm;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What Vite wants of Node: a version of 20 from here on, or a later one.
const NODE: (u32, u32) = (20, 19);

/// Where the built editor goes.
pub(crate) fn built() -> PathBuf {
    target_folder().join("editor/dist")
}

/// Whether it is there.
pub(crate) fn is_built() -> bool {
    built().join("index.html").exists()
}

/// The package, the editor, and unless only `build` is wanted all tests. True
/// when nothing failed.
pub(crate) fn run(build_only: bool) -> Result<bool, String> {
    let mut job = Job::default();
    job.step("npm package", wasm::build);
    job.step("editor", build);
    if !build_only {
        job.step("editor: in a browser", test);
    }
    Ok(job.finish())
}

/// Why Node does not do; `None` when it does.
fn without_node() -> Option<String> {
    if !there("node") || !there("npm") {
        return Some("no Node with npm".to_owned());
    }
    let output = Command::new("node").arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.trim().trim_start_matches('v').split('.');
    let mut next = || numbers.next().and_then(|n| n.parse::<u32>().ok());
    let version = (next()?, next()?);
    (version < NODE).then(|| format!("Node {}.{} or later is needed, not {text}", NODE.0, NODE.1))
}

/// Builds the editor on the package that was built.
pub(crate) fn build() -> Result<Tally, String> {
    if let Some(why) = without_node() {
        return Ok(skip(&why));
    }
    if !wasm::package().join("netverdict.wasm").exists() {
        return Ok(skip("no package was built"));
    }
    if let Some(why) = packages()? {
        return Ok(skip(&why));
    }
    let mut build = npm(&["run", "--silent", "build"]);
    build.env("NETVERDICT_PACKAGE", wasm::package());
    build.env("NETVERDICT_EDITOR", built());
    job::run(&mut build)
}

fn npm(arguments: &[&str]) -> Command {
    let mut npm = command("npm", arguments);
    npm.current_dir(root().join("editor"));
    npm
}

/// Installs what the lock file names, unless it is there; says why it is not to
/// be had.
fn packages() -> Result<Option<String>, String> {
    let folder = root().join("editor");
    let time = |file: &str| fs::metadata(folder.join(file)).and_then(|m| m.modified());
    let lock = time("package-lock.json").map_err(|e| format!("package-lock.json: {e}"))?;
    if time("node_modules/.package-lock.json").is_ok_and(|installed| installed >= lock) {
        return Ok(None);
    }
    let mut install = npm(&["ci", "--no-audit", "--no-fund"]);
    let output = install.output().map_err(|e| format!("npm: {e}"))?;
    if output.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    // The lock file is wrong; anything else is the network's.
    if text.contains("EUSAGE") || text.contains("EINTEGRITY") {
        return Err(text);
    }
    Ok(Some(format!(
        "npm ci: {}",
        text.lines().next().unwrap_or_default()
    )))
}

/// One story: opened, broken, mended.
pub(crate) fn story() -> Result<Tally, String> {
    story_in(&built())
}

/// That one in an editor that was built somewhere.
pub(crate) fn story_in(editor: &Path) -> Result<Tally, String> {
    browser(editor, &["test/story.test.mjs"], Some("three-tier"))
}

/// Everything.
pub(crate) fn test() -> Result<Tally, String> {
    let files =
        fs::read_dir(root().join("editor/test")).map_err(|e| format!("editor/test: {e}"))?;
    let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names
        .filter(|name| name.ends_with(".test.mjs"))
        .map(|name| format!("test/{name}"))
        .collect();
    names.sort_unstable();
    // One after another: there are times among what they measure.
    let mut arguments = vec!["--test-concurrency=1"];
    arguments.extend(names.iter().map(String::as_str));
    browser(&built(), &arguments, None)
}

fn browser(editor: &Path, arguments: &[&str], story: Option<&str>) -> Result<Tally, String> {
    if !editor.join("index.html").exists() {
        return Ok(skip("no editor was built"));
    }
    let known = ["chromium", "chromium-browser", "google-chrome"];
    if std::env::var_os("CHROMIUM").is_none() && !known.iter().any(|name| there(name)) {
        return Ok(skip("no Chromium"));
    }
    // `netverdict edit` is asked, too.
    job::run(&mut cargo(&[
        "build",
        "--quiet",
        "--package=netverdict-cli",
    ]))?;
    let mut node = command("node", &["--test", "--test-reporter=tap"]);
    node.args(arguments).current_dir(root().join("editor"));
    node.env("NETVERDICT_EDITOR", editor);
    node.env("NETVERDICT_SHOTS", target_folder().join("editor/shots"));
    node.env("NETVERDICT", target_folder().join("debug/netverdict"));
    node.envs(story.map(|name| ("STORY", name)));
    run_tests(&mut node, wasm::tap_line)
}
