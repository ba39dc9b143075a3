//! Packets between namespaces, let through or not by the gate.

use crate::Outcome;
use crate::lab::Lab;
use crate::traffic::{PATIENCE, SILENCE, pings, serve_tcp, serve_udp, talks_tcp, talks_udp};
use netverdict::cluster::{Cluster, ClusterOptions, Flow};
use netverdict::config::Config;
use netverdict::object::load::{LoadOptions, load};
use netverdict::source::SourceId;
use netverdict_analysis::connectivity::{Connectivity, Options};
use netverdict_datapath::{Addresses, Behind, Gate, Names};
use netverdict_table::Write;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const PODS: [(&str, u8); 4] = [("web", 1), ("db", 2), ("other", 3), ("bad", 4)];

fn addresses(n: u8) -> Vec<IpAddr> {
    vec![
        IpAddr::from([10, 77, 0, n]),
        format!("fd77::{n}").parse().expect("an address"),
    ]
}

/// The pods, and policies of one string.
pub(crate) fn cluster(policies: &str) -> Cluster {
    let mut text = String::new();
    for (name, n) in PODS {
        text += &format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}\n\
             status: {{podIPs: [{{ip: 10.77.0.{n}}}, {{ip: 'fd77::{n}'}}]}}\n---\n"
        );
    }
    text += policies;
    let config = Config::default();
    let loaded = load(SourceId(0), &text, &LoadOptions::new(&config));
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    Cluster::build(config, ClusterOptions::default(), loaded.into_objects())
}

const POLICIES: &str = "
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: db}}
  ingress:
  - fromEndpoints: [{matchLabels: {app: web}}, {matchLabels: {app: bad}}]
    toPorts:
    - ports:
      - {port: '5432', protocol: TCP}
      - {port: '8000', endPort: 8010, protocol: TCP}
      - {port: '5353', protocol: UDP}
  - fromEndpoints: [{matchLabels: {app: web}}]
    icmps: [{fields: [{type: 8, family: IPv4}, {type: 128, family: IPv6}]}]
  ingressDeny:
  - fromEndpoints: [{matchLabels: {app: bad}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: other, namespace: shop}
spec:
  podSelector: {matchLabels: {app: other}}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 10.88.0.0/16, except: [10.88.5.0/24]}}]
    ports: [{port: 443, protocol: TCP}]
";

/// A lab with a gate at every pod.
pub(crate) struct Guarded {
    // Dropped first: namespaces go when nothing stands at their interfaces.
    pub(crate) gate: Gate,
    pub(crate) lab: Lab,
}

pub(crate) fn guarded(
    cluster: &Cluster,
    outside: &[(&str, Vec<IpAddr>)],
) -> Result<Guarded, Box<dyn std::error::Error>> {
    let pods = PODS.iter().map(|(name, n)| (*name, addresses(*n)));
    let all: Vec<_> = pods.chain(outside.iter().cloned()).collect();
    let lab = Lab::new(&all).map_err(|e| e.to_string())?;
    let table = cluster.compile(None)?;
    let mut gate = Gate::load(&table.image, &Addresses::of(cluster), None)?;
    for subject in &table.subjects {
        for (name, number) in subject.endpoints.iter().zip(&subject.endpoint_numbers) {
            let pod = name.rsplit('/').next().unwrap_or(name);
            let behind = Behind {
                endpoint: *number,
                identity: subject.identity.0,
            };
            gate.attach(&lab.interface(pod), behind)?;
        }
    }
    Ok(Guarded { gate, lab })
}

fn at(n: u8, ipv6: bool, port: u16) -> SocketAddr {
    let all = addresses(n);
    SocketAddr::new(all[usize::from(ipv6)], port)
}

/// How long an answer is waited for.
fn wait(expected: bool) -> Duration {
    if expected { PATIENCE } else { SILENCE }
}

