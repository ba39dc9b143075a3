//! The name cache against a model that does everything by going through lists,
//! and under load.

use netverdict::fqdn::{Names, NamesConfig};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Small numbers by chance, the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % n
    }
}

fn ip(n: u64) -> IpAddr {
    IpAddr::from([10, (n >> 16) as u8, (n >> 8) as u8, n as u8])
}

/// An address of a name, as an endpoint learned it.
#[derive(Clone)]
struct Known {
    endpoint: u64,
    name: String,
    ip: IpAddr,
    expires: u64,
}

/// An address that expired.
#[derive(Clone)]
struct Expired {
    endpoint: u64,
    ip: IpAddr,
    names: BTreeSet<String>,
    due: u64,
    alive: Option<u64>,
    since: u64,
}

/// Without limits, and every endpoint looked through at once.
#[derive(Default)]
struct Model {
    known: Vec<Known>,
    expired: Vec<Expired>,
    all: BTreeSet<(IpAddr, String)>,
    looked_through: Option<u64>,
    rounds: u64,
}

impl Model {
    fn answer(&mut self, endpoint: u64, name: &str, ips: &[IpAddr], ttl: u64, at: u64) {
        let expires = at + ttl * 1000;
        let mut new = false;
        for ip in ips {
            let same = |k: &&mut Known| k.endpoint == endpoint && k.name == name && k.ip == *ip;
            match self.known.iter_mut().find(same) {
                Some(known) => known.expires = known.expires.max(expires),
                None => {
                    new = true;
                    self.known.push(Known {
                        endpoint,
                        name: name.to_owned(),
                        ip: *ip,
                        expires,
                    });
                }
            }
            self.all.insert((*ip, name.to_owned()));
        }
        if new {
            for zombie in &mut self.expired {
                if zombie.endpoint == endpoint && ips.contains(&zombie.ip) && zombie.due <= at {
                    zombie.names.remove(name);
                }
            }
            self.expired.retain(|z| !z.names.is_empty());
        }
    }

    fn connected(&self, zombie: &Expired) -> bool {
        match self.looked_through {
            None => true,
            Some(at) => {
                at <= zombie.due
                    || zombie.alive.is_some_and(|alive| at <= alive)
                    || self.rounds < zombie.since + 2
            }
        }
    }

    fn collect(&mut self, at: u64) {
        let (gone, kept): (Vec<Known>, Vec<Known>) =
            self.known.drain(..).partition(|k| k.expires < at);
        self.known = kept;
        for known in gone {
            let same = |z: &&mut Expired| z.endpoint == known.endpoint && z.ip == known.ip;
            match self.expired.iter_mut().find(same) {
                Some(zombie) => {
                    zombie.names.insert(known.name);
                    zombie.due = zombie.due.max(at);
                    zombie.alive = zombie.alive.max(self.looked_through);
                }
                None => self.expired.push(Expired {
                    endpoint: known.endpoint,
                    ip: known.ip,
                    names: [known.name].into(),
                    due: at.max(known.expires),
                    alive: self.looked_through,
                    since: self.rounds,
                }),
            }
        }
        let living: Vec<(u64, String)> = self
            .expired
            .iter()
            .filter(|z| self.connected(z))
            .flat_map(|z| z.names.iter().map(|n| (z.endpoint, n.clone())))
            .collect();
        let lives = |z: &Expired| {
            let named = |n: &String| living.contains(&(z.endpoint, n.clone()));
            self.connected(z) || z.names.iter().any(named)
        };
        let kept: Vec<Expired> = self.expired.iter().filter(|z| lives(z)).cloned().collect();
        self.expired = kept;
        let known = self.known.iter().map(|k| (k.ip, k.name.clone()));
        let zombies = self.expired.iter();
        let zombies = zombies.flat_map(|z| z.names.iter().map(|n| (z.ip, n.clone())));
        self.all = known.chain(zombies).collect();
    }
}

fn pairs(names: &Names) -> BTreeSet<(IpAddr, String)> {
    let all = names.all_addresses().into_iter();
    all.flat_map(|(ip, names)| names.into_iter().map(move |n| (ip, n.to_string())))
        .collect()
}

