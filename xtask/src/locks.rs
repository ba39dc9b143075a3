//! Lock files of npm and Python: exact versions, sums, licences. No network.
//!
//! In: every package.json and package-lock.json that git knows, and the
//! requirements of Python's tools; deny-others.yaml, which says what these may name.
//! Out: complaints, a line each.

use crate::job::{command, root};
use crate::packages::printed;
use netverdict::{source::SourceId, yaml};
use serde_json::Value;
use std::fs;

/// The tools that Python's package is built with.
pub(crate) const REQUIREMENTS: &str = "bindings/python/requirements.txt";

/// What may be in them, beside deny.toml, which says it of crates.
const ALLOWED: &str = "deny-others.yaml";

/// What `deny-others.yaml` allows.
struct Allowed {
    /// Where a package of npm may come from.
    registry: String,
    /// Licences of what is in the built editor.
    shipped: Vec<String>,
    /// Licences of what builds and tests, besides these.
    tools: Vec<String>,
    /// Licences of Python's tools.
    python: Vec<String>,
}

impl Allowed {
    fn new() -> Result<Self, String> {
        let text = read(ALLOWED)?;
        let document = yaml::read(SourceId(0), &text, &yaml::Limits::default())
            .into_iter()
            .next()
            .and_then(|d| d.result.ok())
            .ok_or(format!("{ALLOWED}: not YAML"))?;
        let field = |of: &str, name: &str| {
            let found = document.get(of).and_then(|o| o.get(name));
            found.ok_or(format!("{ALLOWED}: no {of}.{name}"))
        };
        let list = |of: &str, name: &str| {
            let items = field(of, name)?.items().iter();
            let texts = items.map(|i| i.as_str().map(str::to_owned));
            texts
                .collect::<Option<Vec<String>>>()
                .filter(|l| !l.is_empty())
                .ok_or(format!("{ALLOWED}: {of}.{name} is no list of texts"))
        };
        let registry = field("npm", "allow-registry")?.as_str().unwrap_or_default();
        // Every address begins with an empty one.
        if !registry.starts_with("https://") || !registry.ends_with('/') {
            return Err(format!("{ALLOWED}: npm.allow-registry is no address"));
        }
        Ok(Self {
            registry: registry.to_owned(),
            shipped: list("npm", "shipped")?,
            tools: list("npm", "tools")?,
            python: list("python", "tools")?,
        })
    }
}

fn read(file: &str) -> Result<String, String> {
    fs::read_to_string(root().join(file)).map_err(|e| format!("{file}: {e}"))
}

fn json(file: &str) -> Result<Value, String> {
    serde_json::from_str(&read(file)?).map_err(|e| format!("{file}: {e}"))
}

/// The lock files of npm, each with what is wrong with it.
pub(crate) fn npm() -> Result<Vec<(String, Vec<String>)>, String> {
    let listed = printed(&mut command("git", &["ls-files", "*package.json"]))?;
    let allowed = Allowed::new()?;
    let mut all = Vec::new();
    for manifest in listed.lines() {
        let lock = manifest.replace("package.json", "package-lock.json");
        let wanted = json(manifest)?;
        if root().join(&lock).exists() {
            all.push((
                lock.clone(),
                wrong_in_lock(&wanted, &json(&lock)?, &allowed),
            ));
        } else if FIELDS.iter().any(|f| !wanted[*f].is_null()) {
            let complaint = "there are dependencies, and no package-lock.json".to_owned();
            all.push((manifest.to_owned(), vec![complaint]));
        }
    }
    Ok(all)
}

/// Where a package names others.
const FIELDS: [&str; 3] = ["dependencies", "devDependencies", "optionalDependencies"];

fn wrong_in_lock(manifest: &Value, lock: &Value, allowed: &Allowed) -> Vec<String> {
    let mut wrong = Vec::new();
    if lock["lockfileVersion"] != 3 {
        wrong.push("not a lock file of version 3".to_owned());
    }
    for field in FIELDS {
        if manifest[field] != lock["packages"][""][field] {
            wrong.push(format!("other {field} than package.json"));
        }
        for (name, version) in manifest[field].as_object().into_iter().flatten() {
            let version = version.as_str().unwrap_or_default();
            if !exact(version) {
                wrong.push(format!("{name}: {version:?} is not an exact version"));
            }
        }
    }
    for (at, package) in lock["packages"].as_object().into_iter().flatten() {
        if at.is_empty() {
            continue;
        }
        let text = |field: &str| package[field].as_str().unwrap_or_default();
        if !exact(text("version")) {
            wrong.push(format!("{at}: no version"));
        }
        if !text("integrity").starts_with("sha512-") {
            wrong.push(format!("{at}: no sum"));
        }
        let from = text("resolved");
        if !from.is_empty() && !from.starts_with(&allowed.registry) {
            wrong.push(format!("{at}: from {from}"));
        }
        let licence = text("license");
        let among = |list: &[String]| list.iter().any(|l| l == licence);
        let tool = package["dev"] == true && among(&allowed.tools);
        if !tool && !among(&allowed.shipped) {
            wrong.push(format!("{at}: licence {licence:?}"));
        }
    }
    wrong
}