/// Allow, default deny, deny, ranges, prefixes with exceptions, ICMP, IPv6,
/// replies.
pub(crate) fn verdicts() -> Outcome {
    let cluster = cluster(POLICIES);
    let outside: Vec<IpAddr> = vec!["10.88.0.9".parse()?, "10.88.5.9".parse()?];
    let Guarded { gate, lab } = guarded(&cluster, &[("outside", outside)])?;
    for (pod, n) in PODS {
        lab.within(pod, move || {
            for ipv6 in [false, true] {
                for port in [80, 5432, 5433, 7999, 8000, 8010, 8011] {
                    serve_tcp(at(n, ipv6, port));
                }
                serve_udp(at(n, ipv6, 5353));
                serve_udp(at(n, ipv6, 5354));
            }
        });
    }
    lab.within("outside", || {
        for address in ["10.88.0.9:443", "10.88.0.9:80", "10.88.5.9:443"] {
            serve_tcp(address.parse().expect("an address"));
        }
    });
    let mut wrong = Vec::new();
    let mut asked = 0;
    let mut expect = |what: String, expected: bool, found: bool| {
        asked += 1;
        if expected != found {
            wrong.push(format!(
                "{what}: {}",
                if found { "came through" } else { "did not" }
            ));
        }
    };
    for ipv6 in [false, true] {
        // Who, to which port of db, and whether that is to work.
        let tcp = [
            ("web", 5432, true),
            ("web", 5433, false),
            ("web", 7999, false),
            ("web", 8000, true),
            ("web", 8010, true),
            ("web", 8011, false),
            ("other", 5432, false),
            ("bad", 5432, false),
        ];
        for (from, port, expected) in tcp {
            let found = lab.within(from, move || talks_tcp(at(2, ipv6, port), wait(expected)));
            expect(
                format!("TCP {from} → db:{port}, IPv6 {ipv6}"),
                expected,
                found,
            );
        }
        for (from, port, expected) in [
            ("web", 5353, true),
            ("web", 5354, false),
            ("bad", 5353, false),
        ] {
            let found = lab.within(from, move || talks_udp(at(2, ipv6, port), wait(expected)));
            expect(
                format!("UDP {from} → db:{port}, IPv6 {ipv6}"),
                expected,
                found,
            );
        }
        for (from, to, expected) in [
            ("web", 2, true),
            ("bad", 2, false),
            ("bad", 4, true),
            ("db", 1, false),
        ] {
            let found = lab.within(from, move || {
                pings(addresses(to)[usize::from(ipv6)], wait(expected))
            });
            expect(format!("echo {from} → {to}, IPv6 {ipv6}"), expected, found);
        }
        // Web lets nobody in, but its own connections have replies.
        let found = lab.within("db", move || talks_tcp(at(1, ipv6, 80), SILENCE));
        expect(format!("TCP db → web:80, IPv6 {ipv6}"), false, found);
    }
    for (to, expected) in [
        ("10.88.0.9:443", true),
        ("10.88.0.9:80", false),
        ("10.88.5.9:443", false),
    ] {
        let found = lab.within("other", move || {
            talks_tcp(to.parse().expect("an address"), wait(expected))
        });
        expect(format!("TCP other → {to}"), expected, found);
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\n").into());
    }
    heard(&gate, &cluster)?;
    Ok(format!("{asked} attempts came out as the policies say"))
}

