//! Messages of an editor → answers and notices.

use super::position::{location, offset, path, position, range, uri};
use super::workspace::Workspace;
use crate::agent_config::Agent;
use netverdict::diagnostic::{Diagnostic, Severity};
use netverdict_analysis::editor::{self, ProposalKind};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Codes of JSON-RPC.
const METHOD_NOT_FOUND: i64 = -32601;

/// A conversation.
pub(super) struct Server {
    workspace: Workspace,
    shut: bool,
    ended: Option<bool>,
}

impl Server {
    /// At its beginning.
    pub(super) fn new(agent: Agent) -> Self {
        Self {
            workspace: Workspace::new(agent),
            shut: false,
            ended: None,
        }
    }

    /// Whether it has ended, and if so whether in order.
    pub(super) const fn ended(&self) -> Option<bool> {
        self.ended
    }

    /// Everything to send because of a message.
    pub(super) fn handle(&mut self, message: &Value) -> Vec<Value> {
        let method = message
            .get("method")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let nothing = Value::Null;
        let params = message.get("params").unwrap_or(&nothing);
        let Some(id) = message.get("id") else {
            return self.notice(method, params);
        };
        let result = match method {
            "initialize" => Some(self.initialize(params)),
            "shutdown" => {
                self.shut = true;
                Some(Value::Null)
            }
            "textDocument/hover" => Some(self.hover(params).unwrap_or_default()),
            "textDocument/completion" => Some(self.completion(params).unwrap_or_default()),
            "textDocument/definition" => Some(self.definition(params).unwrap_or_default()),
            "textDocument/codeAction" => Some(self.actions(params).unwrap_or_default()),
            // An answer to something that was asked; nothing is.
            "" => return Vec::new(),
            _ => None,
        };
        vec![match result {
            Some(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            None => json!({
                "jsonrpc": "2.0",
                "id": id,
                "error": { "code": METHOD_NOT_FOUND, "message": format!("no method `{method}`") },
            }),
        }]
    }

    fn initialize(&mut self, params: &Value) -> Value {
        let folder = params.pointer("/workspaceFolders/0/uri");
        let folder = folder.or_else(|| params.get("rootUri"));
        if let Some(root) = folder.and_then(Value::as_str).and_then(path) {
            self.workspace.set_root(root);
        }
        json!({
            "serverInfo": { "name": "netverdict", "version": env!("CARGO_PKG_VERSION") },
            "capabilities": {
                "positionEncoding": "utf-16",
                "textDocumentSync": { "openClose": true, "change": 1, "save": true },
                "hoverProvider": true,
                "completionProvider": { "triggerCharacters": [" ", ":", "\""] },
                "definitionProvider": true,
                "codeActionProvider": { "codeActionKinds": ["quickfix"] },
            },
        })
    }

    fn notice(&mut self, method: &str, params: &Value) -> Vec<Value> {
        let own = || document(params);
        match method {
            "textDocument/didOpen" => {
                let text = params.pointer("/textDocument/text").and_then(Value::as_str);
                self.typed(own(), text)
            }
            "textDocument/didChange" => {
                let changes = params.get("contentChanges").and_then(Value::as_array);
                let last = changes.and_then(|c| c.last()).and_then(|c| c.get("text"));
                self.typed(own(), last.and_then(Value::as_str))
            }
            "textDocument/didClose" => {
                let Some(path) = own() else { return Vec::new() };
                self.workspace.close(&path);
                let mut notices = self.publish();
                notices.push(findings(&path, Vec::new()));
                notices
            }
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => {
                self.workspace.reread();
                self.publish()
            }
            "exit" => {
                self.ended = Some(self.shut);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn typed(&mut self, path: Option<PathBuf>, text: Option<&str>) -> Vec<Value> {
        let (Some(path), Some(text)) = (path, text) else {
            return Vec::new();
        };
        self.workspace.open(path, text.to_owned());
        self.publish()
    }

    /// The findings about all that is open: a change may concern any of it.
    fn publish(&self) -> Vec<Value> {
        let paths = self.workspace.paths();
        paths
            .filter_map(|path| {
                let (source, text) = self.workspace.text(path)?;
                let found = self.workspace.found(source);
                let found = found.map(|d| self.finding(d, text));
                Some(findings(path, found.collect()))
            })
            .collect()
    }

    fn finding(&self, d: &Diagnostic, text: &str) -> Value {
        let severity = match d.severity {
            Severity::Error => 1,
            Severity::Warning => 2,
            Severity::Info => 3,
        };
        let message = match &d.help {
            Some(help) => format!("{}\n{help}", d.message),
            None => d.message.clone(),
        };
        let sources = &self.workspace.input().sources;
        let related = d.labels.iter().filter_map(|l| {
            let path = self.workspace.path_of(l.span.source)?;
            let location = location(sources, l.span, path)?;
            Some(json!({ "location": location, "message": l.message }))
        });
        json!({
            "range": range(text, d.span),
            "severity": severity,
            "code": d.code.to_string(),
            "source": "netverdict",
            "message": message,
            "relatedInformation": related.collect::<Vec<_>>(),
        })
    }

    fn hover(&self, params: &Value) -> Option<Value> {
        let (source, text) = self.workspace.text(&document(params)?)?;
        let offset = offset(text, params.get("position")?)?;
        let shown = editor::hover(self.workspace.cluster(), source, text, offset)?;
        let at = |byte: usize| position(text, byte);
        Some(json!({
            "contents": { "kind": "markdown", "value": shown.text },
            "range": { "start": at(shown.place.start), "end": at(shown.place.end) },
        }))
    }

    fn completion(&self, params: &Value) -> Option<Value> {
        let (_, text) = self.workspace.text(&document(params)?)?;
        let offset = offset(text, params.get("position")?)?;
        let proposals = editor::complete(self.workspace.cluster(), text, offset);
        let place = json!({
            "start": position(text, proposals.place.start),
            "end": position(text, proposals.place.end),
        });
        let items = proposals.all.into_iter().map(|p| {
            let key = p.kind == ProposalKind::Key;
            json!({
                "label": p.text,
                "kind": if key { 5 } else { 12 },
                "documentation": p.doc,
                "textEdit": { "range": place, "newText": p.insert },
            })
        });
        Some(items.collect())
    }

    fn definition(&self, params: &Value) -> Option<Value> {
        let (_, text) = self.workspace.text(&document(params)?)?;
        let offset = offset(text, params.get("position")?)?;
        let spans = editor::definition(self.workspace.cluster(), text, offset).into_iter();
        let places = spans.filter_map(|span| {
            let path = self.workspace.path_of(span.source)?;
            location(&self.workspace.input().sources, span, path)
        });
        Some(places.collect())
    }

    /// The fixes of findings that a range touches.
    fn actions(&self, params: &Value) -> Option<Value> {
        let path = document(params)?;
        let (source, text) = self.workspace.text(&path)?;
        let start = offset(text, params.pointer("/range/start")?)?;
        let end = offset(text, params.pointer("/range/end")?)?;
        let touched = self
            .workspace
            .found(source)
            .filter(|d| d.span.start as usize <= end && start <= d.span.end as usize);
        let actions = touched.flat_map(|d| {
            d.fixes.iter().filter_map(|fix| {
                let own = fix.edits.iter().all(|(span, _)| span.source == source);
                let edits = fix.edits.iter();
                let edits =
                    edits.map(|(span, new)| json!({ "range": range(text, *span), "newText": new }));
                own.then(|| {
                    json!({
                        "title": fix.title,
                        "kind": "quickfix",
                        "isPreferred": fix.machine_applicable,
                        "diagnostics": [self.finding(d, text)],
                        "edit": { "changes": { uri(&path): edits.collect::<Vec<_>>() } },
                    })
                })
            })
        });
        Some(actions.collect())
    }
}

fn document(params: &Value) -> Option<PathBuf> {
    path(params.pointer("/textDocument/uri")?.as_str()?)
}

fn findings(path: &std::path::Path, found: Vec<Value>) -> Value {
    json!({
        "jsonrpc": "2.0",
        "method": "textDocument/publishDiagnostics",
        "params": { "uri": uri(path), "diagnostics": found },
    })
}