fn exact(version: &str) -> bool {
    let numbers = version.split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = numbers.split('.').collect();
    let digits = |p: &&str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit());
    parts.len() > 1 && parts.iter().all(digits)
}

/// The requirements of Python.
pub(crate) fn requirements() -> Result<String, String> {
    read(REQUIREMENTS)
}

/// What is wrong with them.
pub(crate) fn python() -> Result<Vec<String>, String> {
    let mut wrong = wrong_in_requirements(&requirements()?);
    // The package itself needs nothing, and so nobody has to lock it.
    let project = read("bindings/python/pyproject.toml")?;
    if project.lines().any(|l| l.starts_with("dependencies")) {
        wrong.push("bindings/python/pyproject.toml: dependencies".to_owned());
    }
    Ok(wrong)
}

/// Requirements, name and version, of lines that end in a backslash or not.
pub(crate) fn required(text: &str) -> Vec<(String, String, usize)> {
    let text = text.replace("\\\n", " ");
    let lines = text
        .lines()
        .filter(|l| !l.starts_with('#') && !l.trim().is_empty());
    lines
        .map(|line| {
            let pinned = line.split_whitespace().next().unwrap_or_default();
            let (name, version) = pinned.split_once("==").unwrap_or((pinned, ""));
            let sums = line.matches("--hash=sha256:").count();
            (name.to_owned(), version.to_owned(), sums)
        })
        .collect()
}

fn wrong_in_requirements(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, version, sums) in required(text) {
        if !exact(&version) {
            wrong.push(format!("{name}: no exact version"));
        }
        if sums == 0 {
            wrong.push(format!("{name}: no sums"));
        }
    }
    wrong
}

/// What is wrong with what is installed: lines of name, version and licence.
pub(crate) fn wrong_installed(requirements: &str, installed: &str) -> Result<Vec<String>, String> {
    let required = required(requirements);
    let allowed = Allowed::new()?.python;
    let mut wrong = Vec::new();
    for line in installed.lines() {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap_or_default();
        let (name, version, licence) = (next(), next(), next());
        // They come with Python, and ours is what is built.
        if ["pip", "setuptools", "netverdict"].contains(&name) {
            continue;
        }
        if !required.iter().any(|(n, v, _)| n == name && v == version) {
            wrong.push(format!("{name} {version}: not required"));
        }
        if !allowed.iter().any(|l| l == licence) {
            wrong.push(format!("{name}: licence {licence:?}"));
        }
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_lock_files_of_this_repository_are_right() {
        for (file, wrong) in npm().unwrap() {
            assert!(wrong.is_empty(), "{file}: {wrong:?}");
        }
        assert_eq!(python().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn ranges_missing_sums_and_licences_are_found() {
        let manifest = json!({"dependencies": {"a": "^1.0.0"}});
        let lock = json!({
            "lockfileVersion": 3,
            "packages": {
                "": {"dependencies": {"a": "^1.0.0"}},
                "node_modules/a": {"version": "1.0.0", "license": "GPL-3.0-only",
                    "resolved": "https://elsewhere.example/a.tgz"},
                "node_modules/b": {"version": "1.0.0", "license": "MPL-2.0", "integrity": "sha512-x"},
                "node_modules/c": {"version": "1.0.0", "license": "MPL-2.0", "integrity": "sha512-x", "dev": true},
            },
        });
        let allowed = Allowed::new().unwrap();
        let wrong = wrong_in_lock(&manifest, &lock, &allowed);
        assert_eq!(
            wrong,
            [
                "a: \"^1.0.0\" is not an exact version",
                "node_modules/a: no sum",
                "node_modules/a: from https://elsewhere.example/a.tgz",
                "node_modules/a: licence \"GPL-3.0-only\"",
                "node_modules/b: licence \"MPL-2.0\"",
            ]
        );
        let other = json!({"dependencies": {"b": "1.0.0"}});
        assert!(wrong_in_lock(&other, &lock, &allowed)[0].contains("than package.json"));
    }

    #[test]
    fn requirements_have_versions_and_sums() {
        let good = "# x\na==1.2 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n";
        assert_eq!(required(good), [("a".to_owned(), "1.2".to_owned(), 2)]);
        assert!(wrong_in_requirements(good).is_empty());
        assert_eq!(wrong_in_requirements("a>=1\n").len(), 2);
        assert!(
            wrong_installed(good, "a\t1.2\tMIT\npip\t1\t\n")
                .unwrap()
                .is_empty()
        );
        assert_eq!(wrong_installed(good, "a\t1.3\tGPL\n").unwrap().len(), 2);
    }
}