/// The gate has counted, and told of it.
fn heard(gate: &Gate, cluster: &Cluster) -> Result<(), Box<dyn std::error::Error>> {
    let counts = gate.counts()?;
    let seen = |code: i16| counts.iter().any(|c| c.code == code && c.packets > 0);
    let totals = gate.totals()?;
    if !(seen(0) && seen(-133) && seen(-181) && totals.replies > 0 && totals.others > 0) {
        return Err(format!("not counted: {counts:?} {totals:?}").into());
    }
    let names = Names::of(cluster);
    let mut events = gate.events()?;
    let mut lines = Vec::new();
    let mut flows = Vec::new();
    while let Some(event) = events.next_now() {
        lines.push(event.line(&names));
        flows.push(event.to_flow(&names));
    }
    let wanted = [
        (
            "shop/web:",
            "-> shop/db:5432",
            "policy-verdict:L3-L4 INGRESS ALLOWED (TCP Flags: SYN)",
        ),
        (
            "shop/other:",
            "<> shop/db:5432",
            "policy-verdict:none EGRESS DENIED (TCP Flags: SYN)",
        ),
        (
            "shop/bad:",
            "<> shop/db:5432",
            "policy-verdict:L3-Only INGRESS DENIED (TCP Flags: SYN)",
        ),
        (
            "shop/web ",
            "-> shop/db ",
            "INGRESS ALLOWED (ICMPv6 EchoRequest)",
        ),
        (
            "shop/other:",
            "<> 10.88.5.9:443",
            "policy-verdict:none EGRESS DENIED (TCP Flags: SYN)",
        ),
    ];
    for (from, to, rest) in wanted {
        let found = |l: &&String| l.contains(from) && l.contains(to) && l.contains(rest);
        if lines.iter().find(found).is_none() {
            return Err(
                format!("no event `{from}… {to} … {rest}` in\n{}", lines.join("\n")).into(),
            );
        }
    }
    let denied = flows
        .iter()
        .find(|f| f["drop_reason_desc"] == "POLICY_DENY");
    let denied = denied.ok_or("no flow of a denial")?;
    if denied["source"]["pod_name"] != "bad" || denied["traffic_direction"] != "INGRESS" {
        return Err(format!("{denied}").into());
    }
    Ok(())
}

const OPEN: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]
";

/// A table that is swapped two thousand times between the packets of one
/// socket: all that were sent while it allowed arrive, and no other.
pub(crate) fn swaps() -> Outcome {
    const SWAPS: u32 = 2000;
    const EACH: u32 = 5;
    let closed = OPEN.replace("app: web", "app: nobody");
    let (open, closed) = (cluster(OPEN), cluster(&closed));
    let images = [closed.compile(None)?.image, open.compile(None)?.image];
    let Guarded { mut gate, lab } = guarded(&open, &[])?;
    lab.only_ipv4().map_err(|e| e.to_string())?;
    let receiver = lab.within("db", || {
        UdpSocket::bind(at(2, false, 5353)).expect("a socket")
    });
    receiver.set_read_timeout(Some(PATIENCE))?;
    let sender = lab.within("web", || UdpSocket::bind("0.0.0.0:0").expect("a socket"));
    let sent_to = at(2, false, 5353);
    let decided = |gate: &Gate| -> Result<u64, netverdict_datapath::Error> {
        let ingress = gate.counts()?.into_iter().filter(|c| !c.egress);
        Ok(ingress.map(|c| c.packets).sum())
    };
    // Neighbours find each other first.
    sender.send_to(&u32::MAX.to_ne_bytes(), sent_to)?;
    let mut bytes = [0; 4];
    receiver.recv_from(&mut bytes)?;
    let mut expected = decided(&gate)?;
    let (mut arrived, mut lost, mut leaked) = (0u32, 0u32, 0u32);
    let mut longest = Duration::ZERO;
    for swap in 0..SWAPS {
        let image = images[(swap % 2) as usize].clone();
        let began = Instant::now();
        gate.publish(&[Write::Replace { image }])?;
        longest = longest.max(began.elapsed());
        for n in 0..EACH {
            sender.send_to(&(swap * EACH + n).to_ne_bytes(), sent_to)?;
        }
        expected += u64::from(EACH);
        // What is still on its way would meet the next table.
        let until = Instant::now() + PATIENCE;
        while decided(&gate)? < expected {
            if Instant::now() > until {
                return Err("packets got lost before the gate".into());
            }
            std::thread::yield_now();
        }
        if swap % 2 == 1 {
            for _ in 0..EACH {
                match receiver.recv_from(&mut bytes) {
                    Ok(_) if u32::from_ne_bytes(bytes) / EACH % 2 == 1 => arrived += 1,
                    Ok(_) => leaked += 1,
                    Err(_) => lost += 1,
                }
            }
        }
    }
    receiver.set_nonblocking(true)?;
    while receiver.recv_from(&mut bytes).is_ok() {
        leaked += 1;
    }
    if (arrived, lost, leaked) != (SWAPS / 2 * EACH, 0, 0) {
        return Err(format!("{arrived} arrived, {lost} were lost, {leaked} leaked").into());
    }
    Ok(format!(
        "{SWAPS} swaps: {arrived} packets arrived and as many were dropped, none wrongly; the \
         longest swap with its grace period took {} µs",
        longest.as_micros()
    ))
}

