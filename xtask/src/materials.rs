//! What others wrote, and the packages are built of.
//!
//! In: `cargo metadata` for the platforms that packages are made for, Cargo.lock,
//! and the editor's package-lock.json. Out: every crate and every package of npm
//! that is in a package, with version, licence, checksum and what it needs.

use crate::job::{cargo, root};
use crate::packages::{CRATES, printed};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What the packages run on; others' code for other systems is in none.
const PLATFORMS: [&str; 2] = ["x86_64-unknown-linux-gnu", "wasm32-unknown-unknown"];

/// One of them, ours among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Material {
    pub(crate) name: String,
    pub(crate) version: String,
    /// An expression of SPDX.
    pub(crate) licence: String,
    /// The algorithm as CycloneDX names it, and the sum in hexadecimal digits.
    pub(crate) sum: Option<(&'static str, String)>,
    /// Where its files are.
    pub(crate) folder: PathBuf,
    /// References of what it needs.
    pub(crate) needs: BTreeSet<String>,
}

/// Crates by their references (package URLs), ours among them.
pub(crate) fn crates() -> Result<BTreeMap<String, Material>, String> {
    let sums = checksums()?;
    let mut all: BTreeMap<String, Material> = BTreeMap::new();
    for platform in PLATFORMS {
        let mut ask = cargo(&["metadata", "--format-version=1", "--locked"]);
        let said = printed(ask.args(["--filter-platform", platform]))?;
        let metadata: Value =
            serde_json::from_str(&said).map_err(|e| format!("cargo metadata: {e}"))?;
        for (reference, mut material) in shipped(&metadata) {
            let key = (material.name.clone(), material.version.clone());
            material.sum = sums.get(&key).map(|sum| ("SHA-256", sum.clone()));
            let known = all.entry(reference).or_insert_with(|| material.clone());
            known.needs.append(&mut material.needs);
        }
    }
    Ok(all)
}

/// Only what the packages need, not the tests and tools of the workspace.
fn shipped(metadata: &Value) -> Vec<(String, Material)> {
    let packages: BTreeMap<&str, &Value> = list(&metadata["packages"])
        .filter_map(|p| Some((p["id"].as_str()?, p)))
        .collect();
    let needs: BTreeMap<&str, BTreeSet<&str>> = list(&metadata["resolve"]["nodes"])
        .filter_map(|node| Some((node["id"].as_str()?, needed(node))))
        .collect();
    let ours = |name: &str| {
        CRATES.contains(&name) || ["netverdict-python", "netverdict-wasm"].contains(&name)
    };
    let mut wanted: Vec<&str> = packages
        .iter()
        .filter(|(_, p)| p["source"].is_null() && p["name"].as_str().is_some_and(ours))
        .map(|(id, _)| *id)
        .collect();
    let mut seen: BTreeSet<&str> = wanted.iter().copied().collect();
    while let Some(id) = wanted.pop() {
        for need in needs.get(id).into_iter().flatten() {
            if seen.insert(need) {
                wanted.push(need);
            }
        }
    }
    let text = |p: &Value, field: &str| p[field].as_str().unwrap_or_default().to_owned();
    let reference = |p: &Value| format!("pkg:cargo/{}@{}", text(p, "name"), text(p, "version"));
    let on = |id: &str| {
        let needs = needs.get(id).into_iter().flatten();
        needs
            .filter_map(|n| packages.get(n).map(|p| reference(p)))
            .collect()
    };
    seen.iter()
        .filter_map(|id| Some((*id, *packages.get(id)?)))
        .map(|(id, p)| {
            let manifest = PathBuf::from(text(p, "manifest_path"));
            let material = Material {
                name: text(p, "name"),
                version: text(p, "version"),
                licence: text(p, "license").replace('/', " OR "),
                sum: None,
                folder: manifest.parent().map(PathBuf::from).unwrap_or_default(),
                needs: on(id),
            };
            (reference(p), material)
        })
        .collect()
}

