//! The gate: programs at interfaces that let packets pass, or not, by a table.
//!
//! In: a table and its updates, addresses with their identities, which endpoint
//! is behind which interface. Out: packets that pass, counts by verdict entry,
//! and events ([`crate::event`]).
//!
//! Everything is pinned in a directory of a BPF file system if one is given: it
//! goes on without this process, and [`Gate::open`] takes it up again.

use crate::call::{self, Hook};
use crate::count::{Count, Totals};
use crate::error::Error;
use crate::event::Events;
use crate::interface::{index_of, name_of};
use crate::ipcache::{self, Addresses};
use crate::map::Map;
use crate::object::{Object, Program, find_object};
use crate::roster::{Endpoint, Roster};
use crate::table_map::{self, TableMap};
use netverdict_table::{View, Write};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The object with the programs.
const OBJECT: &str = "gate.bpf.o";
/// Programs by where they stand: what goes to an endpoint leaves the host's
/// side of its interface.
const PROGRAMS: [(&str, Hook); 2] = [
    ("to_endpoint", Hook::Egress),
    ("from_endpoint", Hook::Ingress),
];
/// Maps that stay when the programs are loaded anew.
const KEPT: [&str; 6] = [
    ipcache::NAME,
    ENDPOINTS,
    "nv_connections",
    COUNTERS,
    TOTALS,
    EVENTS,
];
const ENDPOINTS: &str = "nv_endpoints";
const COUNTERS: &str = "nv_counters";
const TOTALS: &str = "nv_totals";
const EVENTS: &str = "nv_events";
/// Pins of the identities of the world, which are constants of the programs.
const WORLDS: &str = "nv_worlds";

/// Who is behind an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The endpoint's number in the table.
    pub endpoint: u32,
    /// Its identity, for events.
    pub identity: u32,
}

impl Behind {
    fn to_bytes(self) -> [u8; 8] {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&self.endpoint.to_ne_bytes());
        bytes[4..].copy_from_slice(&self.identity.to_ne_bytes());
        bytes
    }
}

/// An interface that the gate stands at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The interface's number.
    pub ifindex: u32,
    /// Its name; its number where this process sees no such interface.
    pub interface: String,
    /// Who is behind it.
    pub behind: Behind,
}

/// Programs in the kernel with their maps.
///
/// ```no_run
/// use netverdict::cluster::Cluster;
/// use netverdict_datapath::{Addresses, Behind, Endpoint, Gate, Names, unload};
/// use std::{path::Path, time::Duration};
///
/// # fn follow(cluster: &Cluster, updates: Vec<Vec<netverdict_table::Write>>) -> Result<(), Box<dyn std::error::Error>> {
/// let pins = Path::new("/sys/fs/bpf/shop");
/// let table = cluster.compile(None)?;
/// let mut gate = Gate::load(&table.image, &Addresses::of(cluster), Some(pins))?;
/// let endpoints = (1..).zip(cluster.endpoints()).map(|(number, endpoint)| {
///     let name = format!("{}/{}", endpoint.namespace, endpoint.name);
///     (number, Endpoint { identity: endpoint.identity.0, name })
/// });
/// gate.set_endpoints(&endpoints.collect())?;
/// gate.attach("veth3f2a", Behind { endpoint: 1, identity: 257 })?;
///
/// // The cluster changes while packets pass.
/// for writes in updates {
///     gate.publish(&writes)?;
///     gate.set_addresses(&Addresses::of(cluster))?;
/// }
/// let mut events = gate.events()?;
/// while let Some(event) = events.next_within(Duration::from_secs(1))? {
///     println!("{}", event.line(&Names::of(cluster)));
/// }
/// println!("{} gates, {} entries asked", gate.attached()?.len(), gate.counts()?.len());
///
/// // Another program takes it up, and ends it.
/// if Gate::is_loaded(pins) {
///     let mut again = Gate::open(pins)?;
///     let same = again.endpoints()?;
///     again.replace_table(table.image, &same)?;
///     again.detach("veth3f2a")?;
///     unload(pins)?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Gate {
    object: PathBuf,
    pins: Option<PathBuf>,
    worlds: [u32; 2],
    table: TableMap,
    maps: BTreeMap<String, Arc<Map>>,
    programs: Vec<(Program, Hook)>,
    links: BTreeMap<(u32, Hook), OwnedFd>,
    roster: Roster,
}

