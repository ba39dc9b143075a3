//! What a table says otherwise than the maps.

use crate::identity::NumericIdentity;
use crate::policy_map::{Key, L4Key, Precedence};
use crate::rule::{Direction, protocol};
use netverdict_table::{Answer, TableError};
use std::fmt;

/// A difference between a table and the policies it should be of.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes are no table.
    Image(TableError),
    /// A number of the header, or of a list, is another.
    Header {
        /// What number.
        what: &'static str,
        /// What it should be.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// There is no such subject.
    NoSubject {
        /// The subject.
        subject: u32,
    },
    /// Nobody compared this subject's policy.
    Unproven {
        /// The subject.
        subject: u32,
    },
    /// An index finds another subject.
    Index {
        /// What by: `endpoint` or `identity`.
        index: &'static str,
        /// Whom.
        key: u32,
        /// The right subject.
        expected: Option<u32>,
        /// The one found.
        found: Option<u32>,
    },
    /// A number of a policy is another; for classes, a lookup finds another
    /// than the image has there.
    Misread {
        /// The subject.
        subject: u32,
        /// Traffic to or from it.
        direction: Direction,
        /// What number.
        what: &'static str,
        /// Of which identity or port.
        of: u32,
        /// What it should be.
        expected: u32,
        /// What it is.
        found: u32,
    },
    /// A flow gets another answer.
    Verdict(Box<Counterexample>),
    /// An identity's entries, or the rules behind one, are others.
    Origin {
        /// The subject.
        subject: u32,
        /// Traffic to or from it.
        direction: Direction,
        /// An identity whose origins these are.
        identity: u32,
        /// The entry that is missing or should be another.
        expected: Option<String>,
        /// The one found.
        found: Option<String>,
    },
}

/// A flow whose answer is another.
#[derive(Clone, Debug, PartialEq)]
pub struct Counterexample {
    /// The subject.
    pub subject: u32,
    /// Traffic to or from it.
    pub direction: Direction,
    /// The other side.
    pub identity: u32,
    /// IP protocol number.
    pub protocol: u8,
    /// Destination port, or ICMP type.
    pub port: u16,
    /// What the map says.
    pub expected: Answer,
    /// What the table says.
    pub found: Answer,
    /// The entry of the map that decides.
    pub winner: Option<Winner>,
}

/// A deciding entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Winner {
    /// Identity of its key.
    pub identity: u32,
    /// Protocol and port of its key.
    pub l4: L4Key,
    /// What it outranks others by.
    pub precedence: Precedence,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(error) => error.fmt(f),
            Self::Header {
                what,
                expected,
                found,
            } => write!(f, "{what}: expected {expected}, found {found}"),
            Self::NoSubject { subject } => write!(f, "there is no subject {subject}"),
            Self::Unproven { subject } => {
                write!(f, "nothing says what the policy of subject {subject} is")
            }
            Self::Index {
                index,
                key,
                expected,
                found,
            } => write!(
                f,
                "{index} {key}: expected {}, found {}",
                Subject(*expected),
                Subject(*found)
            ),
            Self::Misread {
                subject,
                direction,
                what,
                of,
                expected,
                found,
            } => write!(
                f,
                "{direction} of subject {subject}, {what} of {of}: expected {expected}, found {found}"
            ),
            Self::Verdict(example) => example.fmt(f),
            Self::Origin {
                subject,
                direction,
                identity,
                expected,
                found,
            } => write!(
                f,
                "{direction} of subject {subject}, entries of identity {identity}: expected {}, found {}",
                expected.as_deref().unwrap_or("none"),
                found.as_deref().unwrap_or("none"),
            ),
        }
    }
}

impl std::error::Error for Fault {}

struct Subject(Option<u32>);

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => write!(f, "subject {number}"),
            None => f.write_str("no subject"),
        }
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let preposition = match self.direction {
            Direction::Ingress => "from",
            Direction::Egress => "to",
        };
        let name = protocol::name(self.protocol).filter(|_| self.protocol != 0);
        let name = name.map_or_else(
            || format!("protocol {}", self.protocol),
            |name| format!("{}/{name}", self.port),
        );
        write!(
            f,
            "{} of subject {} {preposition} identity {}, {name}: expected {}, found {}",
            self.direction,
            self.subject,
            self.identity,
            Words(&self.expected),
            Words(&self.found)
        )?;
        if let Some(winner) = self.winner {
            let key = Key {
                direction: self.direction,
                identity: NumericIdentity(winner.identity),
                l4: winner.l4,
            };
            write!(
                f,
                " (by entry {key}, precedence {:#010x})",
                winner.precedence.0
            )?;
        }
        Ok(())
    }
}

/// An answer in words.
struct Words<'a>(&'a Answer);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let a = self.0;
        let verdict = match a.code() {
            0 if a.proxy_port() != 0 => "redirect",
            0 => "allow",
            -181 => "deny",
            -189 => "auth-required",
            _ => "default-deny",
        };
        write!(f, "{verdict} ({:?}", a.match_type())?;
        if a.proxy_port() != 0 {
            write!(f, ", proxy port {}", a.proxy_port())?;
        }
        if a.auth_type() != 0 {
            write!(f, ", authentication {}", a.auth_type())?;
        }
        if let Some(bits) = a.auth_donor() {
            write!(f, " inherited from a prefix of {bits}")?;
        }
        if a.cookie() != 0 {
            write!(f, ", cookie {}", a.cookie())?;
        }
        f.write_str(")")
    }
}
