//! Cilium's own `policy_can_access`, our lookup in BPF and the engine in Rust
//! on the same questions.
//!
//! In: generated scenarios and the cases of `testdata/`. For each endpoint the
//! entries of its policy map go into Cilium's map and the image of the scenario
//! into ours; then identities that exist and that do not, in every scope, are
//! asked about over every protocol and at the edges of every port range.

use crate::Outcome;
use crate::batch::{BATCH, Batch, Options, Said, ciliums, ours, packet, to_cilium, to_ours};
use crate::fault::{Entry, Fault};
use netverdict::config::Config;
use netverdict::identity::NumericIdentity;
use netverdict::policy_map::{PolicyMap, Question as Asked, key_to_bytes, value_to_bytes};
use netverdict::rule::Direction;
use netverdict::scenario::{Prepared, Scenario};
use netverdict_compare::{Case, case_files};
use netverdict_datapath::TableMap;
use netverdict_reference::generate::{Profile, generate, wide};
use netverdict_reference::judge::table_questions;
use netverdict_table::layout::{Descriptor, HEADER_LEN};
use netverdict_table::{self as table, Question, View, hash};
use std::collections::BTreeMap;
use std::path::Path;

/// At least so many questions have to agree.
const QUESTIONS: u64 = 1_200_000;
/// Questions about one endpoint and scenario from the whole of what might be
/// asked, at most.
const EACH: usize = 3000;
/// Questions that follow the entries of one endpoint's map, at most.
const NEAR: usize = 3000;
/// Images of generated scenarios are far smaller.
const ROOM: usize = 1 << 22;

/// Cilium's value has a cookie for the log, which the engine leaves 0. To see
/// that cookies arrive, each entry gets one by what both sides know of it.
fn cookie(deny: bool, proxy_port: u16, prefix_len: u8) -> u32 {
    let width = match prefix_len {
        0 => 1,
        1..=8 => 2,
        _ => 3,
    };
    let what = if deny {
        0x1_0000
    } else {
        u32::from(proxy_port)
    };
    0x5a00_0000 | width << 20 | what
}

/// How long the prefix of a deciding entry was, by the match type.
const fn prefix_of(match_type: u8) -> Option<u8> {
    match match_type {
        1 | 4 => Some(0),
        5 | 6 => Some(8),
        2 | 3 => Some(24),
        _ => None,
    }
}

/// The entries of an endpoint's policy map as they are written to the kernel.
fn entries(map: &PolicyMap) -> Vec<Entry> {
    let entries = map.entries().into_iter().filter(|(_, e)| !e.invalid);
    entries
        .map(|(key, entry)| {
            let mut value = value_to_bytes(&key, entry);
            let cookie = cookie(entry.is_deny(), entry.proxy_port, key.l4.prefix_len());
            value[8..].copy_from_slice(&cookie.to_le_bytes());
            (key_to_bytes(&key), value)
        })
        .collect()
}

/// Gives the verdict entries of an image the cookies that [`entries`] gives the
/// map's. `change` is for faults.
fn with_cookies(mut image: Vec<u8>, change: impl Fn(&mut [u8])) -> Vec<u8> {
    let header = *View::new(&image).expect("a valid image").header();
    let word = |image: &[u8], at: usize| {
        u32::from_le_bytes(image[at..at + 4].try_into().expect("four bytes"))
    };
    for subject in 0..header.subjects.count as usize {
        for direction in 0..2 {
            let at = header.subjects.at as usize + subject * 8 + direction * 4;
            let at = word(&image, at) as usize;
            let descriptor: [u8; 64] = image[at..at + 64].try_into().expect("a descriptor");
            let descriptor = Descriptor::read(&descriptor);
            let first = descriptor.entries as usize;
            for i in 0..descriptor.entry_count as usize {
                let entry = &mut image[first + i * 16..first + (i + 1) * 16];
                if let Some(prefix) = prefix_of(entry[6]) {
                    let proxy = u16::from_be_bytes([entry[0], entry[1]]);
                    let cookie = cookie(entry[2] & 1 != 0, proxy, prefix);
                    entry[8..12].copy_from_slice(&cookie.to_le_bytes());
                    change(entry);
                }
            }
        }
    }
    let fresh = hash(&image).to_le_bytes();
    assert!(image.len() > HEADER_LEN);
    image[0x20..0x28].copy_from_slice(&fresh);
    image
}

/// What the engine's own lookup says.
fn engine(map: &PolicyMap, q: &Question, config: &Config) -> Said {
    let direction = match q.direction {
        table::Direction::Ingress => Direction::Ingress,
        table::Direction::Egress => Direction::Egress,
    };
    let asked = Asked {
        icmp_code: Some(q.icmp_code),
        untracked_fragment: q.untracked_fragment,
        ..Asked::new(direction, NumericIdentity(q.identity), q.protocol, q.port)
    };
    let found = map.lookup(&asked, config);
    let deciding = found
        .entry
        .map(|(key, entry)| cookie(entry.is_deny(), entry.proxy_port, key.l4.prefix_len()));
    Said {
        code: found.code,
        proxy_port: found.proxy_port,
        match_type: found.match_type as u8,
        auth_type: found.auth_type,
        cookie: deciding.unwrap_or(0),
    }
}

