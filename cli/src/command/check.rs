//! `check`: what is wrong with policies, before a cluster says so or, worse,
//! says nothing.

use crate::agent_config::ConfigArgs;
use crate::exit::{Exit, Failure};
use crate::finding;
use crate::fix;
use crate::input::{Input, Tally};
use crate::junit::{self, Suite};
use crate::report;
use crate::sarif;
use crate::settings::AllSettings;
use crate::style::{self, count};
use crate::walk::places;
use clap::{Args, ValueEnum};
use netverdict::diagnostic::{Diagnostic, JsonDiagnostic, JsonSpan, Severity};
use netverdict::object::load::{LoadOptions, Outcome, Strictness};
use netverdict::source::SourceId;
use netverdict_analysis::lint::catalogue;
use netverdict_analysis::lint::suppression::{Sifted, sift};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

/// Find what is wrong with policies: what the API server or Cilium refuses,
/// and what is accepted but does not do what it seems to.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// Files, folders, patterns (`'**/*.yaml'`), or `-` for standard input.
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// What an API server refuses counts as an error.
    #[arg(long)]
    strict: bool,
    /// Apply the fixes that are certain.
    #[arg(long)]
    fix: bool,
    /// Say what a code means, with an example, and check nothing.
    #[arg(long, value_name = "CODE")]
    explain: Option<String>,
    /// Show findings of this severity and above.
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    min_severity: Level,
    /// Exit with status 3 on findings of this severity and above.
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    fail_on: Level,
    /// How to print.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: CheckFormat,
    #[command(flatten)]
    config: ConfigArgs,
}

/// A severity, as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Level {
    /// Worth knowing.
    Info,
    /// Accepted, but probably not what was meant.
    Warning,
    /// Refused.
    Error,
}

impl Level {
    const fn severity(self) -> Severity {
        match self {
            Self::Info => Severity::Info,
            Self::Warning => Severity::Warning,
            Self::Error => Severity::Error,
        }
    }
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// Annotations of GitHub Actions.
    Github,
    /// SARIF 2.1.0, for code hosts and editors.
    Sarif,
    /// JUnit's XML, for build servers.
    Junit,
}

/// What was read, and what there is to say of it.
struct Checked {
    input: Input,
    found: Vec<Diagnostic>,
    /// What comments keep quiet, with their reasons.
    suppressed: Vec<(Diagnostic, String)>,
}

/// Checks, prints, and says whether there was something.
pub(crate) fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    if let Some(code) = &args.explain {
        return explain(code);
    }
    let mut checked = examine(args)?;
    if args.fix {
        let fixed = fix::apply(&checked.input, &checked.found)?;
        if fixed > 0 {
            anstream::eprintln!("fixed {}", count(fixed, "finding"));
            checked = examine(args)?;
        }
    }
    let Checked {
        input,
        found,
        suppressed,
    } = checked;
    for failure in &input.failures {
        failure.print();
    }
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        CheckFormat::Text => print_text(&mut out, args, &input, &found)?,
        CheckFormat::Json => print_json(&mut out, args, &input, &found)?,
        CheckFormat::Github => print_github(&mut out, args, &input, &found)?,
        CheckFormat::Sarif => {
            let told: Vec<&Diagnostic> = shown(args, &found).collect();
            let log = sarif::log(&told, &suppressed, &input.sources);
            serde_json::to_writer_pretty(&mut out, &log).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        CheckFormat::Junit => print_junit(&mut out, args, &input, &found)?,
    }
    out.flush()?;
    let threshold = args.fail_on.severity();
    Ok(if !input.failures.is_empty() {
        Exit::Failed
    } else if found.iter().any(|d| d.severity >= threshold) {
        Exit::Invalid
    } else {
        Exit::Fine
    })
}