impl Gate {
    /// Loads the programs with a table, at no interface yet.
    ///
    /// # Errors
    /// When something is pinned in the directory already, the table is none, or
    /// the kernel refuses; nothing stays then.
    pub fn load(image: &[u8], addresses: &Addresses, pins: Option<&Path>) -> Result<Self, Error> {
        View::new(image)?;
        let object = find_object(OBJECT)?;
        if let Some(pins) = pins {
            prepare(pins)?;
        }
        let mut table = TableMap::create(image.len())?;
        table.replace(image)?;
        let worlds = [addresses.world_ipv4, addresses.world_ipv6];
        let (maps, programs) = load(&object, &table, worlds, &BTreeMap::new())?;
        let gate = Self {
            object,
            pins: pins.map(Path::to_owned),
            worlds,
            table,
            maps,
            programs,
            links: BTreeMap::new(),
            roster: Roster::create()?,
        };
        gate.set_addresses(addresses)?;
        if let Some(pins) = &gate.pins
            && let Err(error) = gate.pin_all(pins)
        {
            // Half a datapath is worse than none.
            let _ = unload(pins);
            return Err(error);
        }
        Ok(gate)
    }

    /// True when a gate is pinned in a directory.
    #[must_use]
    pub fn is_loaded(pins: &Path) -> bool {
        pins.join(table_map::NAME).exists()
    }

    /// Takes up what is pinned in a directory.
    ///
    /// # Errors
    /// When nothing is, or it cannot be opened.
    pub fn open(pins: &Path) -> Result<Self, Error> {
        let table = TableMap::of(Arc::new(Map::open(&pins.join(table_map::NAME))?))?;
        let mut maps = BTreeMap::new();
        for name in KEPT {
            maps.insert(name.to_owned(), Arc::new(Map::open(&pins.join(name))?));
        }
        let worlds = Map::open(&pins.join(WORLDS))?;
        let worlds = [0u32, 1].map(|i| {
            let value = worlds.get(&i.to_ne_bytes()).ok().flatten();
            let word = value.and_then(|v| v.first_chunk().copied());
            word.map_or(2, u32::from_ne_bytes)
        });
        let mut programs = Vec::new();
        for (name, hook) in PROGRAMS {
            programs.push((Program::open(&pins.join(name))?, hook));
        }
        let mut gate = Self {
            // Needed only when the table outgrows its map.
            object: find_object(OBJECT).unwrap_or_else(|_| PathBuf::from(OBJECT)),
            pins: Some(pins.to_owned()),
            worlds,
            table,
            maps,
            programs,
            links: BTreeMap::new(),
            roster: Roster::open(pins)?,
        };
        for attached in gate.attached()? {
            for (_, hook) in PROGRAMS {
                let path = pins.join(link_name(attached.ifindex, hook));
                gate.links
                    .insert((attached.ifindex, hook), call::open_pin(&path)?);
            }
        }
        Ok(gate)
    }

    fn map(&self, name: &str) -> Result<&Arc<Map>, Error> {
        self.maps
            .get(name)
            .ok_or_else(|| Error::NotLoaded { what: name.into() })
    }

    fn pin_all(&self, pins: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(pins)
            .map_err(|e| Error::of(format!("create {}", pins.display()), e))?;
        self.table.map().pin(&pins.join(table_map::NAME))?;
        for name in KEPT {
            self.map(name)?.pin(&pins.join(name))?;
        }
        let worlds = Map::create(
            WORLDS,
            call::MapShape {
                map_type: call::map_type::ARRAY,
                key_size: 4,
                value_size: 4,
                max_entries: 2,
                flags: 0,
            },
        )?;
        for (i, identity) in (0u32..).zip(self.worlds) {
            worlds.put(&i.to_ne_bytes(), &identity.to_ne_bytes())?;
        }
        worlds.pin(&pins.join(WORLDS))?;
        self.roster.pin(pins)?;
        self.programs
            .iter()
            .try_for_each(|(p, _)| p.pin(&pins.join(p.name())))
    }

