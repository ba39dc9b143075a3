//! The system call bpf(2).
//!
//! In: commands with their arguments. Out: file descriptors and bytes. The
//! structures are the beginnings of the kernel's `union bpf_attr`; it takes what
//! is beyond them as zero.

use crate::error::Error;
use std::ffi::{CString, c_long};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Commands of bpf(2), as uapi/linux/bpf.h numbers them.
mod command {
    pub(super) const MAP_CREATE: u32 = 0;
    pub(super) const MAP_LOOKUP: u32 = 1;
    pub(super) const MAP_UPDATE: u32 = 2;
    pub(super) const MAP_DELETE: u32 = 3;
    pub(super) const MAP_NEXT_KEY: u32 = 4;
    pub(super) const PROG_LOAD: u32 = 5;
    pub(super) const OBJ_PIN: u32 = 6;
    pub(super) const OBJ_GET: u32 = 7;
    pub(super) const PROG_TEST_RUN: u32 = 10;
    pub(super) const INFO_BY_FD: u32 = 15;
    pub(super) const BTF_LOAD: u32 = 18;
    pub(super) const MAP_FREEZE: u32 = 22;
    pub(super) const MAP_UPDATE_BATCH: u32 = 26;
    pub(super) const MAP_DELETE_BATCH: u32 = 27;
    pub(super) const LINK_CREATE: u32 = 28;
    pub(super) const LINK_UPDATE: u32 = 29;
}

/// Types of maps.
pub(crate) mod map_type {
    pub(crate) const ARRAY: u32 = 2;
    pub(crate) const LPM_TRIE: u32 = 11;
    pub(crate) const ARRAY_OF_MAPS: u32 = 12;
}

/// Flags of maps.
pub(crate) mod map_flag {
    pub(crate) const NO_PREALLOC: u32 = 1;
    pub(crate) const RDONLY_PROG: u32 = 1 << 7;
    pub(crate) const MMAPABLE: u32 = 1 << 10;
}

/// A program at traffic control.
const PROG_TYPE_SCHED_CLS: u32 = 3;

/// Calls bpf(2) with the beginning of its argument.
fn bpf<T>(number: u32, attribute: &mut T) -> io::Result<c_long> {
    // SAFETY: the kernel reads and writes `size_of::<T>()` bytes there, which
    // are ours; all of these structures are plain numbers, and what addresses
    // among them lead to is kept alive and large enough by the caller below.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            number,
            std::ptr::from_mut(attribute),
            size_of::<T>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

fn descriptor(result: c_long) -> OwnedFd {
    // SAFETY: the kernel just gave this descriptor to us alone.
    unsafe { OwnedFd::from_raw_fd(result as RawFd) }
}

fn address<T>(of: &[T]) -> u64 {
    of.as_ptr() as u64
}

fn address_mut<T>(of: &mut [T]) -> u64 {
    of.as_mut_ptr() as u64
}

/// The kernel's names have 15 bytes of letters, digits, `_` and `.`.
fn kernel_name(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    let plain = name
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { b } else { b'_' });
    for (to, from) in bytes.iter_mut().take(15).zip(plain) {
        *to = from;
    }
    bytes
}

/// What a map is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MapShape {
    pub(crate) map_type: u32,
    pub(crate) key_size: u32,
    pub(crate) value_size: u32,
    pub(crate) max_entries: u32,
    pub(crate) flags: u32,
}

pub(crate) fn create_map(name: &str, shape: MapShape) -> io::Result<OwnedFd> {
    create_map_of(name, shape, 0)
}

/// Creates a map of maps like `inner`; 0 for a map of values.
pub(crate) fn create_map_of(name: &str, shape: MapShape, inner: RawFd) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attribute {
        shape: [u32; 5],
        inner_map_fd: u32,
        numa_node: u32,
        name: [u8; 16],
    }
    bpf(
        command::MAP_CREATE,
        &mut Attribute {
            shape: [
                shape.map_type,
                shape.key_size,
                shape.value_size,
                shape.max_entries,
                shape.flags,
            ],
            inner_map_fd: inner as u32,
            numa_node: 0,
            name: kernel_name(name),
        },
    )
    .map(descriptor)
}

#[repr(C)]
struct Element {
    map_fd: u32,
    reserved: u32,
    key: u64,
    value: u64,
    flags: u64,
}

fn element(number: u32, map: RawFd, key: u64, value: u64, flags: u64) -> io::Result<()> {
    bpf(
        number,
        &mut Element {
            map_fd: map as u32,
            reserved: 0,
            key,
            value,
            flags,
        },
    )
    .map(drop)
}

/// Reads a value. `value` must be as long as the map's values (all processors'
/// for per-CPU maps): [`crate::map::Map`] sees to it.
pub(crate) fn lookup(map: RawFd, key: &[u8], value: &mut [u8]) -> io::Result<()> {
    element(
        command::MAP_LOOKUP,
        map,
        address(key),
        address_mut(value),
        0,
    )
}

