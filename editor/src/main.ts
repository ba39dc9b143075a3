// The editor: its parts made and put together.

import "./style/theme.css";
import "./style/shell.css";
import type { Diagnostic, Edit, Fix, Range } from "netverdict";
import { examples } from "virtual:examples";
import type { Saved, Selection, Shell, Snapshot } from "./contract";
import { EngineClient } from "./engine/client";
import { startWorker } from "./engine/start";
import { FileList, ordered } from "./files/list";
import { make } from "./shell/element";
import { noticeElements, say, warn } from "./shell/notice";
import { splitter } from "./shell/splitter";
import { Tabs } from "./shell/tabs";
import { DocumentStore } from "./state/documents";
import { applyEdits } from "./text/change";
import { counted, Problems } from "./text/problems";
import { TextEditor } from "./text/editor";
import { views } from "./view/index";

const store = new DocumentStore();
let active: string | null = null;
let diagnostics: readonly Diagnostic[] = [];
let snapshot: Snapshot | undefined;
let revision = 0;
const saved: Saved[] = [];

const engine = new EngineClient(startWorker, {
  diagnosed(of, found) {
    if (of !== revision) return;
    diagnostics = found;
    showDiagnostics();
  },
  snapshot(found) {
    snapshot = found;
    tabs.current?.show(found);
  },
  broken(message, restarted) {
    warn(`The engine stopped: ${message}. ${restarted ? "It was started anew." : "Your texts are kept."}`);
  },
});

function open(name: string | null): void {
  active = name;
  text.open(name, name === null ? "" : store.all.get(name));
  showDiagnostics();
}

function showDiagnostics(): void {
  files.show(ordered(store.all.keys()), active, diagnostics);
  problems.show(diagnostics, active);
  text.diagnose(diagnostics);
  status.textContent = counted(diagnostics);
}

function fix({ title, edits }: Fix): void {
  shell.edit(edits, title);
}

const shell: Shell = {
  engine,
  select(what: Selection, view?: string) {
    for (const one of all) one.select?.(what);
    if (view !== undefined) tabs.bring(view);
  },
  reveal(range: Range, mark = false) {
    if (!store.all.has(range.document)) return;
    open(range.document);
    text.reveal(range.start.offset, range.end.offset, mark);
  },
  edit(edits: readonly Edit[], title: string) {
    const changed = applyEdits(store.all, edits);
    if (changed) store.step(title, changed);
    else say("The text has changed meanwhile; try again.");
  },
  create(name, content) {
    const unused = store.unused(name);
    store.step(`new ${unused}`, [[unused, content]]);
    open(unused);
  },
  documents: () => store.all,
  saved: () => saved,
};

const text = new TextEditor({
  typed: (name, now) => store.type(name, now),
  undo: () => void store.undo(),
  redo: () => void store.redo(),
  fix,
  extensions: () => [],
});
const problems = new Problems({ reveal: (range) => (shell.reveal(range), text.focus()), fix });
const files = new FileList({ open, rename: () => {}, remove: () => {}, unsaved: () => false });
const all = views.map((view) => view(shell));
const tabs = new Tabs(all, localStorage.getItem("netverdict.view"), (view) => {
  localStorage.setItem("netverdict.view", view.id);
  if (snapshot) view.show(snapshot);
});
const status = make("span", { class: "status", role: "status" });

store.onChange(({ differences, origin }) => {
  revision = engine.change(differences.map(({ name, after }) => [name, after] as const));
  if (origin === "typing") return;
  const touched = differences.find(({ name }) => name === active);
  if (touched && touched.after !== null) text.replace(touched.after);
  else if (touched) open(ordered(store.all.keys())[0] ?? null);
  files.show(ordered(store.all.keys()), active, diagnostics);
});

document.body.append(
  make("header", { class: "top" }, make("h1", { class: "brand" }, "netverdict"), status),
  ...noticeElements,
  make(
    "main",
    { class: "work" },
    make("div", { class: "left" }, make("nav", { class: "files", "aria-label": "Files" }, files.element), make("div", { class: "write" }, text.element, problems.element)),
    splitter("Width of the text", "--left", "x", 52, 20, 80),
    tabs.element,
  ),
);

const first = examples.find(({ name }) => name === "three-tier");
if (first) {
  store.load(new Map(first.documents));
  open(first.documents[0]?.[0] ?? null);
}