/// A table that outgrows its map while connections are open: the programs are
/// replaced, connections stay.
pub(crate) fn grows() -> Outcome {
    let small = cluster(OPEN);
    let Guarded { mut gate, lab } = guarded(&small, &[])?;
    lab.within("db", || serve_tcp(at(2, false, 5432)));
    if !lab.within("web", || talks_tcp(at(2, false, 5432), PATIENCE)) {
        return Err("the connection before growing failed".into());
    }
    let room = gate.table().room();
    let mut policies = String::from(OPEN);
    for n in 0..3000u32 {
        policies += &format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p{n}, namespace: shop}}\n\
             spec: {{podSelector: {{matchLabels: {{app: db}}}}, ingress: [{{from: [{{ipBlock: {{cidr: 10.{}.{}.0/24}}}}], \
             ports: [{{port: {}, protocol: TCP}}]}}]}}\n",
            100 + n / 256,
            n % 256,
            1 + n * 17
        );
    }
    let large = cluster(&policies);
    let image = large.compile(None)?.image;
    if image.len() <= room {
        return Err(format!("{} bytes are not enough to outgrow {room}", image.len()).into());
    }
    let length = image.len();
    gate.publish(&[Write::Replace { image }])?;
    if gate.table().room() <= room {
        return Err("the map did not grow".into());
    }
    if !lab.within("web", || talks_tcp(at(2, false, 5432), PATIENCE)) {
        return Err("the connection after growing failed".into());
    }
    if lab.within("other", || talks_tcp(at(2, false, 5432), SILENCE)) {
        return Err("the gate is open after growing".into());
    }
    // A table that is none leaves the last good one in force.
    let broken = gate.publish(&[Write::Replace {
        image: vec![0; length * 2],
    }]);
    if broken.is_ok() || !lab.within("web", || talks_tcp(at(2, false, 5432), PATIENCE)) {
        return Err("a broken table was taken, or took the last one away".into());
    }
    Ok(format!(
        "from a room of {room} bytes to a table of {length}"
    ))
}