/// What has been asked, and how it came out.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) questions: u64,
    pub(crate) endpoints: u64,
    pub(crate) entries: u64,
    /// By verdict and match type.
    pub(crate) kinds: BTreeMap<(i16, u8), u64>,
    /// Questions about identities of each aggregate.
    pub(crate) aggregates: BTreeMap<u32, u64>,
    pub(crate) proxied: u64,
    pub(crate) authenticated: u64,
    pub(crate) fragments: u64,
    pub(crate) icmp: u64,
}

/// Both lookups, ready for scenarios.
pub(crate) struct Bench {
    table: TableMap,
    ours: Batch,
    ciliums: Option<(Options, Batch)>,
    packet: Vec<u8>,
    pub(crate) tally: Tally,
}

impl Bench {
    pub(crate) fn new() -> Result<Self, netverdict_datapath::Error> {
        let (table, ours) = ours(ROOM)?;
        Ok(Self {
            table,
            ours,
            ciliums: None,
            packet: packet(),
            tally: Tally::default(),
        })
    }

    /// Asks about every endpoint of a scenario, with a fault planted if there
    /// is one to be found. Returns the first disagreement in words.
    pub(crate) fn scenario(
        &mut self,
        scenario: &Scenario,
        seed: usize,
        fault: Option<&Fault>,
    ) -> Result<Option<String>, Box<dyn std::error::Error>> {
        let prepared = scenario.prepare();
        let Ok(image) = prepared.compile() else {
            return Ok(None);
        };
        let image = with_cookies(image, |entry| {
            if let Some(Fault::Image(change)) = fault {
                change(entry);
            }
        });
        if image.len() > self.table.room() {
            return Ok(None);
        }
        self.table.replace(&image)?;
        let config = prepared.config();
        let mut options = Options {
            cluster_id: config.cluster_id,
            cluster_bits: if config.max_connected_clusters > 255 {
                9
            } else {
                8
            },
            icmp_rules: config.icmp_rules,
            frag_needed: config.allow_icmp_frag_needed,
        };
        if let Some(Fault::Options(change)) = fault {
            change(&mut options);
        }
        if self.ciliums.as_ref().is_none_or(|(o, _)| *o != options) {
            self.ciliums = Some((options, ciliums(options)?));
        }
        let all = questions(&prepared, seed);
        let maps: Vec<_> = prepared.maps().collect();
        for (questions, (_, _, map)) in all.iter().zip(&maps) {
            let mut entries = entries(map);
            if let Some(Fault::Entries(change)) = fault {
                change(&mut entries);
                entries.sort_unstable();
                entries.dedup_by_key(|(key, _)| *key);
            }
            if let Some(why) = self.endpoint(map, &entries, questions, config)? {
                return Ok(Some(format!("{}: {why}", scenario.name)));
            }
        }
        Ok(None)
    }

    fn endpoint(
        &mut self,
        map: &PolicyMap,
        entries: &[Entry],
        questions: &[Question],
        config: &Config,
    ) -> Result<Option<String>, Box<dyn std::error::Error>> {
        let Some((_, ciliums)) = &self.ciliums else {
            return Err("Cilium's code is not loaded".into());
        };
        let cilium_map = ciliums.map("cilium_policy")?;
        if entries.len() > 16384 {
            return Ok(None);
        }
        cilium_map.put_all(entries)?;
        let icmp_rules = config.icmp_rules;
        let asked: Vec<_> = questions.iter().map(|q| to_cilium(q, icmp_rules)).collect();
        let theirs = ciliums.ask("cilium_batch", &asked, &self.packet);
        let keys: Vec<[u8; 12]> = entries.iter().map(|(key, _)| *key).collect();
        cilium_map.remove_all(&keys)?;
        let theirs = theirs?;
        let asked: Vec<_> = questions.iter().map(to_ours).collect();
        let ours = self.ours.ask("table_batch", &asked, &self.packet)?;
        let tally = &mut self.tally;
        tally.endpoints += 1;
        tally.entries += entries.len() as u64;
        for ((question, theirs), ours) in questions.iter().zip(theirs).zip(ours) {
            let engine = engine(map, question, config);
            if theirs != ours || engine != ours {
                return Ok(Some(format!(
                    "{question:?}\nCilium:   {theirs:?}\nin BPF:   {ours:?}\nin Rust:  {engine:?}"
                )));
            }
            tally.questions += 1;
            *tally.kinds.entry((ours.code, ours.match_type)).or_default() += 1;
            let of = aggregate(question.identity, config);
            *tally.aggregates.entry(of).or_default() += 1;
            tally.proxied += u64::from(ours.proxy_port != 0);
            tally.authenticated += u64::from(ours.auth_type != 0);
            tally.fragments += u64::from(question.untracked_fragment);
            tally.icmp += u64::from(matches!(question.protocol, 1 | 58));
        }
        Ok(None)
    }
}

fn aggregate(identity: u32, config: &Config) -> u32 {
    NumericIdentity(identity).aggregate(config).0
}

