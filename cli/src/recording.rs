//! Recorded flows → a recording.
//!
//! In: files, packed or not, or standard input, line by line. Out: a [`Recording`] and the
//! names of its texts. Lines that are no flows are told on standard error.

use crate::archive;
use crate::exit::Failure;
use crate::style::{self, clean, count};
use anstream::eprintln;
use flate2::read::MultiGzDecoder;
use netverdict_analysis::recorded::{LineAt, Recording};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A line that is longer holds no flow.
const MAX_LINE: u64 = 1 << 20;

/// A recording, and where it comes from.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// What was recorded.
    pub(crate) recording: Recording,
    /// The names of the texts, in the order they were read.
    texts: Vec<String>,
}

impl Recorded {
    /// Reads files; `-` is standard input.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut recorded = Self {
            recording: Recording::new(),
            texts: Vec::new(),
        };
        for path in paths {
            if path == Path::new("-") {
                recorded.text("<stdin>", &mut io::stdin().lock())?;
            } else if archive::is_archive(path) {
                let limit = u64::from(u32::MAX);
                for (name, bytes) in archive::read(path, &archive::is_recording, limit)? {
                    let name = format!("{}:{name}", path.display());
                    recorded.text(&name, &mut bytes.as_slice())?;
                }
            } else if path.extension().is_some_and(|e| e == "gz") {
                let name = path.display().to_string();
                let file = File::open(path).map_err(|e| Failure::file("read", &name, &e))?;
                let unpacked = MultiGzDecoder::new(BufReader::new(file));
                recorded.text(&name, &mut BufReader::new(unpacked))?;
            } else {
                let name = path.display().to_string();
                let file = File::open(path).map_err(|e| Failure::file("read", &name, &e))?;
                recorded.text(&name, &mut BufReader::new(file))?;
            }
        }
        Ok(recorded)
    }

    /// Reads lines that were given as an argument.
    pub(crate) fn of_line(line: &str) -> Self {
        let mut recorded = Self {
            recording: Recording::new(),
            texts: vec!["<argument>".to_owned()],
        };
        for (n, line) in (1..).zip(line.lines()) {
            recorded.recording.line(LineAt { text: 0, line: n }, line);
        }
        recorded
    }

    fn text(&mut self, name: &str, from: &mut dyn BufRead) -> Result<(), Failure> {
        let text = self.texts.len();
        self.texts.push(name.to_owned());
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            let at = LineAt { text, line };
            let failed = |e| Failure::file("read", name, &e);
            let read = from.take(MAX_LINE).read_until(b'\n', &mut bytes);
            if read.map_err(failed)? == 0 {
                break;
            }
            if bytes.last() != Some(&b'\n') && bytes.len() as u64 == MAX_LINE {
                let message = "longer than any flow".to_owned();
                self.recording.malformed(at, message);
                pass_line(from).map_err(failed)?;
                continue;
            }
            match std::str::from_utf8(&bytes) {
                Ok(line) => self.recording.line(at, line),
                Err(_) => self.recording.malformed(at, "not UTF-8".to_owned()),
            }
        }
        Ok(())
    }

    /// `file:line`.
    pub(crate) fn place(&self, at: LineAt) -> String {
        let name = self.texts.get(at.text).map_or("?", String::as_str);
        format!("{}:{}", clean(name), at.line)
    }

    /// Tells what in it is no flow, and what says nothing about policy.
    pub(crate) fn tell(&self) {
        const LISTED: usize = 5;
        let (red, yellow) = (style::ERROR, style::WARNING);
        let all = self.recording.malformed_rows();
        for problem in self.recording.problems().iter().take(LISTED) {
            let place = self.place(problem.at);
            eprintln!("{red}error{red:#}: {place}: {}", clean(&problem.message));
        }
        if all > LISTED as u64 {
            eprintln!("{red}error{red:#}: {all} lines are no flows; these are the first");
        }
        let skipped = self.recording.skipped();
        if skipped.unsaid.flows > 0 {
            let place = self.place(skipped.unsaid.first);
            let flows = flows(skipped.unsaid.flows);
            eprintln!(
                "{yellow}warning{yellow:#}: passed over {flows} that may be replies: `is_reply` \
                 is missing (first {place}); record that field, too"
            );
        }
        if skipped.too_many > 0 {
            let flows = flows(skipped.too_many);
            eprintln!(
                "{yellow}warning{yellow:#}: passed over {flows} of connections beyond the first {}",
                netverdict_analysis::recorded::MAX_CONNECTIONS
            );
        }
    }
}

/// `1 flow`, `12 flows`.
pub(crate) fn flows(n: u64) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), "flow")
}

/// Reads up to the end of the line.
fn pass_line(from: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let some = from.fill_buf()?;
        if some.is_empty() {
            return Ok(());
        }
        let end = some.iter().position(|b| *b == b'\n');
        let read = end.map_or(some.len(), |n| n + 1);
        from.consume(read);
        if end.is_some() {
            return Ok(());
        }
    }
}
