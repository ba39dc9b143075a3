//! `netverdict test`: found by itself, in the forms of CI systems, and again
//! when a file changes; and what CI is told to run.

use netverdict::source::SourceId;
use netverdict::yaml;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netverdict"));
    command.current_dir(root());
    command
}

/// A folder with the shop's manifests and expectations.
fn folder(name: &str, expectations: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    for file in ["policies.yaml", "workloads.yaml"] {
        let from = root().join("examples/shop/manifests").join(file);
        fs::copy(from, folder.join(file)).expect("a copy");
    }
    fs::write(folder.join("shop.netverdict.yaml"), expectations).expect("written");
    folder
}

const HOLDS: &str = "allow: [{from: shop/storefront, to: shop/cart, port: 7070}]\n";
const FAILS: &str = "deny: [{name: 'a & b', from: shop/storefront, to: shop/cart, port: 7070}]\n";

#[test]
fn expectations_beside_policies_are_found_and_are_no_manifests() {
    let folder = folder("found", HOLDS);
    let tested = program()
        .arg("test")
        .arg("-f")
        .arg(&folder)
        .output()
        .expect("it runs");
    let text = String::from_utf8(tested.stdout).expect("UTF-8");
    assert!(text.contains("1 expectation: 1 hold, 0 failed"), "{text}");
    assert_eq!(tested.status.code(), Some(0));
    let checked = program()
        .arg("check")
        .arg(&folder)
        .output()
        .expect("it runs");
    let text = String::from_utf8(checked.stdout).expect("UTF-8");
    assert!(text.contains("2 files"), "{text}");
}

#[test]
fn junit_names_each_expectation_and_what_is_wrong() {
    let folder = folder("junit", &format!("{HOLDS}{FAILS}"));
    let tested = program()
        .args(["test", "-o", "junit", "-f"])
        .arg(&folder)
        .output();
    let tested = tested.expect("it runs");
    assert_eq!(tested.status.code(), Some(3));
    let text = String::from_utf8(tested.stdout).expect("UTF-8");
    for part in [
        r#"<testsuites tests="2" failures="1">"#,
        r#"<testcase name="a &amp; b""#,
        r#"<failure message="shop/storefront → shop/cart 7070/TCP: allowed">"#,
        "policies.yaml:81:5",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_change_is_tested_again() {
    let folder = folder("watched", HOLDS);
    let mut child = program()
        .args(["test", "--watch", "-f"])
        .arg(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut next = || lines.next().expect("a line").expect("UTF-8");
    assert_eq!(next(), "1 expectation: 1 hold, 0 failed; 1 question");
    // Of another length: a clock that stands still hides nothing.
    fs::write(folder.join("shop.netverdict.yaml"), FAILS).expect("written");
    assert_eq!(next(), "failed: a & b");
    child.kill().expect("it ends");
    child.wait().expect("it has ended");
}

#[test]
fn hooks_name_commands_that_exist() {
    let text = fs::read_to_string(root().join(".pre-commit-hooks.yaml")).expect("the hooks");
    let document = yaml::read(SourceId(0), &text, &yaml::Limits::default()).remove(0);
    let hooks = document.result.expect("YAML");
    assert_eq!(hooks.items().len(), 2);
    for hook in hooks.items() {
        let entry = hook
            .get("entry")
            .and_then(|e| e.as_str())
            .expect("an entry");
        let arguments = entry.strip_prefix("netverdict ").expect("the program");
        let help = program().args(arguments.split(' ')).arg("--help").output();
        assert!(help.expect("it runs").status.success(), "{entry}");
    }
    let action = fs::read_to_string(root().join("action.yml")).expect("the action");
    let document = yaml::read(SourceId(0), &action, &yaml::Limits::default()).remove(0);
    let action = document.result.expect("YAML");
    let steps = action
        .get("runs")
        .and_then(|r| r.get("steps"))
        .expect("steps");
    assert_eq!(steps.items().len(), 2);
    // What the guide says of both is there.
    let page = fs::read_to_string(root().join("docs/guide/src/ci.md")).expect("the page");
    let known: Vec<&str> = hooks
        .items()
        .iter()
        .filter_map(|hook| hook.get("id")?.as_str())
        .collect();
    let inputs = action.get("inputs").expect("inputs");
    let (mut shown, mut given) = (0, 0);
    for block in page.split("```yaml\n").skip(1) {
        let block = block.split("```").next().expect("a block");
        let document = yaml::read(SourceId(0), block, &yaml::Limits::default()).remove(0);
        for item in document.result.expect("YAML in the guide").items() {
            for hook in item.get("hooks").map(yaml::Node::items).unwrap_or_default() {
                let id = hook.get("id").and_then(|i| i.as_str()).expect("an id");
                assert!(known.contains(&id), "{id}");
                shown += 1;
            }
            if let Some(path) = item.get("with").and_then(|w| w.get("path")) {
                assert!(path.as_str().is_some() && inputs.get("path").is_some());
                given += 1;
            }
        }
    }
    assert_eq!((shown, given), (2, 2));
}