    /// The table in force.
    #[must_use]
    pub const fn table(&self) -> &TableMap {
        &self.table
    }

    /// Does the writes of an update. A table that outgrows its map gets a
    /// larger one, and the programs are put in each other's place at every
    /// interface, each by one store.
    ///
    /// # Errors
    /// When a table is none, or the kernel refuses; the last good one stays in
    /// force then.
    pub fn publish(&mut self, writes: &[Write]) -> Result<(), Error> {
        let whole = writes.iter().rev().find_map(|w| match w {
            Write::Replace { image } => Some(image),
            _ => None,
        });
        match whole {
            Some(image) if image.len() > self.table.room() => self.outgrow(writes),
            _ => self.table.publish(writes),
        }
    }

    fn outgrow(&mut self, writes: &[Write]) -> Result<(), Error> {
        let mut image = Vec::new();
        for write in writes {
            write.apply(&mut image);
        }
        let mut table = TableMap::create(image.len())?;
        table.replace(&image)?;
        let (maps, programs) = load(&self.object, &table, self.worlds, &self.maps)?;
        let replace = |programs: &[(Program, Hook)]| {
            for ((_, hook), link) in &self.links {
                let program = programs.iter().find(|(_, h)| h == hook);
                let Some((program, _)) = program else {
                    continue;
                };
                match call::update_link(link.as_raw_fd(), program.raw()) {
                    // The interface is gone.
                    Err(e) if e.raw_os_error() == Some(libc::ENOLINK) => {}
                    done => done.map_err(|e| Error::of("replace a program", e))?,
                }
            }
            Ok(())
        };
        if let Err(error) = replace(&programs) {
            // Every interface goes back to what it had.
            replace(&self.programs)?;
            return Err(error);
        }
        self.maps = maps;
        self.programs = programs;
        self.table = table;
        let Some(pins) = &self.pins else {
            return Ok(());
        };
        repin(pins, table_map::NAME, |path| self.table.map().pin(path))?;
        self.programs
            .iter()
            .try_for_each(|(p, _)| repin(pins, p.name(), |path| p.pin(path)))
    }

