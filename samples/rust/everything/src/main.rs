//! Who reaches the database of a shop, and the same question put to a table.
use netverdict::cluster::{Cluster, ClusterOptions, Documents, Flow};
use netverdict::{config::Config, object::load::LoadOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::default();
    let options = LoadOptions::new(&config);
    let mut documents = Documents::new();
    let mut cluster = Cluster::build(config.clone(), ClusterOptions::default(), []);

    let text = std::fs::read_to_string("shop.yaml")?;
    let changes = documents.set(&"shop.yaml", &text, &options);
    for problem in documents.diagnostics(&"shop.yaml") {
        eprintln!("{}: {}", problem.code, problem.message);
    }
    cluster.apply(changes);

    let to = cluster.peer("shop/db").map_err(|problem| problem.message)?;
    for name in ["shop/api", "shop/web"] {
        let from = cluster.peer(name).map_err(|problem| problem.message)?;
        let (protocol, port, icmp_code, untracked_fragment) = (6, 5432, None, false);
        let flow = Flow { from: &from, to: &to, protocol, port, icmp_code, untracked_fragment };
        println!("{name} -> shop/db 5432/TCP: {}", cluster.explain(&flow).answer.overall);
    }

    // What an agent would keep: the same policies as a table.
    let table = cluster.compile(Some(documents.sources()))?;
    std::fs::write("shop.nvt", &table.image)?;
    Ok(())
}
