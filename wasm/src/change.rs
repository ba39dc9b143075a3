//! Changes of policies: what lets a flow through, what a recording says, and
//! policies for what is needed.
//!
//! In: flows, recordings, wishes. Out: values that become JSON; documents stay
//! as they are.

use crate::place::Range;
use crate::session::{Edit, Session};
use netverdict::cluster::{AskError, AskedFlow, Cluster, ObjectKey, Target};
use netverdict::object::load::load;
use netverdict::source::{SourceId, Span};
use netverdict_analysis::generate::{
    Generated, Kind, Need, Scope, behind_service, generate as write, needs_of,
};
use netverdict_analysis::json::{
    JsonEffect, JsonGenerated, JsonOpened, JsonReplay, JsonStep, JsonUnmet,
};
use netverdict_analysis::recorded::{LineAt, Recording, Seen, place, replay as ask};
use netverdict_analysis::remedy::{Remedy, Step, remedies as find};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A line that is longer holds no flow.
const MAX_LINE: usize = 1 << 20;

/// At most so many ports make a wish.
const MAX_PORTS: usize = 1 << 10;

#[derive(Debug, Serialize)]
pub(crate) struct JsRemedy {
    title: String,
    steps: Vec<JsStep>,
    beyond: Vec<JsonEffect>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum JsStep {
    Add { document: String, text: String },
    Remove { object: String, edits: Vec<Edit> },
}

#[derive(Debug, Serialize)]
pub(crate) struct JsReplay {
    #[serde(flatten)]
    replay: JsonReplay,
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct Problem {
    at: String,
    message: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JsGenerated {
    yaml: String,
    policies: Vec<JsPolicy>,
    needed: usize,
    met: usize,
    unmet: Vec<JsonUnmet>,
    opened: Vec<JsonOpened>,
    effects: Vec<JsonEffect>,
    left_out: Vec<String>,
    refused: Vec<String>,
    malformed: u64,
}

#[derive(Debug, Serialize)]
struct JsPolicy {
    workload: String,
    document: String,
    text: String,
}

/// What to write policies for: a recording, or ends and ports.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Request {
    kind: RequestKind,
    namespaces: BTreeSet<String>,
    recording: Option<String>,
    dropped: bool,
    from: String,
    to: String,
    ports: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
enum RequestKind {
    #[default]
    CiliumNetworkPolicy,
    NetworkPolicy,
}

/// Changes that let a flow through.
pub(crate) fn remedies(session: &Session, question: &str) -> Result<Vec<JsRemedy>, AskError> {
    let cluster = session.cluster();
    let found = AskedFlow::parse(question)?.find(cluster)?;
    let remedies = find(cluster, &found.flow());
    Ok(remedies.iter().map(|r| remedy(session, r)).collect())
}

fn remedy(session: &Session, remedy: &Remedy) -> JsRemedy {
    let mut taken = BTreeSet::new();
    let steps = remedy.steps.iter().map(|step| match step {
        Step::Add(text) => {
            let mut lines = text.lines();
            let name = lines.find_map(|l| l.strip_prefix("  name: "));
            JsStep::Add {
                document: free_document(session, name.unwrap_or("policy"), &mut taken),
                text: text.clone(),
            }
        }
        Step::Remove(key) => JsStep::Remove {
            object: JsonStep::object(key),
            edits: removal(session, key).into_iter().collect(),
        },
    });
    let beyond = remedy.beyond.iter();
    JsRemedy {
        title: remedy.title(),
        steps: steps.collect(),
        beyond: beyond
            .flat_map(|(pair, ports)| JsonEffect::of(pair, ports))
            .collect(),
    }
}

/// A name that no document has.
fn free_document(session: &Session, name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut free = format!("{name}.yaml");
    let mut number = 2;
    while session.documents().contains(&free) || taken.contains(&free) {
        free = format!("{name}-{number}.yaml");
        number += 1;
    }
    taken.insert(free.clone());
    free
}

/// What takes an object out of its document; tried.
fn removal(session: &Session, key: &ObjectKey) -> Option<Edit> {
    let documents = session.documents();
    let span = session.cluster().object(key)?.span();
    let source = documents.sources().get(span.source)?;
    let text = source.text();
    let (before, after) = (
        text.get(..span.start as usize)?,
        text.get(span.end as usize..)?,
    );
    let is_mark = |line: &str| line.trim_end() == "---" || line.starts_with("--- ");
    // From the mark before it to the one that follows, which stays.
    let start = before.rfind("\n---").map_or(0, |n| n + 1);
    let mut end = text.len() - after.len();
    for line in after.split_inclusive('\n') {
        if is_mark(line) {
            break;
        }
        end += line.len();
    }
    // Alone, it leaves nothing behind; the first one takes the mark with it.
    let end = match (start, text.get(end..)?.find('\n')) {
        (0, Some(mark)) => end + mark + 1,
        _ => end,
    };
    let left = [text.get(..start)?, text.get(end..)?].concat();
    let options = session.load_options();
    let keys = |text: &str| -> Vec<ObjectKey> {
        let loaded = load(SourceId(u32::MAX), text, &options);
        loaded.into_objects().map(|o| ObjectKey::of(&o)).collect()
    };
    let mut wanted = keys(text);
    wanted.retain(|k| k != key);
    let [start, end] = [start, end].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    let range = Range::new(Span::new(span.source, start, end), documents.sources());
    (keys(&left) == wanted).then_some(Edit {
        range,
        text: String::new(),
    })
}

fn read(recording: &str) -> Recording {
    let mut read = Recording::new();
    for (line, text) in (1..).zip(recording.lines()) {
        let at = LineAt { text: 0, line };
        match text.len() > MAX_LINE {
            true => read.malformed(at, "longer than any flow".to_owned()),
            false => read.line(at, text),
        }
    }
    read
}

/// Recorded flows against the policies.
pub(crate) fn replay(session: &Session, recording: &str, name: &str) -> JsReplay {
    let recording = read(recording);
    let mut cluster = session.cluster().rebuilt();
    let placement = place(&mut cluster, &recording);
    let replayed = ask(&cluster, &recording, &placement);
    let named = |at: LineAt| format!("{name}:{}", at.line);
    let problems = recording.problems().iter().map(|p| Problem {
        at: named(p.at),
        message: p.message.clone(),
    });
    JsReplay {
        replay: JsonReplay::new(&recording, &replayed, session.documents().sources(), &named),
        problems: problems.collect(),
    }
}

/// Policies for what is needed.
pub(crate) fn generate(session: &Session, request: &str) -> Result<JsGenerated, String> {
    let request: Request = serde_json::from_str(request).map_err(|e| format!("request: {e}"))?;
    let mut cluster = session.cluster().rebuilt();
    let mut scope = Scope {
        kind: match request.kind {
            RequestKind::CiliumNetworkPolicy => Kind::Cilium,
            RequestKind::NetworkPolicy => Kind::Kubernetes,
        },
        namespaces: request.namespaces.clone(),
        ..Scope::default()
    };
    let (needs, left_out, malformed) = match &request.recording {
        Some(text) => {
            let recording = read(text);
            let placement = place(&mut cluster, &recording);
            let evidence = |seen: Seen| {
                let s = if seen.flows == 1 { "" } else { "s" };
                format!("{} flow{s}, first in line {}", seen.flows, seen.first.line)
            };
            let dropped = request.dropped;
            let (needs, left_out) = needs_of(&cluster, &recording, &placement, dropped, &evidence);
            (needs, left_out, recording.malformed_rows())
        }
        None => {
            let needs = wish(&cluster, &request)?;
            if scope.namespaces.is_empty() {
                let ends = needs.iter().flat_map(|n| [&n.from.target, &n.to.target]);
                let namespaces = ends.filter_map(|target| match target {
                    Target::Endpoint(e) => Some(e.namespace.clone()),
                    _ => None,
                });
                scope.namespaces = namespaces.collect();
            }
            (needs, Vec::new(), 0)
        }
    };
    let mut generated: Generated = write(&cluster, &needs, &scope);
    generated.left_out.extend(left_out);
    let sources = session.documents().sources();
    let proved = JsonGenerated::new(&cluster, &needs, &generated, sources);
    let mut taken = BTreeSet::new();
    let policies = proved.policies.into_iter().map(|(workload, text)| {
        let name = workload.rsplit('/').next().unwrap_or_default().to_owned();
        JsPolicy {
            document: free_document(session, &name, &mut taken),
            workload,
            text,
        }
    });
    Ok(JsGenerated {
        policies: policies.collect(),
        yaml: proved.yaml,
        needed: proved.needed,
        met: proved.met,
        unmet: proved.unmet,
        opened: proved.opened,
        effects: proved.effects,
        left_out: proved.left_out,
        refused: proved.refused,
        malformed,
    })
}

fn wish(cluster: &Cluster, request: &Request) -> Result<Vec<Need>, String> {
    if request.ports.is_empty() || request.ports.len() > MAX_PORTS {
        return Err(format!("a wish has from 1 to {MAX_PORTS} `ports`"));
    }
    let needs = request.ports.iter().map(|port| {
        let asked = AskedFlow::new(&request.from, &request.to, port);
        let found = asked.find(cluster).map_err(|e| e.to_string())?;
        let port = (found.protocol, found.port);
        let need = Need::port(found.from, found.to, port, String::new());
        Ok(behind_service(cluster, need))
    });
    needs.collect()
}