    /// The endpoints of the table, by number.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn endpoints(&self) -> Result<BTreeMap<u32, Endpoint>, Error> {
        self.roster.endpoints()
    }

    /// Says who the endpoints of the table are.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_endpoints(&self, endpoints: &BTreeMap<u32, Endpoint>) -> Result<(), Error> {
        self.roster.set(endpoints)
    }

    /// Puts a table in force whose endpoints may have other numbers and
    /// identities than those of the one before. An interface whose endpoint has
    /// another number is closed for the moment between, and stays so when the
    /// new table does not have its endpoint: no packet is judged by the policy of
    /// somebody else.
    ///
    /// # Errors
    /// As [`Self::publish`]; interfaces have their endpoints back then.
    pub fn replace_table(
        &mut self,
        image: Vec<u8>,
        endpoints: &BTreeMap<u32, Endpoint>,
    ) -> Result<(), Error> {
        let before = self.endpoints()?;
        let mut moved = Vec::new();
        for attached in self.attached()? {
            let known = before.get(&attached.behind.endpoint);
            let mut all = endpoints.iter();
            let same = known.and_then(|known| all.find(|(_, e)| e.name == known.name));
            let behind = same.map(|(number, e)| Behind {
                endpoint: *number,
                identity: e.identity,
            });
            if behind != Some(attached.behind) {
                moved.push((attached, behind));
            }
        }
        let map = Arc::clone(self.map(ENDPOINTS)?);
        for (attached, _) in &moved {
            map.remove(&attached.ifindex.to_ne_bytes())?;
        }
        let done = self.publish(&[Write::Replace { image }]);
        for (attached, behind) in &moved {
            let behind = match &done {
                Ok(()) => *behind,
                Err(_) => Some(attached.behind),
            };
            if let Some(behind) = behind {
                map.put(&attached.ifindex.to_ne_bytes(), &behind.to_bytes())?;
            }
        }
        done?;
        self.set_endpoints(endpoints)
    }

    /// Brings the map of addresses to exactly these.
    ///
    /// # Errors
    /// What the kernel says, or when the identities of the world are others:
    /// programs have these as constants.
    pub fn set_addresses(&self, addresses: &Addresses) -> Result<(), Error> {
        if [addresses.world_ipv4, addresses.world_ipv6] != self.worlds {
            let error = io::Error::from(io::ErrorKind::InvalidInput);
            return Err(Error::of(
                "change the identities of the world; load anew",
                error,
            ));
        }
        let map = self.map(ipcache::NAME)?;
        let mut wanted = addresses.entries();
        let mut gone: Vec<[u8; 24]> = Vec::new();
        for key in map.keys()? {
            let Ok(key) = <[u8; 24]>::try_from(key) else {
                continue;
            };
            match wanted.get(&key) {
                None => gone.push(key),
                Some(value) => {
                    if map.get(&key)?.as_deref() == Some(value) {
                        wanted.remove(&key);
                    }
                }
            }
        }
        let put: Vec<([u8; 24], [u8; 24])> = wanted.into_iter().collect();
        map.put_all(&put)?;
        map.remove_all(&gone)
    }

    /// Stands at an interface: the host's side of an endpoint's.
    ///
    /// # Errors
    /// When there is no such interface, or the kernel refuses.
    pub fn attach(&mut self, interface: &str, behind: Behind) -> Result<(), Error> {
        let ifindex = index_of(interface)?;
        self.map(ENDPOINTS)?
            .put(&ifindex.to_ne_bytes(), &behind.to_bytes())?;
        let done = self.link(ifindex, interface);
        if done.is_err() {
            let _ = self.detach_index(ifindex);
        }
        done
    }

    fn link(&mut self, ifindex: u32, interface: &str) -> Result<(), Error> {
        for (program, hook) in &self.programs {
            if self.links.contains_key(&(ifindex, *hook)) {
                continue;
            }
            let link = call::create_link(program.raw(), ifindex, *hook).map_err(|e| {
                match e.raw_os_error() {
                    Some(libc::EINVAL | libc::EOPNOTSUPP) => Error::Unsupported {
                        what: format!("attach to {interface} by tcx"),
                        since: "Linux 6.6",
                    },
                    _ => Error::of(format!("attach to {interface}"), e),
                }
            })?;
            if let Some(pins) = &self.pins {
                let path = pins.join(link_name(ifindex, *hook));
                // An interface that is gone may have left its number behind.
                let _ = std::fs::remove_file(&path);
                call::pin(link.as_raw_fd(), &path)?;
            }
            self.links.insert((ifindex, *hook), link);
        }
        Ok(())
    }

    /// Leaves an interface: everything passes there again.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn detach(&mut self, interface: &str) -> Result<(), Error> {
        self.detach_index(index_of(interface)?)
    }

    fn detach_index(&mut self, ifindex: u32) -> Result<(), Error> {
        for (_, hook) in PROGRAMS {
            if let Some(pins) = &self.pins {
                let _ = std::fs::remove_file(pins.join(link_name(ifindex, hook)));
            }
            self.links.remove(&(ifindex, hook));
        }
        self.map(ENDPOINTS)?
            .remove(&ifindex.to_ne_bytes())
            .map(drop)
    }

    /// Where the gate stands.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn attached(&self) -> Result<Vec<Attached>, Error> {
        let map = self.map(ENDPOINTS)?;
        let mut all = Vec::new();
        for key in map.keys()? {
            let value = map.get(&key)?.unwrap_or_default();
            let word = |bytes: &[u8], at: usize| {
                let word = bytes.get(at..).and_then(|b| b.first_chunk().copied());
                word.map_or(0, u32::from_ne_bytes)
            };
            let ifindex = word(&key, 0);
            all.push(Attached {
                ifindex,
                interface: name_of(ifindex),
                behind: Behind {
                    endpoint: word(&value, 0),
                    identity: word(&value, 4),
                },
            });
        }
        all.sort_by_key(|a| a.ifindex);
        Ok(all)
    }

    /// How often each verdict entry decided, the most frequent first.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn counts(&self) -> Result<Vec<Count>, Error> {
        Count::all(self.map(COUNTERS)?)
    }

    /// What else was counted.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn totals(&self) -> Result<Totals, Error> {
        Totals::of(self.map(TOTALS)?)
    }

    /// What the programs say from now on. There is one ring: of two readers
    /// each gets a part.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn events(&self) -> Result<Events, Error> {
        Events::new(self.map(EVENTS)?)
    }
}

