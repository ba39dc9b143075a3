//! Every rule finds the mistake of its example, and is silent where it is
//! mended.

use super::*;
use netverdict::cluster::ClusterOptions;
use netverdict::config::Config;
use netverdict::diagnostic::Severity;
use netverdict::object::load::{LoadOptions, load};
use netverdict::source::SourceId;
use std::path::Path;

/// Everything there is to say about a text.
fn findings(text: &str, room: u32) -> Vec<Diagnostic> {
    let config = Config {
        host_firewall: true,
        policy_map_max: room,
        ..Config::default()
    };
    let loaded = load(SourceId(0), text, &LoadOptions::new(&config));
    let mut all = loaded.diagnostics.clone();
    let objects: Vec<Object> = loaded.into_objects().collect();
    let cluster = Cluster::build(config, ClusterOptions::default(), objects.clone());
    all.extend(cluster.diagnostics().iter().cloned());
    all.extend(check(&objects, &cluster));
    all
}

fn shown(found: &[Diagnostic]) -> String {
    let lines = found.iter().map(|d| {
        let help = d.help.as_deref().unwrap_or_default();
        format!("{} {}: {} ({help})\n", d.severity, d.code, d.message)
    });
    lines.collect()
}

#[test]
fn examples_are_told_from_mistakes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/lint");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the examples")
        .map(|f| f.expect("an entry").path())
        .collect();
    files.sort();
    assert!(files.len() > 20);
    let mut wrong_answers = String::new();
    for file in files {
        let code = file.file_stem().expect("a name").to_string_lossy();
        let text = std::fs::read_to_string(&file).expect("an example");
        let (_, rest) = text.split_once("\n# wrong\n").expect("a mistake");
        let (wrong, right) = rest.split_once("\n# right\n").expect("no mistake");
        let of_code = |d: &&Diagnostic| d.code.to_string() == code;
        let room = if code == "NV0704" { 24 } else { 16384 };
        let found = findings(wrong, room);
        if !found.iter().any(|d| of_code(&d)) {
            wrong_answers += &format!("{code}, wrong: not found\n{}", shown(&found));
        }
        let found = findings(right, room);
        let loud = |d: &Diagnostic| d.severity > Severity::Info || of_code(&d);
        if found.iter().any(loud) {
            wrong_answers += &format!("{code}, right:\n{}", shown(&found));
        }
    }
    assert!(wrong_answers.is_empty(), "{wrong_answers}");
}
