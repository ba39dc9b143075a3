//! What there is to say about objects, sifted.
//!
//! In: what the library has against objects. Out: [`Finding`]s, by place.
//! Nobody is blamed for a variable that is not filled in, what only an API
//! server refuses is a warning unless asked for, and what is said many times
//! of one file is said once.

use crate::agent_config::Agent;
use crate::input::Input;
use netverdict::cluster::{
    Cluster, ClusterOptions, NAMED_PORT, NO_CIDR_GROUP, NO_NAMESPACE, NO_SERVICE, open_policies,
};
use netverdict::diagnostic::{Diagnostic, Severity};
use netverdict::object::load::{DUPLICATE, Outcome, Stage, duplicates};
use netverdict::object::template;
use netverdict::source::{Sources, Span};
use netverdict::yaml;
use netverdict_analysis::lint;
use std::path::Path;

/// The cluster that all objects of an input make together.
pub(crate) fn cluster(input: &Input, agent: &Agent) -> Cluster {
    let options = ClusterOptions {
        filter: agent.filter.clone(),
        ..ClusterOptions::default()
    };
    let mut cluster = Cluster::build(agent.config.clone(), options, input.objects().cloned());
    let open = input.files.iter().map(|f| open_policies(&f.loaded));
    cluster.set_open_policies(open.flatten().collect());
    cluster
}

/// Everything there is to say about an input and its [`cluster`], by place.
pub(crate) fn all(input: &Input, cluster: &Cluster) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for file in &input.files {
        let told = &file.loaded.diagnostics;
        found.extend(told.iter().filter(|d| !is_variable(d, input)).cloned());
        for document in &file.loaded.documents {
            if document.outcome == Outcome::Refused(Stage::Schema) {
                continue;
            }
            let schema = document.schema.iter().filter(|d| {
                let same = |t: &Diagnostic| t.severity == Severity::Error && t.span == d.span;
                !is_variable(d, input) && !told.iter().any(same)
            });
            found.extend(schema.map(only_schema));
        }
    }
    found.extend(
        duplicates(input.objects())
            .into_iter()
            .map(|d| apart(d, input)),
    );
    found.extend(together(input, cluster));
    for diagnostic in &mut found {
        // A chart is not wrong, it is not rendered.
        if diagnostic.code == yaml::TEMPLATE {
            diagnostic.severity = Severity::Warning;
        }
    }
    found.sort_by_key(|d| (d.span.source, d.span.start, d.code.number()));
    found.dedup();
    found
}

/// What is only seen when all objects are held together.
fn together(input: &Input, cluster: &Cluster) -> Vec<Diagnostic> {
    let mut found = lint::together(input.objects(), cluster);
    for diagnostic in &mut found {
        // Few repositories hold everything that a cluster does: what is not
        // there is a mistake when something of nearly that name is.
        let missing = [NO_NAMESPACE, NO_SERVICE, NAMED_PORT, NO_CIDR_GROUP];
        let help = diagnostic.help.as_deref().unwrap_or_default();
        if missing.contains(&diagnostic.code) && !help.contains("did you mean") {
            diagnostic.severity = Severity::Info;
        }
    }
    found
}

/// True for a complaint about a value that is a variable still; that it is
/// one, is said already.
fn is_variable(d: &Diagnostic, input: &Input) -> bool {
    // Through an alias, the place of a value is not where it is written.
    let quotes = template::find(&d.message).is_some();
    let covers = || text(&input.sources, d.span).is_some_and(|t| template::find(t).is_some());
    d.code != template::UNRESOLVED && d.code != yaml::TEMPLATE && (quotes || covers())
}

fn text(sources: &Sources, span: Span) -> Option<&str> {
    let text = sources.get(span.source)?.text();
    text.get(span.start as usize..span.end as usize)
}

fn only_schema(complaint: &Diagnostic) -> Diagnostic {
    let mut complaint = complaint.clone();
    complaint.severity = Severity::Warning;
    let advice = "an API server refuses this";
    complaint.help = Some(match complaint.help {
        Some(help) => format!("{advice}; {help}"),
        None => advice.to_owned(),
    });
    complaint
}

/// Objects of one name in different folders are seldom meant for one cluster.
fn apart(mut duplicate: Diagnostic, input: &Input) -> Diagnostic {
    let folder = |span: Span| {
        let source = input.sources.get(span.source)?;
        Path::new(source.name()).parent().map(Path::to_owned)
    };
    let here = folder(duplicate.span);
    if duplicate.labels.iter().any(|l| folder(l.span) != here) {
        duplicate.severity = Severity::Info;
    }
    duplicate
}

/// A diagnostic and others of its file that say the same.
#[derive(Debug)]
pub(crate) struct Finding<'d> {
    /// The first.
    pub(crate) diagnostic: &'d Diagnostic,
    /// The others.
    pub(crate) again: Vec<&'d Diagnostic>,
}

/// Joins what is said of one file in the same words, and what is said of one
/// object wherever it stands.
pub(crate) fn join<'d>(found: impl IntoIterator<Item = &'d Diagnostic>) -> Vec<Finding<'d>> {
    let mut joined: Vec<Finding<'d>> = Vec::new();
    let mut first_of_file = 0;
    for diagnostic in found {
        let in_file = |f: &Finding<'_>| f.diagnostic.span.source == diagnostic.span.source;
        if !joined.last().is_some_and(in_file) {
            first_of_file = joined.len();
        }
        let from = match diagnostic.code {
            DUPLICATE => 0,
            _ => first_of_file,
        };
        let same = joined.iter_mut().skip(from).find(|f| {
            let d = f.diagnostic;
            let variables = d.code == template::UNRESOLVED;
            d.code == diagnostic.code
                && d.severity == diagnostic.severity
                && (variables || (d.message == diagnostic.message && d.help == diagnostic.help))
        });
        match same {
            Some(finding) => finding.again.push(diagnostic),
            None => joined.push(Finding {
                diagnostic,
                again: Vec::new(),
            }),
        }
    }
    joined
}

impl Finding<'_> {
    /// Where else: `also at lines 12, 14`, with what differs.
    pub(crate) fn elsewhere(&self, sources: &Sources) -> Option<String> {
        const LISTED: usize = 6;
        let first = self.diagnostic;
        let names: Vec<String> = self
            .again
            .iter()
            .take(LISTED)
            .map(|d| {
                let position = sources.get(d.span.source).map(|s| s.position(d.span.start));
                let line = position.map_or(0, |p| p.line);
                let variable = text(sources, d.span).and_then(template::find);
                match variable {
                    _ if d.span.source != first.span.source => sources.locate(d.span),
                    Some(variable) if d.message != first.message => {
                        format!("line {line} (`{variable}`)")
                    }
                    _ => format!("line {line}"),
                }
            })
            .collect();
        let more = match self.again.len() - names.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        (!names.is_empty()).then(|| format!("also at {}{more}", names.join(", ")))
    }
}