type LoadedParts = (BTreeMap<String, Arc<Map>>, Vec<(Program, Hook)>);

/// Loads the object over a table, with maps that are there.
fn load(
    path: &Path,
    table: &TableMap,
    worlds: [u32; 2],
    kept: &BTreeMap<String, Arc<Map>>,
) -> Result<LoadedParts, Error> {
    let mut object = Object::open(path)?;
    object.set("netverdict_table_mask", &table.mask().to_ne_bytes())?;
    object.set("world_ipv4", &worlds[0].to_ne_bytes())?;
    object.set("world_ipv6", &worlds[1].to_ne_bytes())?;
    object.set_value_size(table_map::NAME, (table.mask() + 65) as u32)?;
    object.use_map(table.map())?;
    for map in kept.values() {
        object.use_map(map)?;
    }
    let mut loaded = object.load()?;
    let mut maps = BTreeMap::new();
    for name in KEPT {
        maps.insert(name.to_owned(), Arc::clone(loaded.map(name)?));
    }
    let mut programs = Vec::new();
    for (name, hook) in PROGRAMS {
        let program = loaded.programs.remove(name);
        let program = program.ok_or_else(|| Error::NotLoaded { what: name.into() })?;
        programs.push((program, hook));
    }
    Ok((maps, programs))
}

/// Sees that pins can be in a directory, and that none are.
fn prepare(pins: &Path) -> Result<(), Error> {
    if !call::on_bpf_file_system(&pins.join(table_map::NAME)) {
        return Err(Error::NoBpfFileSystem {
            path: pins.to_owned(),
        });
    }
    if Gate::is_loaded(pins) {
        let error = io::Error::from(io::ErrorKind::AlreadyExists);
        return Err(Error::of(format!("load into {}", pins.display()), error));
    }
    Ok(())
}

/// Takes everything in a directory of pins away: programs leave their
/// interfaces, and the kernel frees what nobody holds.
///
/// # Errors
/// When there is no such directory, or it cannot be removed.
pub fn unload(pins: &Path) -> Result<(), Error> {
    let what = || format!("unload {}", pins.display());
    let entries = match std::fs::read_dir(pins) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(Error::NotLoaded {
                what: pins.display().to_string(),
            });
        }
        Err(e) => return Err(Error::of(what(), e)),
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    // Links first: from then on no packet needs the rest.
    paths.sort_by_key(|p| {
        !p.file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with("link_"))
    });
    for path in paths {
        std::fs::remove_file(&path).map_err(|e| Error::of(what(), e))?;
    }
    std::fs::remove_dir(pins).map_err(|e| Error::of(what(), e))
}

/// Puts a pin in the place of another of the same name.
fn repin(pins: &Path, name: &str, pin: impl Fn(&Path) -> Result<(), Error>) -> Result<(), Error> {
    let (new, path) = (pins.join(format!("{name}_new")), pins.join(name));
    let _ = std::fs::remove_file(&new);
    pin(&new)?;
    std::fs::rename(&new, &path).map_err(|e| Error::of(format!("pin {}", path.display()), e))
}

fn link_name(ifindex: u32, hook: Hook) -> String {
    let side = match hook {
        Hook::Egress => "to",
        Hook::Ingress => "from",
    };
    format!("link_{ifindex}_{side}")
}
