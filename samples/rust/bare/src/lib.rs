//! Lookups without a standard library, for kernels and firmware.
#![no_std]

use netverdict_table::{Direction, Question, TableError, View};

/// Whether a packet over TCP to `subject` passes.
pub fn passes(table: &[u8], subject: u32, identity: u32, port: u16) -> Result<bool, TableError> {
    let view = View::new(table)?;
    let question = Question::new(subject, Direction::Ingress, identity, 6, port);
    Ok(view.verdict(&question).is_some_and(|answer| answer.is_allowed()))
}
