//! The engine without YAML: objects come as JSON, as an API server sends them.
use netverdict::cluster::{Cluster, ClusterOptions, Flow};
use netverdict::{config::Config, object::load, source::SourceId};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::default();
    let options = load::LoadOptions::new(&config);

    // YAML is refused, and says what to do.
    let yaml = load::load(SourceId(0), "kind: Pod\n", &options);
    assert_eq!(yaml.diagnostics[0].code.to_string(), "NV0111");

    let loaded = load::load(SourceId(0), &std::fs::read_to_string("shop.json")?, &options);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let cluster = Cluster::build(config.clone(), ClusterOptions::default(), loaded.into_objects());
    let to = cluster.peer("shop/db").map_err(|problem| problem.message)?;
    for name in ["shop/api", "shop/web"] {
        let from = cluster.peer(name).map_err(|problem| problem.message)?;
        let (protocol, port, icmp_code, untracked_fragment) = (6, 5432, None, false);
        let flow = Flow { from: &from, to: &to, protocol, port, icmp_code, untracked_fragment };
        println!("{name} -> shop/db 5432/TCP: {}", cluster.explain(&flow).answer.overall);
    }
    Ok(())
}
