//! The policy maps that Cilium's own programs read.
//!
//! In: entries and [`MapChange`]s as the engine makes them, by endpoint. Out: a
//! map `cilium_policy_v3_<endpoint>` for each, in Cilium 1.20.2's layout, type
//! and flags (pkg/maps/policymap).
//!
//! A map has room for so many entries, and Cilium's agent goes on with half a
//! policy where it overflows. Here the number that an update comes to is known
//! before anything is written, and one that is too large is refused whole.

use crate::call::{MapShape, map_flag, map_type};
use crate::error::Error;
use crate::map::Map;
use netverdict::compile::MapChange;
use netverdict::policy_map::{KEY_LEN, Key, VALUE_LEN, key_from_bytes, key_to_bytes};
use netverdict::rule::Direction;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

type KeyBytes = [u8; KEY_LEN];
type ValueBytes = [u8; VALUE_LEN];
type Entries = BTreeMap<KeyBytes, ValueBytes>;

/// The beginning of the maps' names; a number of at least five digits follows.
const PREFIX: &str = "cilium_policy_v3_";

/// A policy map would have more entries than it has room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// The endpoint, as it is called.
    pub endpoint: String,
    /// How many entries its policy comes to.
    pub entries: usize,
    /// How many there is room for.
    pub limit: u32,
    /// What takes the most of them.
    pub culprit: Culprit,
}

/// The protocol and port that most entries of a map are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// Which way.
    pub direction: Direction,
    /// IP protocol number; 0 for all.
    pub protocol: u8,
    /// First port; 0 with no prefix for all.
    pub port: u16,
    /// How many bits of the port count.
    pub port_prefix: u8,
    /// An entry for each of so many identities.
    pub identities: usize,
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = &self.culprit;
        let direction = match c.direction {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        };
        write!(
            f,
            "the policy of {} comes to {} entries; its map has room for {}. {} of them are {direction} \
             entries for ",
            self.endpoint, self.entries, self.limit, c.identities
        )?;
        match (c.protocol, c.port, c.port_prefix) {
            (0, ..) => f.write_str("every protocol")?,
            (p, 0, 0) => write!(f, "every port of protocol {p}")?,
            (p, port, 16) => write!(f, "protocol {p}, port {port}")?,
            (p, port, bits) => write!(f, "protocol {p}, ports {port}/{bits}")?,
        }
        f.write_str(
            ", one for each identity. Nothing was written. `netverdict forecast` names the rules \
             and labels behind them",
        )
    }
}

/// A map and what is known to be in it.
#[derive(Debug)]
struct Known {
    map: Map,
    entries: Entries,
    /// A write failed half way: the map is read before the next one.
    unsure: bool,
}

/// The policy maps of a node's endpoints.
///
/// ```
/// use netverdict::cluster::PublishedCluster;
/// use netverdict_datapath::{Error, PolicyMaps};
///
/// # let cluster = netverdict::cluster::Cluster::read("{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}},
///  status: {podIPs: [{ip: 10.0.0.7}]}}").unwrap();
/// # if netverdict_datapath::probe().is_err() { return Ok(()) }
/// let published = PublishedCluster::new(cluster)?;
/// let entries = published.entries(0);
/// let mut maps = PolicyMaps::new(16_384, None);
/// let written = maps.sync(1, "shop/web", &entries)?;
/// assert_eq!(written.put, entries.len());
/// // Changes come with every update of the cluster, here none.
/// assert_eq!(maps.apply(1, "shop/web", &[])?.put, 0);
/// maps.remove(1)?;
/// // What does not fit is refused whole.
/// assert!(matches!(PolicyMaps::new(1, None).sync(1, "shop/web", &entries), Err(Error::Overflow(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PolicyMaps {
    pins: Option<PathBuf>,
    limit: u32,
    maps: BTreeMap<u32, Known>,
}

/// What writing came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Entries added or given another value.
    pub put: usize,
    /// Entries deleted.
    pub removed: usize,
}

impl PolicyMaps {
    /// Maps with room for `limit` entries each (the agent's
    /// `bpf-policy-map-max`, 16,384), pinned in a directory if one is given.
    #[must_use]
    pub const fn new(limit: u32, pins: Option<PathBuf>) -> Self {
        Self {
            pins,
            limit,
            maps: BTreeMap::new(),
        }
    }

    /// An endpoint's map, if it has one.
    #[must_use]
    pub fn map(&self, endpoint: u32) -> Option<&Map> {
        self.maps.get(&endpoint).map(|known| &known.map)
    }

    /// Brings a map to exactly these entries; `name` is the endpoint's in
    /// errors. A map that is not there is created, and one that is pinned is
    /// read first and only what differs is written.
    ///
    /// # Errors
    /// [`Error::Overflow`] before anything is written; else what the kernel
    /// says.
    pub fn sync(
        &mut self,
        endpoint: u32,
        name: &str,
        entries: &[(Key, ValueBytes)],
    ) -> Result<Written, Error> {
        let wanted: Entries = entries.iter().map(|(k, v)| (key_to_bytes(k), *v)).collect();
        self.check(name, &wanted)?;
        self.open(endpoint)?.bring_to(wanted)
    }

