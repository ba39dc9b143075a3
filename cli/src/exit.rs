//! Exit codes, and failures that end a command before it has an answer.

use crate::style;
use anstream::eprintln;
use std::fmt::Display;
use std::io;
use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Fine, or allowed.
    Fine,
    /// Wrong usage, or input or output failed.
    Failed,
    /// The flow is dropped.
    Denied,
    /// Input is invalid, or there are findings.
    Invalid,
    /// What was compared differs.
    Differs,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Failed => 1,
            Exit::Denied => 2,
            Exit::Invalid => 3,
            Exit::Differs => 4,
        })
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What is wrong.
    message: String,
    /// What to do about it.
    help: Option<String>,
    /// How the command ends.
    pub(crate) exit: Exit,
}

impl Failure {
    /// Wrong usage, or a failure of input or output.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            exit: Exit::Failed,
        }
    }

    /// Adds advice.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Ends the command in another way than [`Exit::Failed`].
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(what: &str, name: impl Display, error: &io::Error) -> Self {
        Self::new(format!("cannot {what} `{name}`: {error}"))
    }

    /// Prints it to standard error. A reader that went away is no news.
    pub(crate) fn print(&self) {
        if self.message.is_empty() {
            return;
        }
        let (red, bold) = (style::ERROR, style::STRONG);
        eprintln!(
            "{red}error{red:#}{bold}:{bold:#} {}",
            style::clean(&self.message)
        );
        if let Some(help) = &self.help {
            eprintln!("  {bold}help:{bold:#} {}", style::clean(help));
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new("");
        }
        Self::new(format!("output failed: {error}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        io::Error::from(error).into()
    }
}