#[test]
fn histories_agree_with_lists() {
    let mut entries = 0;
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let mut names = Names::new(NamesConfig::default());
        let mut model = Model::default();
        let mut told = BTreeSet::new();
        let mut now = 0;
        for step in 0..60 {
            now += [0, 1, 500, 1000, 7300, 61_000][dice.below(6) as usize];
            let endpoint = dice.below(2);
            match dice.below(8) {
                0..=3 => {
                    let name = format!("n{}.io.", dice.below(4));
                    let ips: Vec<IpAddr> = (0..=dice.below(3)).map(|_| ip(dice.below(6))).collect();
                    let ttl = [0, 1, 5, 60, 300][dice.below(5) as usize];
                    names
                        .answer(endpoint, &name, &ips, ttl as u32, now)
                        .unwrap();
                    model.answer(endpoint, &name, &ips, ttl, now);
                }
                4 => {
                    let address = ip(dice.below(6));
                    names.alive(endpoint, &address, now);
                    for zombie in &mut model.expired {
                        if zombie.endpoint == endpoint && zombie.ip == address {
                            zombie.alive = Some(now);
                        }
                    }
                }
                5 => {
                    names.end_of_conntrack_collection(0, now);
                    names.end_of_conntrack_collection(1, now);
                    model.looked_through = Some(now);
                    model.rounds += 1;
                }
                _ => {
                    // To the second, so that the model need not know which
                    // part of one is over.
                    now = now.div_ceil(1000) * 1000;
                    names.collect(now);
                    model.collect(now);
                }
            }
            let found = pairs(&names);
            entries += found.len();
            assert_eq!(found, model.all, "seed {seed}, step {step}");
            for change in names.take_changes() {
                let pair = (change.address, change.name.to_string());
                let fits = match change.known {
                    true => told.insert(pair),
                    false => told.remove(&pair),
                };
                assert!(fits, "seed {seed}, step {step}: told twice");
            }
            assert_eq!(told, found, "changes say everything");
        }
    }
    assert!(entries > 50_000, "{entries}");
}

/// Nothing is learned beyond the limit, and what is refused is not allowed.
#[test]
fn what_is_held_is_bounded() {
    let max_held = 3000;
    let mut names = Names::new(NamesConfig {
        max_held,
        ..NamesConfig::default()
    });
    let mut refused = 0;
    for n in 0..10_000u64 {
        let name = format!("n{n}.io");
        let done = names.answer(n % 7, &name, &[ip(n)], 3600 + n as u32, n);
        refused += u32::from(done.is_err());
        assert_eq!(done.is_ok(), !names.addresses(&name).is_empty());
        assert!(names.held() <= max_held);
    }
    assert!(refused > 8000, "{refused}");
    // Everything goes in the end, and nothing is left to count.
    names.collect(100_000_000);
    for at in 1..=2 {
        for endpoint in 0..7 {
            names.end_of_conntrack_collection(endpoint, 100_000_000 + at);
        }
    }
    names.collect(200_000_000);
    assert_eq!((names.held(), names.names().count()), (0, 0));
}

/// A million answers for ten thousand names, as an agent of twenty endpoints
/// would see them in hours: `cargo test --release --test names -- --ignored`.
#[test]
#[ignore = "takes minutes: `cargo xtask soak` runs it"]
fn a_million_answers() {
    let mut dice = Dice(1);
    let mut names = Names::new(NamesConfig::default());
    for n in 0..100 {
        names.register(&format!("*.s{n}.example.com"));
    }
    let (mut now, mut most, mut changes) = (0, 0, 0);
    let start = std::time::Instant::now();
    for n in 0..1_000_000u64 {
        now += 10;
        let name = dice.below(10_000);
        let host = format!("h{name}.s{}.example.com", name % 200);
        let ips: Vec<IpAddr> = (0..=dice.below(3))
            .map(|_| ip(name * 16 + dice.below(16)))
            .collect();
        let ttl = [5, 30, 60, 300][dice.below(4) as usize];
        names.answer(dice.below(20), &host, &ips, ttl, now).unwrap();
        if n % 6000 == 5999 {
            names.collect(now);
            for endpoint in 0..20 {
                names.end_of_conntrack_collection(endpoint, now);
            }
            changes += names.take_changes().len();
            most = most.max(names.held());
        }
    }
    println!(
        "{:.1} s, at most {most} held, {changes} changes",
        start.elapsed().as_secs_f64()
    );
    let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
    for (address, all) in names.all_addresses() {
        let selected = all.iter().any(|n| {
            let subdomain = n.split('.').nth(1).and_then(|s| s[1..].parse::<u32>().ok());
            subdomain.is_some_and(|s| s < 100)
        });
        assert_eq!(!names.selectors_of(&address).is_empty(), selected);
        for name in all {
            *by_name.entry(name.to_string()).or_default() += 1;
        }
    }
    assert!(by_name.len() > 4000 && by_name.values().all(|n| *n <= 16));
}
