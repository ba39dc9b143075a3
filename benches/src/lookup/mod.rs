//! How long a verdict takes: tables of netverdict beside everything else that
//! could answer the same questions.
//!
//! In: [`world`]s, each a few subjects with what their policies compile to.
//! Out: nanoseconds per question, for questions that wait for the answer before
//! ([`dependent`]) and for questions that do not ([`independent`]). Every
//! contender gives the same answers; [`agree`] sees to it before anything is
//! measured.

pub mod classes;
pub mod contest;
pub mod maps;
pub mod report;
pub mod world;

use netverdict_table::Answer;

/// A question, as small as it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Whose policy, by number.
    pub subject: u32,
    /// The other side.
    pub identity: u32,
    /// Destination port.
    pub port: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// From the subject.
    pub egress: bool,
}

impl Ask {
    /// The same question, but it cannot be asked before `answer` is there:
    /// `zero` is 0, which the compiler does not know.
    #[inline(always)]
    const fn after(self, answer: u64, zero: u32) -> Self {
        let nothing = answer as u32 & zero;
        Self {
            subject: self.subject ^ nothing,
            identity: self.identity ^ nothing,
            port: self.port ^ nothing as u16,
            ..self
        }
    }
}

/// Something that answers: the first eight bytes of a verdict entry, which are
/// everything but the cookie.
pub trait Tables {
    /// The answer.
    fn ask(&self, ask: &Ask) -> u64;
}

/// The part of an answer that contenders are compared by.
#[inline(always)]
#[must_use]
pub const fn answer_bits(answer: Answer) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = answer.to_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Asks one question after the other, each changed by the answer before.
#[inline(never)]
pub fn dependent<T: Tables + ?Sized>(tables: &T, asks: &[Ask], zero: u32) -> u64 {
    let mut answer = 0;
    let mut sum = 0u64;
    for ask in asks {
        answer = tables.ask(&ask.after(answer, zero));
        sum = sum.wrapping_add(answer);
    }
    sum
}

/// Asks questions that have nothing to do with each other.
#[inline(never)]
pub fn independent<T: Tables + ?Sized>(tables: &T, asks: &[Ask], answers: &mut [u64]) {
    for (ask, answer) in asks.iter().zip(answers) {
        *answer = tables.ask(ask);
    }
}

/// Sees that a contender gives the answers expected, as far as it tells them
/// apart.
///
/// # Panics
/// When it does not.
pub fn agree<T: Tables + ?Sized>(
    name: &str,
    tables: &T,
    asks: &[Ask],
    expected: &[u64],
    tells: impl Fn(u64) -> u64,
) {
    for (ask, expected) in asks.iter().zip(expected) {
        let (found, expected) = (tables.ask(ask), tells(*expected));
        assert!(
            found == expected,
            "{name} says {found:x} instead of {expected:x} to {ask:?}"
        );
    }
}
