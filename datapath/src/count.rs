//! What the gate counts.

use crate::error::Error;
use crate::map::Map;

/// A verdict entry and how often it decided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count {
    /// The endpoint whose policy it is.
    pub endpoint: u32,
    /// True for traffic from the endpoint.
    pub egress: bool,
    /// 0, or minus the drop reason.
    pub code: i16,
    /// As [`netverdict_table::MatchType`].
    pub match_type: u8,
    /// The proxy's port; 0 for none.
    pub proxy_port: u16,
    /// Authentication type; 0 for none.
    pub auth_type: u8,
    /// Cookie of the policy log.
    pub cookie: u32,
    /// Packets.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What else the programs count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Replies that passed without being asked about.
    pub replies: u64,
    /// Events for which there was no room.
    pub events_lost: u64,
    /// ARP and neighbour discovery.
    pub others: u64,
    /// Packets dropped because they cannot be read, or come to nobody.
    pub malformed: u64,
}

impl Count {
    /// Every entry of the programs' map, the most frequent first.
    pub(crate) fn all(map: &Map) -> Result<Vec<Self>, Error> {
        let mut all = Vec::new();
        for key in map.keys()? {
            let Some(value) = map.get(&key)? else {
                continue;
            };
            let Ok(k) = <[u8; 16]>::try_from(key) else {
                continue;
            };
            // Two words for each processor.
            let (words, _) = value.as_chunks::<8>();
            let sum = |first: usize| {
                let words = words.iter().skip(first).step_by(2);
                words.map(|w| u64::from_ne_bytes(*w)).sum()
            };
            all.push(Self {
                endpoint: u32::from_ne_bytes([k[0], k[1], k[2], k[3]]),
                cookie: u32::from_ne_bytes([k[4], k[5], k[6], k[7]]),
                proxy_port: u16::from_be_bytes([k[8], k[9]]),
                code: i16::from_ne_bytes([k[10], k[11]]),
                match_type: k[12],
                auth_type: k[13],
                egress: k[14] != 0,
                packets: sum(0),
                bytes: sum(1),
            });
        }
        all.sort_by(|a, b| b.packets.cmp(&a.packets).then_with(|| a.cmp(b)));
        Ok(all)
    }
}

impl Totals {
    /// The sums over all processors.
    pub(crate) fn of(map: &Map) -> Result<Self, Error> {
        let mut sums = [0; 4];
        for (i, sum) in (0u32..).zip(&mut sums) {
            let value = map.get(&i.to_ne_bytes())?.unwrap_or_default();
            let (words, _) = value.as_chunks::<8>();
            *sum = words.iter().map(|w| u64::from_ne_bytes(*w)).sum();
        }
        let [replies, events_lost, others, malformed] = sums;
        Ok(Self {
            replies,
            events_lost,
            others,
            malformed,
        })
    }
}
