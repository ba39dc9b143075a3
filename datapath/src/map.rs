//! A BPF map: bytes for keys and values.

use crate::call::{self, MapShape, map_flag};
use crate::error::Error;
use crate::memory::Memory;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// Entries per call of a batch: neither buffers nor the time in the kernel grow
/// beyond what one call should take.
const BATCH: usize = 4096;

/// A map of the kernel.
///
/// ```
/// use netverdict_datapath::{Map, PolicyMaps};
///
/// # if netverdict_datapath::probe().is_err() { return Ok(()) }
/// let mut maps = PolicyMaps::new(16, None);
/// maps.sync(7, "shop/web", &[])?;
/// let map: &Map = maps.map(7).expect("just made");
/// let key = [8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
/// map.put_all(&[(key, [0; 12])])?;
/// assert_eq!((map.get(&key)?, map.keys()?.len()), (Some(vec![0; 12]), 1));
/// map.remove_all(&[key])?;
/// assert!(!map.remove(&key)?);
/// # Ok::<(), netverdict_datapath::Error>(())
/// ```
#[derive(Debug)]
pub struct Map {
    name: String,
    shape: MapShape,
    fd: OwnedFd,
}

impl Map {
    pub(crate) fn create(name: &str, shape: MapShape) -> Result<Self, Error> {
        let fd = call::create_map(name, shape)
            .map_err(|e| Error::of(format!("create the map {name}"), e))?;
        Ok(Self {
            name: name.to_owned(),
            shape,
            fd,
        })
    }

    /// Opens a pinned map.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let fd = call::open_pin(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // `struct bpf_map_info`: type, id, key, value, entries, flags.
        let [map_type, _, key_size, value_size, max_entries, flags] =
            call::info(fd.as_raw_fd()).map_err(|e| Error::of(format!("look at {name}"), e))?;
        Ok(Self {
            shape: MapShape {
                map_type,
                key_size,
                value_size,
                max_entries,
                flags,
            },
            name: name.into_owned(),
            fd,
        })
    }

    pub(crate) fn pin(&self, path: &Path) -> Result<(), Error> {
        call::pin(self.raw(), path)
    }

    pub(crate) fn raw(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    pub(crate) const fn shape(&self) -> MapShape {
        self.shape
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn fits(&self, key: &[u8], value: Option<&[u8]>) -> Result<(), Error> {
        let good = key.len() == self.shape.key_size as usize
            && value.is_none_or(|v| v.len() == self.shape.value_size as usize);
        if good {
            return Ok(());
        }
        let error = io::Error::from(io::ErrorKind::InvalidInput);
        Err(Error::of(
            format!("{}: length of a key or value", self.name),
            error,
        ))
    }

    /// Reads a value; `None` without an entry. The values of a per-CPU map
    /// follow each other.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.fits(key, None)?;
        let mut value = vec![0; self.value_len()];
        match call::lookup(self.raw(), key, &mut value) {
            Ok(()) => Ok(Some(value)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::of(format!("read {}", self.name), e)),
        }
    }

    /// Bytes of a value as the kernel hands it out.
    fn value_len(&self) -> usize {
        const PER_CPU: [u32; 3] = [5, 6, 10];
        let size = self.shape.value_size as usize;
        if PER_CPU.contains(&self.shape.map_type) {
            size.next_multiple_of(8) * possible_processors()
        } else {
            size
        }
    }

    /// Writes an entry, be it there or not.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.fits(key, Some(value))?;
        call::update(self.raw(), key, value, 0)
            .map_err(|e| Error::of(format!("write {}", self.name), e))
    }

    /// Deletes an entry; true when it was there.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn remove(&self, key: &[u8]) -> Result<bool, Error> {
        self.fits(key, None)?;
        match call::delete(self.raw(), key) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::of(format!("delete from {}", self.name), e)),
        }
    }

    /// Writes many entries, thousands by each system call.
    ///
    /// # Errors
    /// What the kernel says; entries before the one it refused are written.
    pub fn put_all<const K: usize, const V: usize>(
        &self,
        entries: &[([u8; K], [u8; V])],
    ) -> Result<(), Error> {
        for part in entries.chunks(BATCH) {
            let (keys, values): (Vec<[u8; K]>, Vec<[u8; V]>) = part.iter().copied().unzip();
            let (Some(key), Some(value)) = (keys.first(), values.first()) else {
                break;
            };
            self.fits(key, Some(value))?;
            let count = part.len() as u32;
            call::update_batch(
                self.raw(),
                keys.as_flattened(),
                values.as_flattened(),
                count,
            )
            .map_err(|e| Error::of(format!("write {}", self.name), e))?;
        }
        Ok(())
    }

    /// Deletes many entries that are there.
    ///
    /// # Errors
    /// What the kernel says; entries before the one it refused are gone.
    pub fn remove_all<const K: usize>(&self, keys: &[[u8; K]]) -> Result<(), Error> {
        for part in keys.chunks(BATCH) {
            if let Some(key) = part.first() {
                self.fits(key, None)?;
            }
            call::delete_batch(self.raw(), part.as_flattened(), part.len() as u32)
                .map_err(|e| Error::of(format!("delete from {}", self.name), e))?;
        }
        Ok(())
    }

    /// Every key. Keys that come or go meanwhile may be missed or stand twice.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn keys(&self) -> Result<Vec<Vec<u8>>, Error> {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        // A map in motion might lead in circles.
        let most = self.shape.max_entries as usize * 2 + 16;
        while keys.len() < most {
            let mut next = vec![0; self.shape.key_size as usize];
            match call::next_key(self.raw(), keys.last().map(Vec::as_slice), &mut next) {
                Ok(()) => keys.push(next),
                Err(e) if e.kind() == io::ErrorKind::NotFound => break,
                Err(e) => return Err(Error::of(format!("list {}", self.name), e)),
            }
        }
        Ok(keys)
    }

    /// The only value of an array map, as memory.
    ///
    /// # Errors
    /// When the map is no array for mapping, or the kernel refuses.
    pub fn memory(&self) -> Result<Memory, Error> {
        let shape = self.shape;
        if shape.flags & map_flag::MMAPABLE == 0 {
            let error = io::Error::from(io::ErrorKind::InvalidInput);
            return Err(Error::of(format!("map {} into memory", self.name), error));
        }
        let size = shape.value_size as usize;
        let len = size.next_multiple_of(8) * shape.max_entries as usize;
        Memory::new(&self.fd, len)
            .map_err(|e| Error::of(format!("map {} into memory", self.name), e))
    }
}

/// Processors that there may be: so many values has an entry of a per-CPU map.
pub(crate) fn possible_processors() -> usize {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
    let ranges = text.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        Some(last + 1 - first)
    });
    ranges.sum::<usize>().max(1)
}