/// Every pair of the bookinfo example over real TCP, step by step.
pub(crate) fn bookinfo() -> Outcome {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bookinfo");
    let read = |path: &str| std::fs::read_to_string(folder.join(path));
    let app = [read("app/bookinfo.yaml")?, read("app/cluster.yaml")?].join("\n---\n");
    let mut steps: Vec<String> = std::fs::read_dir(folder.join("policies"))?
        .filter_map(|e| {
            Some(format!(
                "policies/{}",
                e.ok()?.file_name().to_string_lossy()
            ))
        })
        .collect();
    steps.sort();
    let worlds = (0..=steps.len()).map(|n| {
        let mut text = app.clone();
        for step in &steps[..n] {
            text += "\n---\n";
            text += &read(step)?;
        }
        let config = Config::default();
        let loaded = load(SourceId(0), &text, &LoadOptions::new(&config));
        Ok(Cluster::build(
            config,
            ClusterOptions::default(),
            loaded.into_objects(),
        ))
    });
    let worlds: Vec<Cluster> = worlds.collect::<Result<_, std::io::Error>>()?;
    let endpoints: Vec<_> = worlds[0].endpoints().to_vec();
    let mut pods: Vec<(String, IpAddr)> = Vec::new();
    for (n, endpoint) in (1u8..).zip(&endpoints) {
        pods.push((endpoint.name.clone(), IpAddr::from([10, 66, 0, n])));
    }
    pods.push(("world".into(), IpAddr::from([192, 0, 2, 7])));
    let names: Vec<_> = pods
        .iter()
        .map(|(name, ip)| (name.as_str(), vec![*ip]))
        .collect();
    let lab = Lab::new(&names).map_err(|e| e.to_string())?;
    const PORTS: [u16; 3] = [53, 9080, 8080];
    for (name, ip) in &pods {
        let ip = *ip;
        lab.within(name, move || {
            PORTS.map(|port| serve_tcp(SocketAddr::new(ip, port)))
        });
    }
    let (mut gate, mut asked, mut allowed) = (None, 0, 0);
    let mut wrong = Vec::new();
    for (step, cluster) in worlds.iter().enumerate() {
        let table = cluster.compile(None)?;
        let mut addresses = Addresses::of(cluster);
        let by_name: BTreeMap<&str, _> = cluster
            .endpoints()
            .iter()
            .map(|e| (e.name.as_str(), e))
            .collect();
        for (name, ip) in &pods {
            if let Some(endpoint) = by_name.get(name.as_str()) {
                addresses.prefixes.insert((*ip).into(), endpoint.identity.0);
            }
        }
        if gate.is_none() {
            let mut fresh = Gate::load(&table.image, &addresses, None)?;
            for subject in &table.subjects {
                for (name, number) in subject.endpoints.iter().zip(&subject.endpoint_numbers) {
                    let pod = name.rsplit('/').next().unwrap_or(name);
                    let behind = Behind {
                        endpoint: *number,
                        identity: subject.identity.0,
                    };
                    fresh.attach(&lab.interface(pod), behind)?;
                }
            }
            gate = Some(fresh);
        } else if let Some(gate) = &mut gate {
            gate.set_addresses(&addresses)?;
            gate.publish(&[Write::Replace { image: table.image }])?;
        }
        let reach = Connectivity::new(cluster, &Options::default());
        let mut attempts = Vec::new();
        for (from, _) in &pods {
            for (to, ip) in pods.iter().filter(|(to, _)| to != from) {
                for port in PORTS {
                    let predicted = predict(&reach, from, to, port)?;
                    let target = SocketAddr::new(*ip, port);
                    let attempt = lab.inside(from, move || talks_tcp(target, wait(predicted)));
                    attempts.push((format!("{from} → {to}:{port}"), predicted, attempt));
                }
            }
        }
        for (what, predicted, attempt) in attempts {
            let found = attempt.join().map_err(|_| "an attempt panicked")?;
            asked += 1;
            allowed += u32::from(found);
            if found != predicted {
                wrong.push(format!(
                    "step {step}: {what}: predicted {predicted}, found {found}"
                ));
            }
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\n").into());
    }
    Ok(format!(
        "{asked} connections in {} steps, {allowed} of them came about, each as predicted",
        worlds.len()
    ))
}

/// What the engine says of a connection, asked about it alone and about the
/// whole cluster, which have to agree.
fn predict(
    reach: &Connectivity<'_>,
    from: &str,
    to: &str,
    port: u16,
) -> Result<bool, Box<dyn std::error::Error>> {
    let cluster = reach.cluster();
    let number = |name: &str| {
        let endpoint = cluster.endpoints().iter().find(|e| e.name == name);
        let number = match endpoint {
            Some(endpoint) => reach.peer_of(endpoint),
            None => reach.find("entity:world"),
        };
        number.ok_or_else(|| format!("{name} is no peer"))
    };
    let connection = reach.connection(number(from)?, number(to)?);
    let open = connection.is_none_or(|c| c.open().contains(6, port));
    let peer = |name: &str| {
        let endpoint = cluster.endpoints().iter().find(|e| e.name == name);
        let text = endpoint.map_or_else(|| "world".to_owned(), ToString::to_string);
        cluster.peer(&text).map_err(|d| d.message.clone())
    };
    let (from, to) = (peer(from)?, peer(to)?);
    let answer = cluster.flow(&Flow::new(&from, &to, 6, port));
    if open != answer.overall.is_allowed() {
        return Err(format!("reach and verdict differ: {from} → {to}:{port}").into());
    }
    Ok(open)
}
