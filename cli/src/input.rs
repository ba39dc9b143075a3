//! Files → objects.
//!
//! In: the places to read. Out: every source with what was loaded from it, in
//! the order of the places. Files are read and loaded by as many threads as
//! there are processors; each file by one.

use crate::exit::Failure;
use crate::progress::Progress;
use crate::walk::{Place, places};
use netverdict::object::Object;
use netverdict::object::load::{LoadOptions, Loaded, Outcome, Stage, load};
use netverdict::source::{SourceId, Sources, Span};
use netverdict::yaml;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// The texts.
    pub(crate) sources: Sources,
    /// What was loaded from each.
    pub(crate) files: Vec<LoadedFile>,
    /// What could not be read.
    pub(crate) failures: Vec<Failure>,
}

/// One source and what became of it.
#[derive(Debug)]
pub(crate) struct LoadedFile {
    /// Where it is.
    pub(crate) place: Place,
    /// Its source.
    pub(crate) source: SourceId,
    /// Spans count the bytes of the file as it is.
    pub(crate) exact: bool,
    /// Its objects and complaints.
    pub(crate) loaded: Loaded,
}

/// How many documents there are, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Tally {
    /// Sources read.
    pub(crate) files: usize,
    /// Objects in them.
    pub(crate) documents: usize,
    /// Objects that take part.
    pub(crate) accepted: usize,
    /// Objects that were refused.
    pub(crate) refused: usize,
    /// Objects that depend on variables that are not filled in.
    pub(crate) undecided: usize,
    /// Objects that have nothing to do with policy.
    pub(crate) skipped: usize,
}

impl Input {
    /// Reads and loads all that the arguments mean.
    ///
    /// # Errors
    /// When an argument means nothing. Files that cannot be read are in
    /// [`Self::failures`].
    pub(crate) fn read(paths: &[PathBuf], options: &LoadOptions<'_>) -> Result<Self, Failure> {
        Ok(Self::of(&places(paths)?, options))
    }

    /// Reads and loads these places.
    pub(crate) fn of(places: &[Place], options: &LoadOptions<'_>) -> Self {
        let mut input = Self::default();
        for (place, read) in places.iter().zip(read_all(places, options)) {
            match read {
                Ok(read) => {
                    let source = input.sources.add(place.to_string(), read.text);
                    input.files.push(LoadedFile {
                        place: place.clone(),
                        source,
                        exact: read.exact,
                        loaded: read.loaded,
                    });
                }
                Err(error) => {
                    // Keeps the numbers of the sources that follow.
                    input.sources.add(place.to_string(), "");
                    let failure = Failure::file("read", place, &error);
                    input.failures.push(failure);
                }
            }
        }
        input
    }

    /// Loads texts, each with the name it has instead of a file.
    pub(crate) fn of_texts(texts: Vec<(String, String)>, options: &LoadOptions<'_>) -> Self {
        let mut input = Self::default();
        for (name, text) in texts {
            let source = input.sources.add(name.as_str(), text.as_str());
            input.files.push(LoadedFile {
                place: Place::File(PathBuf::from(name)),
                source,
                exact: true,
                loaded: load(source, &text, options),
            });
        }
        input
    }

    /// How many documents there are.
    pub(crate) fn tally(&self) -> Tally {
        let mut tally = Tally {
            files: self.files.len(),
            ..Tally::default()
        };
        for document in self.files.iter().flat_map(|f| &f.loaded.documents) {
            tally.documents += 1;
            match document.outcome {
                Outcome::Accepted(_) => tally.accepted += 1,
                Outcome::Refused(_) if document.templated => tally.undecided += 1,
                Outcome::Refused(_) => tally.refused += 1,
                Outcome::Skipped(_) => tally.skipped += 1,
            }
        }
        tally
    }

    /// The accepted objects.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.files.iter().flat_map(|f| f.loaded.objects())
    }
}

struct ReadFile {
    text: String,
    exact: bool,
    loaded: Loaded,
}

fn read_all(places: &[Place], options: &LoadOptions<'_>) -> Vec<io::Result<ReadFile>> {
    let next = AtomicUsize::new(0);
    let progress = Progress::on_terminal("reading", "files", places.len());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut done = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(place) = places.get(i) else {
                return done;
            };
            done.push((i, read(place, source_id(i), options)));
            progress.step();
        }
    };
    let mut all: Vec<(usize, io::Result<ReadFile>)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(places.len()))
            .map(|_| scope.spawn(work))
            .collect();
        let mut all = work();
        for other in others {
            match other.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_unstable_by_key(|(i, _)| *i);
    all.into_iter().map(|(_, read)| read).collect()
}

/// The texts of the files that arguments mean, with their names.
pub(crate) fn texts(paths: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    let mut all = Vec::new();
    for place in places(paths)? {
        let bytes = bytes_of(&place, u64::MAX).map_err(|e| Failure::file("read", &place, &e))?;
        all.push((
            place.to_string(),
            String::from_utf8_lossy(&bytes).into_owned(),
        ));
    }
    Ok(all)
}

/// What a place holds, at most so many bytes of it.
fn bytes_of(place: &Place, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match place {
        Place::File(path) => File::open(path)?.take(limit).read_to_end(&mut bytes)?,
        Place::Stdin => io::stdin().lock().take(limit).read_to_end(&mut bytes)?,
        Place::Member { bytes: own, .. } => own.as_slice().take(limit).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

fn source_id(index: usize) -> SourceId {
    SourceId(u32::try_from(index).unwrap_or(u32::MAX))
}

fn read(place: &Place, source: SourceId, options: &LoadOptions<'_>) -> io::Result<ReadFile> {
    // One byte more than is taken in, so that the limit is noticed.
    let bytes = bytes_of(place, options.limits.yaml.max_bytes as u64 + 1)?;
    let decoded = yaml::decode_utf8(source, &bytes).map(std::borrow::Cow::into_owned);
    match decoded {
        Ok(text) => {
            let loaded = load(source, &text, options);
            let exact = text.as_bytes() == bytes;
            Ok(ReadFile {
                text,
                exact,
                loaded,
            })
        }
        Err(diagnostic) => {
            // What is not text is one document that was refused.
            let document = netverdict::object::load::DocumentReport {
                index: 0,
                item: String::new(),
                kind: String::new(),
                namespace: String::new(),
                name: String::new(),
                span: Span::new(source, 0, 0),
                outcome: Outcome::Refused(Stage::Yaml),
                schema: Vec::new(),
                templated: false,
            };
            Ok(ReadFile {
                text: String::from_utf8_lossy(&bytes).into_owned(),
                exact: false,
                loaded: Loaded {
                    documents: vec![document],
                    diagnostics: vec![*diagnostic],
                },
            })
        }
    }
}
