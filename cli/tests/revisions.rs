//! `diff --git`: in a repository made for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PODS: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: a, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: job, namespace: a, labels: {app: job}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: a, labels: {app: db}}
";

/// Lets pods of one app ask the database.
fn policy(app: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: db, namespace: a}}
spec:
  podSelector: {{matchLabels: {{app: db}}}}
  ingress:
  - from: [{{podSelector: {{matchLabels: {{app: {app}}}}}}}]
    ports: [{{port: 5432}}]
"
    )
}

/// A repository in which `main` and `topic` went apart: on `topic` the policy
/// was moved to another file and is for other pods, on `main` a file came that
/// has nothing to do with it.
struct Repository(PathBuf);

impl Repository {
    fn new(name: &str) -> Option<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("k8s")).unwrap();
        let own = Self(folder);
        let there = Command::new("git").arg("--version").output();
        there.ok().filter(|o| o.status.success())?;
        own.git(&["init", "--quiet", "--initial-branch=main", "."]);
        own.write("k8s/pods.yaml", PODS);
        own.write("k8s/db.yaml", &policy("web"));
        own.write("k8s/.hidden.yaml", "kind: [");
        own.commit("first");
        own.git(&["checkout", "--quiet", "-b", "topic"]);
        own.git(&["mv", "k8s/db.yaml", "k8s/database.yaml"]);
        own.commit("only moved");
        own.git(&["tag", "moved"]);
        own.write("k8s/database.yaml", &policy("job"));
        own.commit("for other pods");
        own.git(&["checkout", "--quiet", "main"]);
        let closed = policy("nobody").replace("app: db", "app: web");
        own.write("k8s/web.yaml", &closed.replace("name: db", "name: web"));
        own.commit("something else");
        Some(own)
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.0.join(path), text).unwrap();
    }

    fn git(&self, arguments: &[&str]) {
        let output = Command::new("git")
            .args([
                "-c",
                "user.name=nobody",
                "-c",
                "user.email=nobody@example.com",
            ])
            .args([
                "-c",
                "commit.gpgsign=false",
                "-c",
                "core.hooksPath=/dev/null",
            ])
            .args(arguments)
            .current_dir(&self.0)
            // Not the repository that this test may be run in.
            .env_remove("GIT_DIR")
            .env_remove("GIT_INDEX_FILE")
            .env_remove("GIT_WORK_TREE")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {said}");
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    fn diff(&self, from: &str, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_netverdict"))
            .args(["diff", "-o", "json"])
            .args(arguments)
            .current_dir(self.0.join(from))
            .env_remove("GIT_DIR")
            .env_remove("GIT_INDEX_FILE")
            .env_remove("GIT_WORK_TREE")
            .output()
            .unwrap()
    }

    /// What changes in a range: kind, sender, receiver; and the files that
    /// decide before and after.
    fn changes(&self, from: &str, arguments: &[&str]) -> Vec<String> {
        let output = self.diff(from, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        let json: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
        let changes = json["changes"].as_array().expect("a list");
        let code = if changes.is_empty() { 0 } else { 4 };
        assert_eq!(output.status.code(), Some(code), "{said}");
        let line = |c: &serde_json::Value| {
            let text = |key: &str| c[key].as_str().unwrap_or("").to_owned();
            format!("{} {} → {}", text("kind"), text("from"), text("to"))
        };
        changes.iter().map(line).collect()
    }
}

const MOVED_ON: [&str; 2] = [
    "opened a/job[Pod] → a/db[Pod]",
    "closed a/web[Pod] → a/db[Pod]",
];

/// Changes between pods alone, in a fixed order.
fn between_pods(mut changes: Vec<String>) -> Vec<String> {
    changes.retain(|c| c.matches("[Pod]").count() == 2);
    changes.sort_unstable();
    changes
}

#[test]
fn two_revisions_are_compared_and_a_file_that_moved_is_none_that_changed() {
    let Some(repository) = Repository::new("git-revisions") else {
        println!("skipped: no git");
        return;
    };
    let mut expected = MOVED_ON.map(str::to_owned);
    expected.sort_unstable();
    // Since they parted: what came on `main` later has no part in it.
    let since = between_pods(repository.changes(".", &["--git", "main...topic", "k8s"]));
    assert_eq!(since, expected);
    // From one end to the other it has.
    let ends = between_pods(repository.changes(".", &["--git", "main..topic", "k8s"]));
    assert!(ends.len() > since.len(), "{ends:?}");
    assert!(since.iter().all(|c| ends.contains(c)), "{ends:?}");
    assert!(
        ends.contains(&"opened a/job[Pod] → a/web[Pod]".to_owned()),
        "{ends:?}"
    );
    // A file of another name says the same.
    let moved = repository.changes(".", &["--git", "main~1..moved", "k8s"]);
    assert_eq!(moved, Vec::<String>::new());
    // Backwards everything is the other way round.
    let back = between_pods(repository.changes(".", &["--git", "topic..moved", "k8s"]));
    assert_eq!(
        back,
        [
            "closed a/job[Pod] → a/db[Pod]",
            "opened a/web[Pod] → a/db[Pod]"
        ]
    );
}

#[test]
fn places_are_those_of_their_revision() {
    let Some(repository) = Repository::new("git-places") else {
        println!("skipped: no git");
        return;
    };
    let output = repository.diff(".", &["--git", "main...topic", "k8s"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("k8s/db.yaml:7"), "{text}");
    assert!(text.contains("k8s/database.yaml:7"), "{text}");
}

#[test]
fn the_working_tree_is_compared_with_a_revision() {
    let Some(repository) = Repository::new("git-working-tree") else {
        println!("skipped: no git");
        return;
    };
    let nothing = repository.changes(".", &["--git", "HEAD", "k8s"]);
    assert_eq!(nothing, Vec::<String>::new());
    repository.write("k8s/db.yaml", &policy("job"));
    let mut expected = MOVED_ON.map(str::to_owned);
    expected.sort_unstable();
    let mut dirty = between_pods(repository.changes(".", &["--git", "HEAD", "k8s"]));
    // `web` is isolated on `main`; that did not change.
    dirty.retain(|c| c.ends_with("a/db[Pod]"));
    assert_eq!(dirty, expected);
    // Paths count from where one is.
    let inside = between_pods(repository.changes("k8s", &["--git", "HEAD", "."]));
    assert_eq!(inside, expected);
    // What is not committed is in no revision.
    let committed = repository.changes(".", &["--git", "main~1..", "k8s"]);
    assert!(
        committed.iter().all(|c| !c.contains("a/job[Pod] → a/db")),
        "{committed:?}"
    );
}

#[test]
fn what_git_does_not_know_is_an_error() {
    let Some(repository) = Repository::new("git-unknown") else {
        println!("skipped: no git");
        return;
    };
    for range in ["nowhere", "main..nowhere", "--help", "main...nowhere"] {
        let range = format!("--git={range}");
        let output = repository.diff(".", &[&range, "k8s"]);
        assert_eq!(output.status.code(), Some(1), "{range}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("git knows no revision"), "{range}: {said}");
    }
}
