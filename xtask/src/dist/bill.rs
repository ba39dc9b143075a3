//! The bill of materials.
//!
//! In: what others wrote and the packages are built of. Out: CycloneDX 1.5.

use crate::materials::{self, Material};
use serde_json::{Value, json};

/// The bill, as JSON.
pub(super) fn bill(version: &str) -> Result<String, String> {
    let mut materials = materials::crates()?;
    materials.append(&mut materials::editor()?);
    let components: Vec<Value> = materials.iter().map(|(r, m)| component(r, m)).collect();
    let dependencies: Vec<Value> = materials
        .iter()
        .map(|(reference, m)| json!({"ref": reference, "dependsOn": m.needs}))
        .collect();
    let about = json!({"type": "application", "name": "netverdict", "version": version});
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": about},
        "components": components,
        "dependencies": dependencies,
    });
    serde_json::to_string_pretty(&bill)
        .map(|text| text + "\n")
        .map_err(|e| e.to_string())
}

fn component(reference: &str, material: &Material) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": reference,
        "name": material.name,
        "version": material.version,
        "purl": reference,
        "licenses": [{"expression": material.licence}],
    });
    if let Some((algorithm, sum)) = &material.sum {
        component["hashes"] = json!([{"alg": algorithm, "content": sum}]);
    }
    component
}