pub(crate) fn update(map: RawFd, key: &[u8], value: &[u8], flags: u64) -> io::Result<()> {
    element(
        command::MAP_UPDATE,
        map,
        address(key),
        address(value),
        flags,
    )
}

pub(crate) fn delete(map: RawFd, key: &[u8]) -> io::Result<()> {
    element(command::MAP_DELETE, map, address(key), 0, 0)
}

/// The key after one, or the first.
pub(crate) fn next_key(map: RawFd, key: Option<&[u8]>, next: &mut [u8]) -> io::Result<()> {
    let key = key.map_or(0, address);
    element(command::MAP_NEXT_KEY, map, key, address_mut(next), 0)
}

/// Makes a map read-only for system calls.
pub(crate) fn freeze(map: RawFd) -> io::Result<()> {
    element(command::MAP_FREEZE, map, 0, 0, 0)
}

#[repr(C)]
struct Batch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    element_flags: u64,
    flags: u64,
}

fn batch(number: u32, map: RawFd, keys: u64, values: u64, count: u32) -> io::Result<u32> {
    let mut attribute = Batch {
        in_batch: 0,
        out_batch: 0,
        keys,
        values,
        count,
        map_fd: map as u32,
        element_flags: 0,
        flags: 0,
    };
    bpf(number, &mut attribute)?;
    Ok(attribute.count)
}

/// Writes many entries by one call; returns how many.
pub(crate) fn update_batch(map: RawFd, keys: &[u8], values: &[u8], count: u32) -> io::Result<u32> {
    let (keys, values) = (address(keys), address(values));
    batch(command::MAP_UPDATE_BATCH, map, keys, values, count)
}

/// Deletes many entries by one call; returns how many.
pub(crate) fn delete_batch(map: RawFd, keys: &[u8], count: u32) -> io::Result<u32> {
    batch(command::MAP_DELETE_BATCH, map, address(keys), 0, count)
}

pub(crate) fn load_btf(btf: &[u8]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attribute {
        btf: u64,
        log: u64,
        size: u32,
        log_size: u32,
        log_level: u32,
    }
    bpf(
        command::BTF_LOAD,
        &mut Attribute {
            btf: address(btf),
            log: 0,
            size: btf.len() as u32,
            log_size: 0,
            log_level: 0,
        },
    )
    .map(descriptor)
}

/// A program, ready for the kernel. `instructions` has 8 bytes for each.
pub(crate) struct Program<'a> {
    pub(crate) name: &'a str,
    pub(crate) license: &'a CString,
    pub(crate) instructions: &'a [u8],
    pub(crate) btf: Option<RawFd>,
    pub(crate) functions: (&'a [u8], u32),
    pub(crate) lines: (&'a [u8], u32),
}

/// Loads a program for traffic control; `log` takes what the verifier says.
pub(crate) fn load_program(program: &Program<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attribute {
        prog_type: u32,
        instruction_count: u32,
        instructions: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log: u64,
        kernel_version: u32,
        flags: u32,
        name: [u8; 16],
        ifindex: u32,
        expected_attach_type: u32,
        btf_fd: u32,
        function_size: u32,
        functions: u64,
        function_count: u32,
        line_size: u32,
        lines: u64,
        line_count: u32,
        attach_btf_id: u32,
    }
    // Records without a type description mean nothing.
    let records = |(bytes, size): (&[u8], u32)| match (program.btf, size) {
        (Some(_), 1..) => (address(bytes), size, bytes.len() as u32 / size),
        _ => (0, 0, 0),
    };
    let (functions, function_size, function_count) = records(program.functions);
    let (lines, line_size, line_count) = records(program.lines);
    bpf(
        command::PROG_LOAD,
        &mut Attribute {
            prog_type: PROG_TYPE_SCHED_CLS,
            instruction_count: program.instructions.len() as u32 / 8,
            instructions: address(program.instructions),
            license: program.license.as_ptr() as u64,
            log_level: u32::from(!log.is_empty()),
            log_size: log.len() as u32,
            log: if log.is_empty() { 0 } else { address_mut(log) },
            kernel_version: 0,
            flags: 0,
            name: kernel_name(program.name),
            ifindex: 0,
            expected_attach_type: 0,
            btf_fd: program.btf.map_or(0, |fd| fd as u32),
            function_size,
            functions,
            function_count,
            line_size,
            lines,
            line_count,
            attach_btf_id: 0,
        },
    )
    .map(descriptor)
}

/// What a program returned, and how long a run took.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Its return value.
    pub returned: u32,
    /// Nanoseconds of one run, the mean of the repeats.
    pub nanoseconds: u32,
}

