//! `check` in a folder of its own: suppressions, settings, and the formats
//! that other programs read.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const POLICY: &str = "apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: web}}
  ingress: []
  egress:
  - toEndpoints:
    - matchLabels: {kubernetes.io/metadata.name: tools}
";

/// A folder that is there for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str, files: &[(&str, &str)]) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("check-{test}"));
        let _ = std::fs::remove_dir_all(&root);
        for (name, text) in files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(root)
    }

    fn check(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_netverdict"))
            .arg("check")
            .args(arguments)
            .current_dir(&self.0)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Codes with files and lines.
    fn codes(&self, arguments: &[&str]) -> Vec<String> {
        let mut all = vec!["-o", "json"];
        all.extend(arguments);
        let report: Value = serde_json::from_str(&self.check(&all)).unwrap();
        let found = report["diagnostics"].as_array().unwrap().iter();
        found
            .map(|d| {
                let part = |name: &str| d[name].to_string().replace('"', "");
                format!(
                    "{} {}:{} {}",
                    part("code"),
                    part("file"),
                    part("line"),
                    part("severity")
                )
            })
            .collect()
    }
}

#[test]
fn comments_and_settings_keep_findings_quiet() {
    let quiet = POLICY.replace("[]", "[]  # netverdict: ignore NV1007 meant to be open");
    let folder = Folder::new(
        "quiet",
        &[
            ("a/one.yaml", &quiet),
            ("a/two.yaml", &POLICY.replace("name: web", "name: two")),
            ("b/three.yaml", &POLICY.replace("name: web", "name: three")),
            ("old/four.yaml", &POLICY.replace("name: web", "name: four")),
            (
                "netverdict.yaml",
                "severity: {NV1025: info}\nignore:\n- path: old\n- {path: b, codes: [NV1007, NV1001]}\n",
            ),
            ("b/netverdict.yml", "not: ours"),
        ],
    );
    assert_eq!(
        folder.codes(&[]),
        [
            "NV1007 a/two.yaml:6 warning",
            "NV1101 netverdict.yaml:4 warning"
        ]
    );
    // From another folder, too, and without the files that it is not about.
    assert_eq!(
        folder.codes(&["a/two.yaml"]),
        ["NV1007 a/two.yaml:6 warning"]
    );
    let all = folder.codes(&["a", "--min-severity", "info"]);
    assert_eq!(
        all,
        [
            "NV1025 a/one.yaml:9 info",
            "NV1007 a/two.yaml:6 warning",
            "NV1025 a/two.yaml:9 info"
        ]
    );
}

#[test]
fn certain_fixes_are_applied() {
    let folder = Folder::new("fixed", &[("one.yaml", POLICY)]);
    folder.check(&["--fix"]);
    let text = std::fs::read_to_string(folder.0.join("one.yaml")).unwrap();
    assert!(
        text.contains("{k8s:io.kubernetes.pod.namespace: tools}"),
        "{text}"
    );
    // Whether ingress was to be denied is not certain.
    assert_eq!(folder.codes(&[]), ["NV1007 one.yaml:6 warning"]);
}

#[test]
fn sarif_has_rules_results_fixes_and_suppressions() {
    let quiet = POLICY.replace("[]", "[]  # netverdict: ignore NV1007 meant to be open");
    let folder = Folder::new("sarif", &[("a b.yaml", &quiet)]);
    let log: Value = serde_json::from_str(&folder.check(&["-o", "sarif"])).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: Vec<&str> = rules.iter().map(|r| r["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["NV1007", "NV1025"]);
    assert!(
        rules[1]["help"]["markdown"]
            .as_str()
            .unwrap()
            .contains("```yaml")
    );
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    let [told, quiet] = &results[..] else {
        panic!()
    };
    assert_eq!(
        (&told["ruleId"], &told["ruleIndex"]),
        (&"NV1025".into(), &1.into())
    );
    let place = &told["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20b.yaml");
    assert_eq!(place["region"]["startLine"], 9);
    let replacement = &told["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert_eq!(
        replacement["insertedContent"]["text"],
        "k8s:io.kubernetes.pod.namespace"
    );
    assert_eq!(
        quiet["suppressions"][0]["justification"],
        "meant to be open"
    );
}

#[test]
fn junit_has_a_failure_for_what_counts() {
    let fine = POLICY
        .replace("name: web", "name: fine")
        .replace("ingress: []\n  ", "")
        .replace("kubernetes.io/metadata.name", "app");
    let folder = Folder::new("junit", &[("a.yaml", POLICY), ("b.yaml", &fine)]);
    let text = folder.check(&["-o", "junit", "--fail-on", "warning"]);
    assert!(text.contains(r#"tests="3" failures="2""#), "{text}");
    assert!(
        text.contains(r#"<testcase classname="b.yaml" name="check"/>"#),
        "{text}"
    );
    assert!(
        text.contains(r#"<failure type="warning" message="an empty list"#),
        "{text}"
    );
    let text = folder.check(&["-o", "junit"]);
    assert!(text.contains(r#"tests="3" failures="0""#), "{text}");
}
