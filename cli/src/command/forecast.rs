//! `forecast`: how full policy maps are, and what fills them.

use crate::args::Format;
use crate::columns::{self, cell};
use crate::exit::{Exit, Failure};
use crate::style::{self, clean, count};
use crate::world::WorldArgs;
use clap::Args;
use netverdict::cluster::{Forecast, MapForecast};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Count the policy-map entries of every workload, and say what causes them.
#[derive(Args, Debug)]
pub(crate) struct ForecastArgs {
    /// What so many pods more, like those there are, would do.
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    pods: usize,
    #[command(flatten)]
    world: WorldArgs,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// The most that Cilium lets a policy map have (`bpf-policy-map-max`).
const MOST: usize = 65_536;
/// How many lines of each list people get.
const SHOWN: usize = 10;
/// How many causes of a map people get.
const CAUSES: usize = 3;

/// Counts.
pub(crate) fn run(args: &ForecastArgs) -> Result<Exit, Failure> {
    let world = args.world.open()?;
    let forecast = world.cluster.forecast();
    let size = world.cluster.config().policy_map_max as usize;
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &json_of(&forecast, args.pods, size))?;
            writeln!(out)?;
        }
        Format::Text => text(&mut out, &forecast, args.pods, size)?,
    }
    out.flush()?;
    Ok(match forecast.maps.iter().any(|m| m.entries > size) {
        true => Exit::Invalid,
        false => Exit::Fine,
    })
}

fn json_of(forecast: &Forecast, pods: usize, size: usize) -> Value {
    let causes = |list: &[(String, usize)]| -> Vec<Value> {
        let list = list.iter();
        list.map(|(name, n)| json!({ "name": name, "entries": n }))
            .collect()
    };
    let maps = forecast.maps.iter().map(|m| {
        json!({
            "endpoints": m.endpoints,
            "entries": m.entries,
            "entriesOfPods": m.of_pods,
            "entriesWithMorePods": forecast.entries_with(m, pods),
            "byPolicy": causes(&m.by_policy),
            "bySelector": causes(&m.by_selector),
        })
    });
    let labels = forecast.labels.iter().map(|l| {
        json!({
            "key": l.key,
            "values": l.values,
            "identitiesWithout": l.identities_without,
        })
    });
    json!({
        "pods": forecast.pods,
        "identities": forecast.identities,
        "mapSize": size,
        "mapSizeMost": MOST,
        "morePods": pods,
        "maps": maps.collect::<Vec<_>>(),
        "labels": labels.collect::<Vec<_>>(),
    })
}

fn text(out: &mut dyn Write, f: &Forecast, pods: usize, size: usize) -> io::Result<()> {
    writeln!(
        out,
        "{} of {} identities; a policy map has room for {size} entries, and for {MOST} at most",
        count(f.pods, "pod"),
        f.identities
    )?;
    let strong = style::STRONG;
    let head = ["ENTRIES", &format!("WITH {pods} PODS MORE"), "WORKLOAD"];
    let mut rows = vec![head.map(|h| (h.to_owned(), strong)).to_vec()];
    for map in f.maps.iter().take(SHOWN) {
        let later = f.entries_with(map, pods);
        let look = |n: usize| match n {
            n if n > size => style::ERROR,
            n if n * 10 > size * 9 => style::WARNING,
            _ => anstyle::Style::new(),
        };
        rows.push(vec![
            (map.entries.to_string(), look(map.entries)),
            (later.to_string(), look(later)),
            cell(who(map)),
        ]);
        let causes = [("by", &map.by_policy), ("for", &map.by_selector)];
        for (how, list) in causes {
            for (name, n) in list.iter().filter(|(_, n)| *n > 0).take(CAUSES) {
                rows.push(vec![
                    cell(""),
                    cell(""),
                    cell(format!("  {n} {how} {name}")),
                ]);
            }
        }
    }
    writeln!(out)?;
    columns::write(out, &rows)?;
    let head = ["LABEL", "VALUES", "IDENTITIES WITHOUT IT"];
    let mut rows = vec![head.map(|h| (h.to_owned(), strong)).to_vec()];
    for label in f.labels.iter().take(SHOWN) {
        rows.push(vec![
            cell(label.key.clone()),
            cell(label.values.to_string()),
            cell(label.identities_without.to_string()),
        ]);
    }
    writeln!(out)?;
    columns::write(out, &rows)
}

fn who(map: &MapForecast) -> String {
    let first = map.endpoints.first().map_or("", String::as_str);
    match map.endpoints.len() {
        0 | 1 => clean(first).into_owned(),
        n => format!("{} and {} more", clean(first), n - 1),
    }
}
