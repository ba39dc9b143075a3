//! Verdict tables in the Linux kernel.
//!
//! In: tables and their updates as `netverdict` compiles them, and what its
//! policy maps hold. Out: BPF programs that decide about packets by them, and
//! what these say of the packets.
//!
//! [`TableMap`] holds a table that programs read while it changes, [`Gate`]
//! lets packets pass by one, and [`PolicyMaps`] writes the maps that Cilium's own
//! programs read. Everything here needs CAP_BPF and CAP_NET_ADMIN, and says so
//! where they are missing.
//!
//! ```no_run
//! use netverdict_datapath::TableMap;
//!
//! # fn publish(image: &[u8], writes: &[netverdict_table::Write]) -> Result<(), netverdict_datapath::Error> {
//! netverdict_datapath::probe()?;
//! // Room for the table to grow to twice its size.
//! let mut map = TableMap::create(image.len() * 2)?;
//! map.replace(image)?;
//! // Later, what `netverdict::compile::Publisher` says has changed.
//! map.publish(writes)?;
//! map.wait_for_readers()?;
//! # Ok(())
//! # }
//! ```
#![cfg(target_os = "linux")]
#![deny(missing_docs)]
#![warn(clippy::undocumented_unsafe_blocks)]

mod call;
mod count;
mod error;
mod event;
mod flow;
mod gate;
mod grace;
mod interface;
mod ipcache;
mod map;
mod memory;
mod object;
mod policy_maps;
mod roster;
mod table_map;

pub use call::Run;
pub use count::{Count, Totals};
pub use error::Error;
pub use event::{Event, Events};
pub use flow::{Names, drop_reason};
pub use gate::{Attached, Behind, Gate, unload};
pub use ipcache::{Addresses, ipcache_key, ipcache_value};
pub use map::Map;
pub use memory::Memory;
pub use object::{Loaded, Object, Program, find_object, object_directories};
pub use policy_maps::{Culprit, Overflow, PolicyMaps, Written};
pub use roster::Endpoint;
pub use table_map::TableMap;

/// Sees whether the kernel lets this process create a map and load a program.
///
/// # Errors
/// Why it does not.
pub fn probe() -> Result<(), Error> {
    Map::create(
        "netverdict_probe",
        call::MapShape {
            map_type: call::map_type::ARRAY,
            key_size: 4,
            value_size: 8,
            max_entries: 1,
            flags: 0,
        },
    )?;
    // mov r0, 0; exit
    let instructions = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let license = std::ffi::CString::default();
    let program = call::Program {
        name: "probe",
        license: &license,
        instructions: &instructions,
        btf: None,
        functions: (&[], 0),
        lines: (&[], 0),
    };
    match call::load_program(&program, &mut []) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::of("load a program", error)),
    }
}
