//! A verdict table in a map that BPF programs read.
//!
//! In: images and the writes that change them. Out: a map whose one value is a
//! control line of 64 bytes and room for two images. Programs read the control
//! line once per packet, so each packet sees one image, whole.
//!
//! Writes of an update go into the image in force, each visible at once and by
//! a single store. A new image goes where none is read, and one store into the
//! control line puts it in force. The place it leaves is written to only after
//! a grace period ([`crate::grace`]).

use crate::call::{MapShape, map_flag, map_type};
use crate::error::Error;
use crate::grace::Grace;
use crate::map::Map;
use crate::memory::Memory;
use netverdict_table::{Info, View, Write, layout::HEADER_LEN};
use std::sync::Arc;

/// The name of the map in objects and pins.
pub(crate) const NAME: &str = "netverdict_table";
/// Bytes of the control line. As many follow the last place an offset leads to.
const CONTROL: usize = 64;
/// The smallest map: two images of almost 32 KiB.
const LEAST: usize = 1 << 16;
/// The verifier follows offsets of up to so many bytes.
const MOST: usize = 1 << 29;

/// A table in a map.
#[derive(Debug)]
pub struct TableMap {
    map: Arc<Map>,
    memory: Memory,
    grace: Grace,
    /// The other place may still be read: it was in force until lately.
    left: bool,
}

/// The bytes of images that a mask leaves room for.
const fn room(span: usize) -> usize {
    span / 2 - CONTROL
}

impl TableMap {
    /// A map without a table, with room for two images of so many bytes.
    /// Whoever asks it is answered "no such subject", which is a drop.
    ///
    /// # Errors
    /// When the image is too large for any map, or the kernel refuses.
    pub fn create(image: usize) -> Result<Self, Error> {
        let span = (image.saturating_add(CONTROL)).saturating_mul(2);
        let span = span.checked_next_power_of_two().unwrap_or(usize::MAX);
        let span = span.max(LEAST);
        if span > MOST {
            return Err(Error::TooLarge { bytes: image });
        }
        let shape = MapShape {
            map_type: map_type::ARRAY,
            key_size: 4,
            value_size: (span + CONTROL) as u32,
            max_entries: 1,
            // Not read-only for programs: the kernel would not let us map it for writing.
            flags: map_flag::MMAPABLE,
        };
        Self::of(Arc::new(Map::create(NAME, shape)?))
    }

    /// The table in a map that is there.
    ///
    /// # Errors
    /// When the map is none for tables.
    pub fn of(map: Arc<Map>) -> Result<Self, Error> {
        let span = (map.shape().value_size as usize).wrapping_sub(CONTROL);
        if !span.is_power_of_two() || map.shape().max_entries != 1 {
            let what = format!("{} as a map of tables", map.name());
            return Err(Error::of(what, std::io::ErrorKind::InvalidData.into()));
        }
        let table = Self {
            memory: map.memory()?,
            map,
            grace: Grace::new()?,
            // What a process before this one replaced is not known.
            left: true,
        };
        Ok(table)
    }

    /// The map.
    #[must_use]
    pub const fn map(&self) -> &Arc<Map> {
        &self.map
    }

    /// What programs mask offsets with: a power of two less one.
    #[must_use]
    pub fn mask(&self) -> u64 {
        u64::from(self.map.shape().value_size) - CONTROL as u64 - 1
    }

    fn span(&self) -> usize {
        self.map.shape().value_size as usize - CONTROL
    }

    /// The largest image it has room for.
    #[must_use]
    pub fn room(&self) -> usize {
        room(self.span())
    }

    /// Where the image in force stands; 0 for none.
    fn base(&self) -> usize {
        self.memory.load32(0) as usize
    }

    /// The image in force, copied.
    ///
    /// # Errors
    /// When there is none.
    pub fn image(&self) -> Result<Vec<u8>, Error> {
        let base = self.base();
        if base == 0 {
            return Err(Error::NotLoaded {
                what: "a table".into(),
            });
        }
        let mut header = [0; HEADER_LEN];
        self.memory.read(base, &mut header);
        let length = Info::read(&header)?.header.length as usize;
        let mut image = vec![0; length.min(self.room())];
        self.memory.read(base, &mut image);
        Ok(image)
    }

    /// Puts a new image in force: by one store, after all its bytes are there.
    ///
    /// # Errors
    /// When it is no table, or has no room; the one before stays in force then.
    pub fn replace(&mut self, image: &[u8]) -> Result<(), Error> {
        View::new(image)?;
        if image.len() > self.room() {
            return Err(Error::TooLarge { bytes: image.len() });
        }
        let places = [CONTROL, self.span() / 2];
        let free = if self.base() == places[0] {
            places[1]
        } else {
            places[0]
        };
        if self.left {
            self.grace.wait()?;
        }
        self.memory.write(free, image);
        self.memory.store32(0, free as u32);
        self.left = true;
        Ok(())
    }

    /// Does the writes of an update in their order.
    ///
    /// # Errors
    /// When one lies outside of the image, or a new image does not fit: nothing
    /// of the update is done then.
    pub fn publish(&mut self, writes: &[Write]) -> Result<(), Error> {
        // What comes before a whole image is of no use to it.
        let last = writes
            .iter()
            .rposition(|w| matches!(w, Write::Replace { .. }));
        let writes = match last.and_then(|at| writes.split_at_checked(at)) {
            Some((_, [Write::Replace { image }, after @ ..])) if !after.is_empty() => {
                let mut image = image.clone();
                for write in after {
                    write.apply(&mut image);
                }
                return self.replace(&image);
            }
            Some((_, [Write::Replace { image }])) => return self.replace(image),
            _ => writes,
        };
        let base = self.base();
        let length = if base == 0 {
            0
        } else {
            self.memory.load32(base + LENGTH_AT)
        };
        for write in writes {
            let (at, len, align) = match write {
                Write::Bytes { at, bytes } => (*at, bytes.len() as u64, 1),
                Write::Word16 { at, .. } => (*at, 2, 2),
                Write::Word64 { at, .. } => (*at, 8, 8),
                Write::Replace { .. } => (0, 0, 1),
            };
            let good = at >= HEADER_LEN as u32
                && u64::from(at) + len <= u64::from(length)
                && at.is_multiple_of(align);
            if !good {
                return Err(Error::Outside { at });
            }
        }
        for write in writes {
            match write {
                Write::Bytes { at, bytes } => self.memory.write(base + *at as usize, bytes),
                Write::Word16 { at, value } => self.memory.store16(base + *at as usize, *value),
                Write::Word64 { at, value } => self.memory.store64(base + *at as usize, *value),
                Write::Replace { .. } => {}
            }
        }
        Ok(())
    }

    /// Waits until no program reads what was in force before this call: then
    /// [`Publisher::end_grace_period`](netverdict::compile::Publisher::end_grace_period)
    /// may be called.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn wait_for_readers(&mut self) -> Result<(), Error> {
        self.grace.wait()?;
        self.left = false;
        Ok(())
    }
}

/// Where the header has the length of the image.
const LENGTH_AT: usize = 0x10;
