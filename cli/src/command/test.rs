//! `test`: expectations held against policies.

mod report;

use crate::command::check::{github_data, github_property};
use crate::exit::{Exit, Failure};
use crate::rules;
use crate::style::{self, clean};
use crate::walk::{Place, expectation_files, places};
use crate::world::{World, WorldArgs};
use anstream::eprintln;
use clap::{Args, ValueEnum};
use netverdict::source::SourceId;
use netverdict_analysis::coverage::Coverage;
use netverdict_analysis::expectation::{self, Expectations, Problem};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Hold expectations against the policies: `allow`, `deny`, `redirect` and
/// `only`, in files named `*.netverdict.yaml`.
#[derive(Args, Debug)]
pub(crate) struct TestArgs {
    /// Files of expectations; without one, every `*.netverdict.yaml` below the
    /// paths of `-f`.
    #[arg(value_name = "EXPECTATIONS")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    world: WorldArgs,
    /// List the rules that no expectation exercises.
    #[arg(long)]
    coverage: bool,
    /// Test again whenever a file changes.
    #[arg(long)]
    watch: bool,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: TestFormat,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum TestFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For CI systems that show tests.
    Junit,
    /// Annotations of GitHub Actions.
    Github,
}

/// Between two looks at the files.
const PAUSE: Duration = Duration::from_millis(300);

/// Tests, once or for ever.
pub(crate) fn run(args: &TestArgs) -> Result<Exit, Failure> {
    if !args.watch {
        return once(args);
    }
    loop {
        let before = state(args);
        if let Err(failure) = once(args) {
            failure.print();
        }
        let faint = style::FAINT;
        eprintln!("{faint}waiting for a file to change{faint:#}");
        while state(args) == before {
            std::thread::sleep(PAUSE);
        }
    }
}

/// What the files look like from outside.
fn state(args: &TestArgs) -> Vec<(PathBuf, Option<(u64, SystemTime)>)> {
    let mut paths: Vec<PathBuf> = args.files.clone();
    for found in [
        places(args.world.paths()),
        expectation_files(args.world.paths()),
    ] {
        paths.extend(found.into_iter().flatten().filter_map(|place| match place {
            Place::File(path) => Some(path),
            _ => None,
        }));
    }
    let look = |path: PathBuf| {
        let seen = std::fs::metadata(&path).ok();
        let seen = seen.and_then(|m| Some((m.len(), m.modified().ok()?)));
        (path, seen)
    };
    paths.into_iter().map(look).collect()
}

/// A file with what was expected in it.
struct Tested {
    source: SourceId,
    read: Result<Expectations, Vec<Problem>>,
}

fn once(args: &TestArgs) -> Result<Exit, Failure> {
    let mut world = args.world.open()?;
    let files: Vec<PathBuf> = match args.files.is_empty() {
        false => args.files.clone(),
        true => {
            let found = expectation_files(args.world.paths())?.into_iter();
            let paths = found.filter_map(|place| match place {
                Place::File(path) => Some(path),
                _ => None,
            });
            paths.collect()
        }
    };
    if files.is_empty() {
        return Err(Failure::new("there is nothing to test").help(
            "write expectations to a file `*.netverdict.yaml` beside the policies, or name a file",
        ));
    }
    let mut tested = Vec::new();
    for path in files {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|e| Failure::file("read", &name, &e))?;
        let source = world.sources.add(name, text.as_str());
        let read = expectation::read(source, &text);
        tested.push(Tested { source, read });
    }
    for file in &tested {
        if let Ok(expectations) = &file.read {
            expectation::prepare(&mut world.cluster, expectations);
        }
    }
    let mut coverage = Coverage::new();
    let mut results: Vec<report::FileResult<'_, '_>> = Vec::new();
    for file in &tested {
        let checked = match &file.read {
            Ok(all) => Ok(expectation::check(&mut world.cluster, all, &mut coverage)),
            Err(problems) => Err(problems.as_slice()),
        };
        results.push((file.source, checked));
    }
    let report = report::Report::new(&results, &world.sources);
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        TestFormat::Text => {
            report.text(&mut out)?;
            if args.coverage {
                writeln!(out)?;
                let exercised = coverage.rules(&world.cluster);
                rules::write(&mut out, &exercised, &world.sources, false)?;
            }
        }
        TestFormat::Json => json(&mut out, args, &report, &coverage, &world)?,
        TestFormat::Junit => report.junit(&mut out)?,
        TestFormat::Github => github(&mut out, &report)?,
    }
    out.flush()?;
    Ok(match report.failures() {
        0 => Exit::Fine,
        _ => Exit::Invalid,
    })
}

fn json(
    out: &mut dyn Write,
    args: &TestArgs,
    report: &report::Report<'_>,
    coverage: &Coverage,
    world: &World,
) -> Result<(), Failure> {
    let mut json = report.json();
    if args.coverage {
        let exercised = coverage.rules(&world.cluster);
        json["rules"] = rules::json(&exercised, &world.sources);
    }
    serde_json::to_writer_pretty(&mut *out, &json)?;
    writeln!(out)?;
    Ok(())
}

fn github(out: &mut dyn Write, report: &report::Report<'_>) -> io::Result<()> {
    for test in report.tests() {
        if test.lines.is_empty() {
            continue;
        }
        let message: Vec<String> = test.lines.iter().map(|l| clean(l).into_owned()).collect();
        writeln!(
            out,
            "::error file={},line={},col={},title={}::{}",
            github_property(&test.file),
            test.line,
            test.column,
            github_property(&test.title),
            github_data(&message.join("\n")),
        )?;
    }
    Ok(())
}