/// Questions about each endpoint that has a policy, another choice for each
/// seed: some of all there are, and some about what the map has entries for.
fn questions(prepared: &Prepared<'_>, seed: usize) -> Vec<Vec<Question>> {
    let mut all: Vec<Vec<Question>> = prepared.maps().map(|_| Vec::new()).collect();
    for mut question in table_questions(prepared) {
        if !has_ports(question.protocol) {
            question.port = 0;
        }
        all[question.subject as usize].push(question);
    }
    let known: Vec<u32> = prepared.identities().iter().map(|(id, _)| id.0).collect();
    for (questions, (_, _, map)) in all.iter_mut().zip(prepared.maps()) {
        // Evenly spread, and never the same column over and over.
        let step = questions.len().div_ceil(EACH).max(1) | 1;
        let subject = questions.first().map_or(0, |q| q.subject);
        let chosen = questions.iter().copied().skip(seed % step).step_by(step);
        *questions = chosen
            .chain(near(map, subject, &known, seed).take(NEAR))
            .collect();
        assert!(questions.len() <= BATCH);
    }
    all
}

/// Packets of other protocols have port 0 whatever is in them.
const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, 1 | 6 | 17 | 58 | 132)
}

/// Packets at the ports of the entries of a map, of their identities and of
/// others.
fn near(
    map: &PolicyMap,
    subject: u32,
    known: &[u32],
    seed: usize,
) -> impl Iterator<Item = Question> {
    let entries = map.entries();
    let step = (entries.len() / 300).max(1);
    let keys: Vec<_> = entries
        .into_iter()
        .step_by(step)
        .map(|(key, _)| key)
        .collect();
    let known = known.to_vec();
    keys.into_iter().enumerate().flat_map(move |(n, key)| {
        let direction = match key.direction {
            Direction::Ingress => table::Direction::Ingress,
            Direction::Egress => table::Direction::Egress,
        };
        let others = (0..5).map(|i| known[(n * 7 + i * 13 + seed) % known.len()]);
        let peers: Vec<u32> = others.chain([key.identity.0]).collect();
        peers.into_iter().flat_map(move |identity| {
            let protocol = if key.l4.protocol == 0 {
                6
            } else {
                key.l4.protocol
            };
            [key.l4.port, key.l4.last_port()]
                .map(|port| if has_ports(protocol) { port } else { 0 })
                .map(|port| Question::new(subject, direction, identity, protocol, port))
        })
    })
}

/// Generated scenarios of every profile, one after the other.
fn generated() -> impl Iterator<Item = (usize, Scenario)> {
    (0usize..).map(|n| {
        let profile = [Profile::Full, Profile::Full, Profile::Simple][n % 3];
        let scenario = match n % 40 {
            39 => wide(300),
            _ => generate(n as u64, profile),
        };
        (n, scenario)
    })
}

/// The scenarios of `testdata/cases`.
fn cases() -> Result<Vec<Scenario>, Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/cases");
    let mut scenarios = Vec::new();
    for file in case_files(&folder)? {
        scenarios.push(Case::parse(&std::fs::read_to_string(file)?)?.scenario);
    }
    Ok(scenarios)
}

/// The cases, and generated scenarios without end; each with a number.
pub(crate) fn scenarios()
-> Result<impl Iterator<Item = (usize, Scenario)>, Box<dyn std::error::Error>> {
    Ok(cases()?.into_iter().enumerate().chain(generated()))
}

/// A million questions and more, without a difference.
pub(crate) fn agreement() -> Outcome {
    let mut bench = Bench::new()?;
    let mut scenarios = 0usize;
    let known = cases()?.len();
    for (n, scenario) in self::scenarios()? {
        if let Some(why) = bench.scenario(&scenario, n, None)? {
            return Err(why.into());
        }
        scenarios += 1;
        if scenarios > known && bench.tally.questions >= QUESTIONS {
            break;
        }
    }
    let tally = &bench.tally;
    let seen = |what: &str, good: bool| {
        if good {
            Ok(())
        } else {
            Err(format!(
                "the questions never came to {what}: {:?}",
                tally.kinds
            ))
        }
    };
    for aggregate in [0, 11, 12, 13, 14] {
        let asked = tally.aggregates.get(&aggregate).is_some_and(|n| *n > 1000);
        seen(&format!("aggregate {aggregate}"), asked)?;
    }
    for code in [0, -133, -157, -181, -189] {
        seen(
            &format!("verdict {code}"),
            tally.kinds.keys().any(|(c, _)| *c == code),
        )?;
    }
    for kind in 0..=6 {
        seen(
            &format!("match type {kind}"),
            tally.kinds.keys().any(|(_, m)| *m == kind),
        )?;
    }
    Ok(format!(
        "{} questions about {} endpoints of {scenarios} scenarios, {} entries: {} kinds of answer, \
         {} to a proxy, {} with authentication, {} ICMP, {} fragments",
        tally.questions,
        tally.endpoints,
        tally.entries,
        tally.kinds.len(),
        tally.proxied,
        tally.authenticated,
        tally.icmp,
        tally.fragments
    ))
}