    /// Does changes to a map that [`Self::sync`] wrote before.
    ///
    /// # Errors
    /// As there.
    pub fn apply(
        &mut self,
        endpoint: u32,
        name: &str,
        changes: &[MapChange],
    ) -> Result<Written, Error> {
        let known = self.open(endpoint)?;
        known.learn()?;
        let mut wanted = known.entries.clone();
        for change in changes {
            match change {
                MapChange::Add(key, value) | MapChange::Update(key, value) => {
                    wanted.insert(key_to_bytes(key), *value);
                }
                MapChange::Delete(key) => {
                    wanted.remove(&key_to_bytes(key));
                }
            }
        }
        self.check(name, &wanted)?;
        self.open(endpoint)?.bring_to(wanted)
    }

    /// Deletes the map of an endpoint that is gone.
    ///
    /// # Errors
    /// When its pin cannot be removed.
    pub fn remove(&mut self, endpoint: u32) -> Result<(), Error> {
        self.maps.remove(&endpoint);
        if let Some(pins) = &self.pins {
            let path = pins.join(name_of(endpoint));
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::of(format!("remove {}", path.display()), e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check(&self, name: &str, wanted: &Entries) -> Result<(), Error> {
        if wanted.len() <= self.limit as usize {
            return Ok(());
        }
        Err(Error::Overflow(Overflow {
            endpoint: name.to_owned(),
            entries: wanted.len(),
            limit: self.limit,
            culprit: culprit(wanted),
        }))
    }

    fn open(&mut self, endpoint: u32) -> Result<&mut Known, Error> {
        use std::collections::btree_map::Entry;
        let vacant = match self.maps.entry(endpoint) {
            Entry::Occupied(known) => return Ok(known.into_mut()),
            Entry::Vacant(vacant) => vacant,
        };
        let name = name_of(endpoint);
        let path = self.pins.as_ref().map(|p| p.join(&name));
        let known = match &path {
            Some(path) if path.exists() => Known {
                map: Map::open(path)?,
                entries: Entries::new(),
                unsure: true,
            },
            _ => {
                let map = Map::create(
                    &name,
                    MapShape {
                        map_type: map_type::LPM_TRIE,
                        key_size: KEY_LEN as u32,
                        value_size: VALUE_LEN as u32,
                        max_entries: self.limit,
                        flags: map_flag::NO_PREALLOC | map_flag::RDONLY_PROG,
                    },
                )?;
                if let Some(path) = &path {
                    map.pin(path)?;
                }
                Known {
                    map,
                    entries: Entries::new(),
                    unsure: false,
                }
            }
        };
        Ok(vacant.insert(known))
    }
}

/// The name of an endpoint's map.
fn name_of(endpoint: u32) -> String {
    format!("{PREFIX}{endpoint:05}")
}

impl Known {
    /// Reads the map where what is in it is not known.
    fn learn(&mut self) -> Result<(), Error> {
        if !self.unsure {
            return Ok(());
        }
        let mut entries = Entries::new();
        for key in self.map.keys()? {
            let Ok(key) = KeyBytes::try_from(key) else {
                continue;
            };
            if let Some(value) = self.map.get(&key)?
                && let Some((value, _)) = value.split_first_chunk()
            {
                entries.insert(key, *value);
            }
        }
        self.entries = entries;
        self.unsure = false;
        Ok(())
    }

    /// Writes what differs. What is added comes first where there is room for
    /// both, so that no packet finds neither the old nor the new entry.
    fn bring_to(&mut self, wanted: Entries) -> Result<Written, Error> {
        self.learn()?;
        let put: Vec<(KeyBytes, ValueBytes)> = wanted
            .iter()
            .filter(|(key, value)| self.entries.get(*key) != Some(*value))
            .map(|(key, value)| (*key, *value))
            .collect();
        let gone = self.entries.keys().filter(|key| !wanted.contains_key(*key));
        let gone: Vec<KeyBytes> = gone.copied().collect();
        let most = self.map.shape().max_entries as usize;
        let room = self.entries.len() + put.len() <= most;
        self.unsure = true;
        if !room {
            self.map.remove_all(&gone)?;
        }
        self.map.put_all(&put)?;
        if room {
            self.map.remove_all(&gone)?;
        }
        self.entries = wanted;
        self.unsure = false;
        Ok(Written {
            put: put.len(),
            removed: gone.len(),
        })
    }
}

fn culprit(entries: &Entries) -> Culprit {
    let mut counts: BTreeMap<(Direction, u8, u16, u8), usize> = BTreeMap::new();
    for key in entries.keys().filter_map(|k| key_from_bytes(k).ok()) {
        let l4 = (
            key.direction,
            key.l4.protocol,
            key.l4.port,
            key.l4.port_prefix,
        );
        *counts.entry(l4).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    let ((direction, protocol, port, port_prefix), identities) =
        most.unwrap_or(((Direction::Ingress, 0, 0, 0), 0));
    Culprit {
        direction,
        protocol,
        port,
        port_prefix,
        identities,
    }
}