pub(crate) fn test_run(program: RawFd, packet: &[u8], repeat: u32) -> io::Result<Run> {
    #[repr(C)]
    struct Attribute {
        program: u32,
        returned: u32,
        size_in: u32,
        size_out: u32,
        data_in: u64,
        data_out: u64,
        repeat: u32,
        duration: u32,
    }
    let mut attribute = Attribute {
        program: program as u32,
        returned: 0,
        size_in: packet.len() as u32,
        size_out: 0,
        data_in: address(packet),
        data_out: 0,
        repeat,
        duration: 0,
    };
    bpf(command::PROG_TEST_RUN, &mut attribute)?;
    Ok(Run {
        returned: attribute.returned,
        nanoseconds: attribute.duration,
    })
}

#[repr(C)]
struct Pin {
    path: u64,
    fd: u32,
    flags: u32,
}

/// Gives what a descriptor stands for a name in a BPF file system.
pub(crate) fn pin(fd: RawFd, path: &Path) -> Result<(), Error> {
    let name = CString::new(path.as_os_str().as_bytes())
        .map_err(|e| Error::of(format!("pin {}", path.display()), e.into()))?;
    let done = bpf(
        command::OBJ_PIN,
        &mut Pin {
            path: name.as_ptr() as u64,
            fd: fd as u32,
            flags: 0,
        },
    );
    match done {
        Ok(_) => Ok(()),
        // The directory is there, but not on a BPF file system.
        Err(e) if e.raw_os_error() == Some(libc::EPERM) && !on_bpf_file_system(path) => {
            Err(Error::NoBpfFileSystem {
                path: path.parent().unwrap_or(path).to_owned(),
            })
        }
        Err(e) => Err(Error::of(format!("pin {}", path.display()), e)),
    }
}

/// Opens what is pinned under a name.
pub(crate) fn open_pin(path: &Path) -> Result<OwnedFd, Error> {
    let what = || format!("open {}", path.display());
    let name =
        CString::new(path.as_os_str().as_bytes()).map_err(|e| Error::of(what(), e.into()))?;
    let mut attribute = Pin {
        path: name.as_ptr() as u64,
        fd: 0,
        flags: 0,
    };
    match bpf(command::OBJ_GET, &mut attribute) {
        Ok(result) => Ok(descriptor(result)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(Error::NotLoaded {
            what: path.display().to_string(),
        }),
        Err(e) => Err(Error::of(what(), e)),
    }
}

/// True when a path's directory is on a BPF file system.
pub(crate) fn on_bpf_file_system(path: &Path) -> bool {
    const MAGIC: i64 = 0xcafe_4a11;
    let Some(directory) = path.ancestors().skip(1).find(|p| p.is_dir()) else {
        return false;
    };
    let Ok(file) = File::open(directory) else {
        return false;
    };
    // SAFETY: numbers alone, for which zero is a value.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open, and the structure is ours to fill.
    let done = unsafe { libc::fstatfs(file.as_raw_fd(), &raw mut stat) };
    done == 0 && stat.f_type as i64 == MAGIC
}

/// Where at an interface a program stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub(crate) enum Hook {
    Ingress = 46,
    Egress = 47,
}

pub(crate) fn create_link(program: RawFd, ifindex: u32, hook: Hook) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attribute {
        program: u32,
        ifindex: u32,
        attach_type: u32,
        flags: u32,
        relative: u32,
        reserved: u32,
        expected_revision: u64,
    }
    bpf(
        command::LINK_CREATE,
        &mut Attribute {
            program: program as u32,
            ifindex,
            attach_type: hook as u32,
            flags: 0,
            relative: 0,
            reserved: 0,
            expected_revision: 0,
        },
    )
    .map(descriptor)
}

/// Puts another program in the place of a link's, by one store.
pub(crate) fn update_link(link: RawFd, program: RawFd) -> io::Result<()> {
    #[repr(C)]
    struct Attribute {
        link: u32,
        program: u32,
        flags: u32,
        old: u32,
    }
    bpf(
        command::LINK_UPDATE,
        &mut Attribute {
            link: link as u32,
            program: program as u32,
            flags: 0,
            old: 0,
        },
    )
    .map(drop)
}

/// The beginning of what the kernel says about a map, program or link, as
/// words of 32 bits.
pub(crate) fn info<const WORDS: usize>(fd: RawFd) -> io::Result<[u32; WORDS]> {
    #[repr(C)]
    struct Attribute {
        fd: u32,
        length: u32,
        info: u64,
    }
    let mut words = [0u32; WORDS];
    bpf(
        command::INFO_BY_FD,
        &mut Attribute {
            fd: fd as u32,
            length: size_of_val(&words) as u32,
            info: address_mut(&mut words),
        },
    )?;
    Ok(words)
}
