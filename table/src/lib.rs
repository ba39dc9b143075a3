//! Verdict tables: may this subject exchange packets with this identity over
//! this protocol and port? Answered in a few loads, as Cilium 1.20's datapath
//! answers.
//!
//! In: the bytes of an image (`docs/table-format.md`). Out: verdicts, one by
//! one or many at once; sets of identities; the rules behind a verdict.
//! Nothing here compiles policies: `netverdict::compile` does.
//!
//! [`View::new`] checks an image once and never panics; after that lookups need
//! no checks. [`View::policy`] takes a subject's descriptor in hand, and
//! [`PolicyView::verdict`] is the hot call.
//!
//! ```no_run
//! use netverdict_table::{Direction, Question, View};
//!
//! # let bytes: Vec<u8> = Vec::new();
//! let view = View::new(&bytes)?;
//! let (tcp, port, peer) = (6, 5432, 258);
//! // One question, whoever it is about; no subject is to be treated as a drop.
//! let question = Question::new(0, Direction::Ingress, peer, tcp, port);
//! let passes = view.verdict(&question).is_some_and(|answer| answer.is_allowed());
//! // Many about one workload: take its policy in hand.
//! if let Some(policy) = view.policy(0, Direction::Ingress) {
//!     let answer = policy.verdict(peer, tcp, port);
//!     println!("{} by {:?}", answer.is_allowed(), answer.match_type());
//! }
//! # Ok::<(), netverdict_table::TableError>(())
//! ```
#![no_std]
#![deny(missing_docs)]
#![warn(clippy::undocumented_unsafe_blocks)]

extern crate alloc;

mod bits;
mod bytes;
mod check;
mod diff;
mod image;
pub mod layout;
mod lookup;
mod origin;
mod owned;
mod ports;
#[cfg(feature = "publish")]
mod publish;
mod question;
mod reach;
mod view;
mod write;

pub use bits::{ClassSet, IdentitySet, Plane};
pub use check::TableError;
pub use diff::{Change, Difference, FieldChange, Peers, SubjectChange, difference};
pub use image::{Info, hash};
pub use origin::{Origin, OriginRecord, RuleRef};
pub use owned::Image;
pub use ports::{PortRange, protocols};
#[cfg(feature = "publish")]
pub use publish::{Live, LivePolicy, PublishError, Reader};
pub use question::{Answer, Direction, MatchType, Question};
pub use reach::Reach;
pub use view::{PolicyView, View};
pub use write::Write;

/// The examples of the front page of the package are tested, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
