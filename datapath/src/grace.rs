//! Grace periods: when no BPF program can be reading what was replaced.
//!
//! Programs at traffic control run within an RCU read section of the kernel. A
//! packet's program that loaded the control line before it changed is done when
//! an RCU grace period that began after the change is over.

use crate::call::{self, MapShape, map_flag, map_type};
use crate::error::Error;
use crate::map::Map;
use std::os::fd::{AsRawFd, OwnedFd};

/// membarrier(2)'s `MEMBARRIER_CMD_GLOBAL`: a grace period for all.
const GLOBAL: libc::c_int = 1;

/// A way to wait for grace periods.
#[derive(Debug)]
pub(crate) struct Grace {
    /// A map of maps: the kernel waits for a grace period when one of its
    /// elements is written. For where membarrier(2) does not wait, which is on
    /// one processor and with isolated ones.
    outer: OwnedFd,
    inner: Map,
}

impl Grace {
    pub(crate) fn new() -> Result<Self, Error> {
        let shape = MapShape {
            map_type: map_type::ARRAY,
            key_size: 4,
            value_size: 8,
            max_entries: 1,
            flags: map_flag::RDONLY_PROG,
        };
        let inner = Map::create("netverdict_grace", shape)?;
        let shape = MapShape {
            map_type: map_type::ARRAY_OF_MAPS,
            value_size: 4,
            flags: 0,
            ..shape
        };
        let outer = call::create_map_of("netverdict_grace", shape, inner.raw());
        Ok(Self {
            outer: outer.map_err(|e| Error::of("create a map of maps", e))?,
            inner,
        })
    }

    /// Waits until no program reads what was replaced before this call.
    pub(crate) fn wait(&self) -> Result<(), Error> {
        if std::thread::available_parallelism().is_ok_and(|n| n.get() > 1) {
            // SAFETY: numbers alone; the call touches no memory of ours.
            let done = unsafe { libc::syscall(libc::SYS_membarrier, GLOBAL, 0, 0) };
            if done == 0 {
                return Ok(());
            }
        }
        let inner = self.inner.raw().to_ne_bytes();
        call::update(self.outer.as_raw_fd(), &[0; 4], &inner, 0)
            .map_err(|e| Error::of("wait for a grace period", e))
    }
}