/// Says what a code means.
fn explain(code: &str) -> Result<Exit, Failure> {
    let code = code.to_uppercase();
    let all = catalogue();
    let Some(known) = all.iter().find(|e| e.code == code) else {
        let message = format!("no diagnostic has the code `{}`", style::clean(&code));
        return Err(Failure::new(message).help("codes look like `NV1001`"));
    };
    let mut out = anstream::stdout().lock();
    let (strong, faint) = (style::STRONG, style::FAINT);
    let (severity, title) = (&known.severity, &known.title);
    writeln!(out, "{strong}{code}: {title}{strong:#} ({severity})")?;
    writeln!(out, "{}", known.text)?;
    if let (Some(why), Some(fix)) = (&known.why, &known.fix) {
        writeln!(out, "\n{why}\nTo mend it: {fix}")?;
    }
    for (name, example) in [("wrong", &known.wrong), ("right", &known.right)] {
        if let Some(example) = example {
            write!(out, "\n{faint}# {name}{faint:#}\n{example}")?;
        }
    }
    Ok(Exit::Fine)
}

/// Reads everything and collects what there is to say, by place.
fn examine(args: &CheckArgs) -> Result<Checked, Failure> {
    let agent = args.config.agent()?;
    let mut options = LoadOptions::new(&agent.config);
    if args.strict {
        options.strictness = Strictness::ApiServer;
    }
    let mut places = places(&args.paths)?;
    let (settings, _) = AllSettings::read(&places, 0)?;
    places.retain(|p| !settings.leaves_out(p));
    let (settings, texts) = AllSettings::read(&places, places.len())?;
    let mut input = Input::of(&places, &options);
    let cluster = finding::cluster(&input, &agent);
    let found = finding::all(&input, &cluster);
    let ids = input.files.iter().map(|f| f.source);
    let Sifted {
        found, suppressed, ..
    } = sift(found, &input.sources, ids);
    let place_of = |id: SourceId| places.get(id.0 as usize);
    let mut found = settings.sift(found, place_of);
    found.extend(settings.found);
    for (name, text) in texts {
        input.sources.add(name, text);
    }
    found.sort_by_key(|d| (d.span.source, d.span.start, d.code.number()));
    Ok(Checked {
        input,
        found,
        suppressed,
    })
}

/// How many findings there are.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
struct Findings {
    errors: usize,
    warnings: usize,
    infos: usize,
    fixable: usize,
}

impl Findings {
    fn of(found: &[Diagnostic]) -> Self {
        let mut all = Self::default();
        for d in found {
            match d.severity {
                Severity::Error => all.errors += 1,
                Severity::Warning => all.warnings += 1,
                Severity::Info => all.infos += 1,
            }
            all.fixable += usize::from(fix::certain(d).is_some());
        }
        all
    }
}

fn shown<'f>(args: &CheckArgs, found: &'f [Diagnostic]) -> impl Iterator<Item = &'f Diagnostic> {
    let least = args.min_severity.severity();
    found.iter().filter(move |d| d.severity >= least)
}

fn print_text(
    out: &mut dyn Write,
    args: &CheckArgs,
    input: &Input,
    found: &[Diagnostic],
) -> io::Result<()> {
    for finding in finding::join(shown(args, found)) {
        let again = finding.elsewhere(&input.sources);
        report::write(out, finding.diagnostic, again.as_deref(), &input.sources)?;
        writeln!(out)?;
    }
    let Tally {
        files,
        documents,
        accepted,
        refused,
        undecided,
        skipped,
    } = input.tally();
    if documents == 0 && input.failures.is_empty() {
        let strong = style::STRONG;
        writeln!(
            out,
            "{}, {strong}no objects{strong:#}",
            count(files, "file")
        )?;
        return Ok(());
    }
    let (good, bad) = (style::GOOD, style::ERROR);
    write!(
        out,
        "{}, {}: {good}{accepted} accepted{good:#}",
        count(files, "file"),
        count(documents, "object")
    )?;
    if refused > 0 {
        write!(out, ", {bad}{refused} refused{bad:#}")?;
    }
    if undecided > 0 {
        let warning = style::WARNING;
        write!(out, ", {warning}{undecided} undecided{warning:#}")?;
    }
    if skipped > 0 {
        write!(out, ", {skipped} skipped")?;
    }
    let findings = Findings::of(found);
    let mut parts = Vec::new();
    if findings.errors > 0 {
        parts.push(count(findings.errors, "error"));
    }
    if findings.warnings > 0 {
        parts.push(count(findings.warnings, "warning"));
    }
    if findings.infos > 0 && args.min_severity == Level::Info {
        parts.push(format!("{} for information", findings.infos));
    }
    if findings.fixable > 0 {
        parts.push(format!("{} fixable with `--fix`", findings.fixable));
    }
    if parts.is_empty() {
        writeln!(out, "; nothing to complain about")
    } else {
        writeln!(out, "; {}", parts.join(", "))
    }
}

