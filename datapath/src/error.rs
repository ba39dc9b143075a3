//! What can go wrong between a table and the kernel.

use crate::policy_maps::Overflow;
use netverdict_table::TableError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the kernel did not do what was asked. Whatever was in force before stays
/// in force.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused (EPERM): a capability is missing.
    NotPermitted {
        /// What was tried.
        what: String,
    },
    /// A directory for pins is on no BPF file system.
    NoBpfFileSystem {
        /// The directory.
        path: PathBuf,
    },
    /// The kernel is too old, or built without what is needed.
    Unsupported {
        /// What was tried.
        what: String,
        /// Since when kernels can.
        since: &'static str,
    },
    /// Another error of a system call.
    System {
        /// What was tried.
        what: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// The verifier did not accept a program.
    Verifier {
        /// The program.
        program: String,
        /// The end of what it said.
        log: String,
    },
    /// A BPF object file is missing or is not what was expected.
    Object {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A table is none, or damaged.
    Table(TableError),
    /// A table is larger than a BPF program can look through.
    TooLarge {
        /// Its bytes.
        bytes: usize,
    },
    /// A write of an update lies outside of the table in force.
    Outside {
        /// Where it was to go.
        at: u32,
    },
    /// A policy map would have more entries than it may.
    Overflow(Overflow),
    /// Nothing is loaded, or not what was asked for.
    NotLoaded {
        /// What is missing.
        what: String,
    },
}

impl Error {
    /// The error of the system call that just failed.
    pub(crate) fn last(what: impl Into<String>) -> Self {
        Self::of(what, io::Error::last_os_error())
    }

    pub(crate) fn of(what: impl Into<String>, error: io::Error) -> Self {
        let what = what.into();
        match error.raw_os_error() {
            Some(libc::EPERM) => Self::NotPermitted { what },
            _ => Self::System { what, error },
        }
    }

    pub(crate) fn object(path: &Path, why: impl fmt::Display) -> Self {
        Self::Object {
            path: path.to_owned(),
            why: why.to_string(),
        }
    }

    /// The number the kernel gave, where it gave one.
    #[must_use]
    pub fn os_error(&self) -> Option<i32> {
        match self {
            Self::NotPermitted { .. } => Some(libc::EPERM),
            Self::System { error, .. } => error.raw_os_error(),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted { what } => write!(
                f,
                "{what}: not permitted. This needs the capabilities CAP_BPF and CAP_NET_ADMIN \
                 of the initial user namespace: run it as root, or with `setcap \
                 cap_bpf,cap_net_admin+ep` on the program"
            ),
            Self::NoBpfFileSystem { path } => write!(
                f,
                "{} is on no BPF file system, where programs and maps outlive this process. \
                 Mount one: `mount -t bpf bpf /sys/fs/bpf`",
                path.display()
            ),
            Self::Unsupported { what, since } => {
                write!(f, "{what}: this kernel cannot; {since} or later can")
            }
            Self::System { what, error } => write!(f, "{what}: {error}"),
            Self::Verifier { program, log } => {
                write!(f, "the kernel's verifier refuses {program}:\n{log}")
            }
            Self::Object { path, why } => write!(f, "{}: {why}", path.display()),
            Self::Table(error) => write!(f, "no table: {error}"),
            Self::TooLarge { bytes } => write!(
                f,
                "the table has {bytes} bytes; a BPF program looks through 256 MiB at most"
            ),
            Self::Outside { at } => write!(f, "a write at {at} lies outside of the table"),
            Self::Overflow(overflow) => overflow.fmt(f),
            Self::NotLoaded { what } => {
                write!(
                    f,
                    "{what} is not loaded; `netverdict datapath load` loads it"
                )
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<TableError> for Error {
    fn from(error: TableError) -> Self {
        Self::Table(error)
    }
}
