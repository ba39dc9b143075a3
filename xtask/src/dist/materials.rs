//! What went into the packages.
//!
//! In: `cargo metadata`. Out: a bill of materials in the form of CycloneDX 1.5:
//! every crate that the packages are built of, with version, licence, checksum and
//! what it needs.

use crate::job::{cargo, root};
use crate::packages::{CRATES, printed};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The bill, as JSON.
pub(super) fn bill(version: &str) -> Result<String, String> {
    let said = printed(&mut cargo(&["metadata", "--format-version=1", "--locked"]))?;
    let metadata: Value =
        serde_json::from_str(&said).map_err(|e| format!("cargo metadata: {e}"))?;
    let sums = checksums()?;
    let packages: BTreeMap<&str, &Value> = list(&metadata["packages"])
        .filter_map(|p| Some((p["id"].as_str()?, p)))
        .collect();
    let needs: BTreeMap<&str, BTreeSet<&str>> = list(&metadata["resolve"]["nodes"])
        .filter_map(|node| Some((node["id"].as_str()?, shipped(node))))
        .collect();
    // Only what the packages need, not the tests and tools of the workspace.
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
    let url = |id: &str| {
        let p = packages.get(id)?;
        Some(format!(
            "pkg:cargo/{}@{}",
            p["name"].as_str()?,
            p["version"].as_str()?
        ))
    };
    let mut components = BTreeMap::new();
    let mut dependencies = BTreeMap::new();
    for id in &seen {
        let (Some(p), Some(reference)) = (packages.get(id), url(id)) else {
            continue;
        };
        let key = (p["name"].to_string(), p["version"].to_string());
        let mut component = json!({
            "type": "library",
            "bom-ref": reference,
            "name": p["name"],
            "version": p["version"],
            "purl": reference,
            "licenses": [{"expression": p["license"].as_str().unwrap_or("").replace('/', " OR ")}],
        });
        if let Some(sum) = sums.get(&key) {
            component["hashes"] = json!([{"alg": "SHA-256", "content": sum}]);
        }
        components.insert(reference.clone(), component);
        let on: BTreeSet<String> = needs
            .get(id)
            .into_iter()
            .flatten()
            .filter_map(|n| url(n))
            .collect();
        dependencies.insert(
            reference.clone(),
            json!({"ref": reference, "dependsOn": on}),
        );
    }
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "netverdict", "version": version}},
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": dependencies.into_values().collect::<Vec<_>>(),
    });
    serde_json::to_string_pretty(&bill)
        .map(|text| text + "\n")
        .map_err(|e| e.to_string())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What a package needs to be built and to run, tests left out.
fn shipped(node: &Value) -> BTreeSet<&str> {
    list(&node["deps"])
        .filter(|d| list(&d["dep_kinds"]).any(|k| k["kind"] != "dev"))
        .filter_map(|d| d["pkg"].as_str())
        .collect()
}

/// Checksums of Cargo.lock, by name and version (in quotes, as there).
fn checksums() -> Result<BTreeMap<(String, String), String>, String> {
    let text = std::fs::read_to_string(root().join("Cargo.lock"))
        .map_err(|e| format!("Cargo.lock: {e}"))?;
    let field = |block: &str, name: &str| {
        let line = block
            .lines()
            .find_map(|l| l.strip_prefix(&format!("{name} = ")));
        line.map(str::to_owned)
    };
    let blocks = text.split("[[package]]");
    Ok(blocks
        .filter_map(|b| {
            let sum = field(b, "checksum")?;
            Some((
                (field(b, "name")?, field(b, "version")?),
                sum.trim_matches('"').to_owned(),
            ))
        })
        .collect())
}