/// What a package needs to be built and to run, tests left out.
fn needed(node: &Value) -> BTreeSet<&str> {
    list(&node["deps"])
        .filter(|d| list(&d["dep_kinds"]).any(|k| k["kind"] != "dev"))
        .filter_map(|d| d["pkg"].as_str())
        .collect()
}

/// Checksums of Cargo.lock, by name and version.
fn checksums() -> Result<BTreeMap<(String, String), String>, String> {
    let text = std::fs::read_to_string(root().join("Cargo.lock"))
        .map_err(|e| format!("Cargo.lock: {e}"))?;
    let field = |block: &str, name: &str| {
        let line = block
            .lines()
            .find_map(|l| l.strip_prefix(&format!("{name} = ")));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    let blocks = text.split("[[package]]");
    Ok(blocks
        .filter_map(|b| {
            let key = (field(b, "name")?, field(b, "version")?);
            Some((key, field(b, "checksum")?))
        })
        .collect())
}

/// What the built editor has of npm's packages, by reference.
pub(crate) fn editor() -> Result<BTreeMap<String, Material>, String> {
    let folder = root().join("editor");
    let text = std::fs::read_to_string(folder.join("package-lock.json"))
        .map_err(|e| format!("editor/package-lock.json: {e}"))?;
    let lock: Value =
        serde_json::from_str(&text).map_err(|e| format!("editor/package-lock.json: {e}"))?;
    let packages = lock["packages"].as_object().into_iter().flatten();
    Ok(packages
        .filter(|(at, p)| !at.is_empty() && p["dev"] != true)
        .filter_map(|(at, p)| {
            let name = at.rsplit("node_modules/").next()?;
            let version = p["version"].as_str()?;
            let sum = p["integrity"]
                .as_str()
                .and_then(|s| s.strip_prefix("sha512-"));
            let material = Material {
                name: name.to_owned(),
                version: version.to_owned(),
                licence: p["license"].as_str().unwrap_or_default().to_owned(),
                sum: sum.and_then(hexadecimal).map(|sum| ("SHA-512", sum)),
                folder: folder.join(at),
                needs: BTreeSet::new(),
            };
            let reference = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
            Some((reference, material))
        })
        .collect())
}

/// Base64 as hexadecimal digits.
fn hexadecimal(base64: &str) -> Option<String> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut hex) = (0_u32, 0, String::new());
    for c in base64.trim_end_matches('=').bytes() {
        let value = DIGITS.iter().position(|d| *d == c)?;
        bits = (bits << 6) | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            hex.push_str(&format!("{:02x}", (bits >> count) & 0xff));
        }
    }
    Some(hex)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tests_of_ours_are_no_material() {
        let package = |name: &str, source: Value| {
            json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0",
                   "source": source, "manifest_path": format!("/crates/{name}/Cargo.toml")})
        };
        let dep = |name: &str, kind: Value| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "packages": [package("netverdict", Value::Null), package("xtask", Value::Null),
                package("serde", json!("r")), package("tried", json!("r")), package("zip", json!("r"))],
            "resolve": {"nodes": [
                {"id": "netverdict", "deps": [dep("serde", Value::Null), dep("tried", json!("dev"))]},
                {"id": "xtask", "deps": [dep("zip", Value::Null)]},
                {"id": "serde", "deps": []}]},
        });
        let found = shipped(&metadata);
        let names: Vec<&str> = found.iter().map(|(_, m)| &*m.name).collect();
        assert_eq!(names, ["netverdict", "serde"]);
        assert_eq!(
            found[0].1.needs.iter().collect::<Vec<_>>(),
            ["pkg:cargo/serde@1.0.0"]
        );
        assert_eq!(found[1].1.licence, "MIT OR Apache-2.0");
    }

    #[test]
    fn sums_of_npm_become_digits() {
        assert_eq!(hexadecimal("AP8Q").as_deref(), Some("00ff10"));
        assert_eq!(hexadecimal("AA==").as_deref(), Some("00"));
        assert_eq!(hexadecimal("!"), None);
    }
}
