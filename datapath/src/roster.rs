//! Who the endpoints of a table are, kept beside it in the kernel.
//!
//! Endpoints have numbers in a table, and another table may give them others.
//! Who publishes it needs to know whose number an interface was given.

use crate::call::{MapShape, map_flag};
use crate::error::Error;
use crate::map::Map;
use std::collections::BTreeMap;
use std::path::Path;

/// The name of its pin.
const NAME: &str = "nv_names";
/// Bytes of an identity and of a name, namespace and all; longer ones are cut.
const LEN: usize = 328;
const HASH: u32 = 1;

/// An endpoint of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its identity.
    pub identity: u32,
    /// `namespace/name`, or `host`.
    pub name: String,
}

/// Endpoints by number.
#[derive(Debug)]
pub(crate) struct Roster {
    map: Map,
}

impl Roster {
    pub(crate) fn create() -> Result<Self, Error> {
        let shape = MapShape {
            map_type: HASH,
            key_size: 4,
            value_size: LEN as u32,
            max_entries: 65536,
            flags: map_flag::NO_PREALLOC,
        };
        Ok(Self {
            map: Map::create(NAME, shape)?,
        })
    }

    pub(crate) fn open(pins: &Path) -> Result<Self, Error> {
        Ok(Self {
            map: Map::open(&pins.join(NAME))?,
        })
    }

    pub(crate) fn pin(&self, pins: &Path) -> Result<(), Error> {
        self.map.pin(&pins.join(NAME))
    }

    pub(crate) fn endpoints(&self) -> Result<BTreeMap<u32, Endpoint>, Error> {
        let mut endpoints = BTreeMap::new();
        for key in self.map.keys()? {
            let value = self.map.get(&key)?.unwrap_or_default();
            let Some((identity, name)) = value.split_first_chunk() else {
                continue;
            };
            let name: Vec<u8> = name.iter().copied().take_while(|b| *b != 0).collect();
            if let Ok(key) = key.try_into() {
                let endpoint = Endpoint {
                    identity: u32::from_ne_bytes(*identity),
                    name: String::from_utf8_lossy(&name).into_owned(),
                };
                endpoints.insert(u32::from_ne_bytes(key), endpoint);
            }
        }
        Ok(endpoints)
    }

    pub(crate) fn set(&self, endpoints: &BTreeMap<u32, Endpoint>) -> Result<(), Error> {
        let gone = self
            .endpoints()?
            .into_keys()
            .filter(|n| !endpoints.contains_key(n));
        for number in gone {
            self.map.remove(&number.to_ne_bytes())?;
        }
        for (number, endpoint) in endpoints {
            let mut value = [0; LEN];
            let (identity, name) = value.split_at_mut(4);
            identity.copy_from_slice(&endpoint.identity.to_ne_bytes());
            for (to, from) in name.iter_mut().take(LEN - 5).zip(endpoint.name.bytes()) {
                *to = from;
            }
            self.map.put(&number.to_ne_bytes(), &value)?;
        }
        Ok(())
    }
}