/// What became of one object, for programs.
#[derive(serde::Serialize)]
struct JsonDocument<'a> {
    #[serde(flatten)]
    span: JsonSpan,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    item: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
}

#[derive(serde::Serialize)]
struct JsonReport<'a> {
    summary: JsonSummary,
    documents: Vec<JsonDocument<'a>>,
    diagnostics: Vec<JsonDiagnostic>,
}

#[derive(serde::Serialize)]
struct JsonSummary {
    #[serde(flatten)]
    tally: Tally,
    #[serde(flatten)]
    findings: Findings,
}

fn print_json(
    out: &mut dyn Write,
    args: &CheckArgs,
    input: &Input,
    found: &[Diagnostic],
) -> io::Result<()> {
    let documents = input.files.iter().flat_map(|f| &f.loaded.documents);
    let documents = documents.map(|d| {
        let (outcome, stage) = match &d.outcome {
            Outcome::Accepted(_) => ("accepted", None),
            Outcome::Refused(stage) if d.templated => ("undecided", Some(stage.as_str())),
            Outcome::Refused(stage) => ("refused", Some(stage.as_str())),
            Outcome::Skipped(_) => ("skipped", None),
        };
        JsonDocument {
            span: JsonSpan::new(d.span, &input.sources),
            kind: &d.kind,
            namespace: &d.namespace,
            name: &d.name,
            item: &d.item,
            outcome,
            stage,
        }
    });
    let report = JsonReport {
        summary: JsonSummary {
            tally: input.tally(),
            findings: Findings::of(found),
        },
        documents: documents.collect(),
        diagnostics: shown(args, found)
            .map(|d| JsonDiagnostic::new(d, &input.sources))
            .collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

/// A suite for every file, and one for what stands in none.
fn print_junit(
    out: &mut dyn Write,
    args: &CheckArgs,
    input: &Input,
    found: &[Diagnostic],
) -> io::Result<()> {
    let mut suites: BTreeMap<SourceId, Suite<'_>> = BTreeMap::new();
    let suite = |file: String| Suite {
        file,
        found: Vec::new(),
    };
    for file in &input.files {
        suites.insert(file.source, suite(file.place.to_string()));
    }
    for diagnostic in shown(args, found) {
        let id = diagnostic.span.source;
        let name = || input.sources.get(id).map_or("", |s| s.name()).to_owned();
        let of_file = suites.entry(id).or_insert_with(|| suite(name()));
        of_file.found.push(diagnostic);
    }
    let suites: Vec<Suite<'_>> = suites.into_values().collect();
    junit::write(out, &suites, args.fail_on.severity(), &input.sources)
}

/// Workflow commands, as
/// <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>
/// has them.
fn print_github(
    out: &mut dyn Write,
    args: &CheckArgs,
    input: &Input,
    found: &[Diagnostic],
) -> io::Result<()> {
    for diagnostic in shown(args, found) {
        let d = JsonDiagnostic::new(diagnostic, &input.sources);
        let command = match d.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let mut message = d.message;
        if let Some(help) = d.help {
            message = format!("{message}\nhelp: {help}");
        }
        if !d.object.is_empty() {
            message = format!("{message}\nin {}: {}", d.object, d.path);
        }
        writeln!(
            out,
            "::{command} file={},line={},col={},endLine={},endColumn={},title={}::{}",
            github_property(&d.span.file),
            d.span.line,
            d.span.column,
            d.span.end_line,
            d.span.end_column,
            github_property(&format!("{} {}", d.code, diagnostic.code.title())),
            github_data(&message),
        )?;
    }
    Ok(())
}

pub(super) fn github_data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

pub(super) fn github_property(text: &str) -> String {
    github_data(text).replace(':', "%3A").replace(',', "%2C")
}
