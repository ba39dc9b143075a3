// The editor: its parts made and put together.

import "./style/theme.css";
import "./style/shell.css";
import "./style/parts.css";
import { EngineClient } from "./engine/client";
import { scriptAddress, startWorker } from "./engine/start";
import { FileList } from "./files/list";
import { dropped, lineFeeds } from "./files/read";
import { Bar } from "./shell/bar";
import { Desk } from "./shell/desk";
import { make } from "./shell/element";
import { noticeElements, say, warn } from "./shell/notice";
import { splitter } from "./shell/splitter";
import { startElement } from "./shell/start";
import { storyElement } from "./shell/story";
import { Tabs } from "./shell/tabs";
import { Folder } from "./state/folder";
import { readFragment } from "./state/link";
import { recall, remember } from "./state/remember";
import { Workspace } from "./state/workspace";
import { TextEditor } from "./text/editor";
import { knowing } from "./text/knowing";
import { Problems } from "./text/problems";
import { views } from "./view/index";

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const workspace = await Workspace.open((error) => warn(`This browser does not keep your texts: ${message(error)}. Download them before you leave.`));

const engine = new EngineClient(startWorker, {
  diagnosed(revision, diagnostics) {
    if (desk.diagnosed(revision, diagnostics)) text.diagnose(diagnostics);
  },
  snapshot(snapshot) {
    desk.snapshot = snapshot;
    tabs.current?.show(snapshot);
    bar.draw();
  },
  broken(why, restarted) {
    if (restarted) say(`The engine stopped (${why}) and was started anew.`);
    else warn(`The engine stopped: ${why}. Your texts are kept.`, [{ title: "Reload", run: () => location.reload() }]);
  },
});

const desk = new Desk(engine, workspace, Folder.here(), {
  open(name, content) {
    text.open(name, content);
    text.diagnose(desk.diagnostics);
  },
  replace: (content) => text.replace(content),
  reveal: (from, to, mark) => text.reveal(from, to, mark),
  renamed: (from, to) => text.renamed(from, to),
  select(what, view) {
    if (view !== undefined) tabs.bring(view);
    for (const one of shown) one.select?.(what);
  },
  draw,
});

const text: TextEditor = new TextEditor({
  typed: (name, now) => desk.store.type(name, now),
  undo: () => desk.undo(),
  redo: () => desk.redo(),
  fix: ({ title, edits }) => desk.edit(edits, title),
  extensions: (name) => knowing(engine, name, (range) => desk.reveal(range, true)),
});

const problems = new Problems({
  reveal(range) {
    desk.reveal(range, true);
    text.focus();
  },
  fix: ({ title, edits }) => desk.edit(edits, title),
});

const files = new FileList({
  open(name) {
    desk.open(name);
    text.focus();
  },
  rename: (from, to) => desk.rename(from, to),
  remove: (name) => desk.remove(name),
  unsaved: (name) => desk.folder?.isUnsaved(name, desk.store.all.get(name)) ?? false,
});

const shown = views.map((view) => view(desk));
const tabs: Tabs = new Tabs(shown, recall("netverdict.view"), (view) => {
  remember("netverdict.view", view.id);
  if (desk.snapshot) view.show(desk.snapshot);
});

const bar = new Bar(desk);
const story = make("section", { class: "story-place", "aria-label": "Story", hidden: true });
const start = make("div", { class: "start-place", hidden: true });
const fileTools = make(
  "div",
  { class: "pane-head" },
  make("h2", {}, "Files"),
  make("span", { class: "grow" }),
  make("button", { class: "quiet small", title: "Rename (F2)", "aria-label": "Rename this file", onclick: () => desk.active !== null && files.rename(desk.active) }, "✎"),
  make("button", { class: "quiet small", title: "Delete (Del)", "aria-label": "Delete this file", onclick: () => desk.active !== null && desk.remove(desk.active) }, "✕"),
);
const write = make("div", { class: "write" }, story, text.element, splitter("Height of the text", "--text-height", "y", 68, 25, 90), problems.element);
const work = make(
  "main",
  { class: "work" },
  make("div", { class: "left" }, make("nav", { class: "files", "aria-label": "Files" }, fileTools, files.element), write),
  splitter("Width of the text", "--left", "x", 52, 25, 75),
  tabs.element,
);
// On narrow screens one half is shown at a time.
const halves = make("div", { class: "halves", role: "group", "aria-label": "What is shown" });
for (const [title, half] of [["Text", "text"], ["Views", "views"]] as const) {
  const button = make("button", { "aria-pressed": String(half === "text") }, title);
  button.addEventListener("click", () => {
    work.dataset.half = half;
    for (const other of halves.children) other.setAttribute("aria-pressed", String(other === button));
  });
  halves.append(button);
}
work.dataset.half = "text";
document.body.append(bar.element, ...noticeElements, halves, start, work);

let drawing = false;
/** Once for all that happens before the next picture. */
function draw(): void {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawNow();
  });
}

function drawNow(): void {
  const { files: names, active, diagnostics } = desk;
  const empty = names.length === 0 && !desk.folder;
  if (empty !== !start.hidden) {
    start.hidden = !empty;
    work.hidden = empty;
    halves.hidden = empty;
    if (empty) void drawStart();
  }
  document.title = desk.title === "" ? "netverdict" : `${desk.title} – netverdict`;
  files.show(names, active, diagnostics);
  problems.show(diagnostics, active);
  drawStory();
  bar.draw();
}

async function drawStart(): Promise<void> {
  const host = {
    openFolder: () => void bar.openFolder(),
    openFiles: () => void bar.openFiles(),
    blank: () => void bar.blank(),
    example: (example: Parameters<typeof desk.beginExample>[0]) => void desk.beginExample(example),
    earlier: (id: string) => void desk.resume(id),
  };
  start.replaceChildren(startElement(host, await workspace.earlier()));
}

let told: unknown = [];
function drawStory(): void {
  if (told === desk.story) return;
  told = desk.story;
  story.hidden = desk.story.length === 0;
  const close = (): void => {
    desk.story = [];
    drawStory();
  };
  const head = make("div", { class: "pane-head" }, make("h2", {}, desk.title), make("span", { class: "grow" }), make("button", { class: "quiet small", "aria-label": "Close the story", onclick: close }, "✕"));
  const ask = (from: string, to: string, port: string | undefined): void => desk.select(port === undefined ? { from, to } : { from, to, port }, "flow");
  story.replaceChildren(head, storyElement(desk.story, ask));
}

// Files and texts from elsewhere.

addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("dragging");
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) document.body.classList.remove("dragging");
});
addEventListener(
  "drop",
  (event) => {
    document.body.classList.remove("dragging");
    const data = event.dataTransfer;
    if (!data?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    const folder = [...data.items].map((item) => item.webkitGetAsEntry()).find((entry) => entry?.isDirectory);
    void dropped(data).then((brought) => desk.bring(brought, folder?.name ?? ""));
  },
  true,
);
addEventListener("paste", (event) => {
  if (event.target instanceof HTMLElement && event.target.closest("input, textarea, .cm-editor")) return;
  const pasted = event.clipboardData?.getData("text/plain") ?? "";
  if (/^\s*(---|#|\{|[A-Za-z"]+:)/m.test(pasted)) desk.create("pasted.yaml", lineFeeds(pasted));
});

addEventListener("keydown", (event) => {
  const mod = event.ctrlKey || event.metaKey;
  const writing = event.target instanceof HTMLElement && event.target.closest("input, textarea, .cm-editor") !== null;
  const key = event.key.toLowerCase();
  if (mod && key === "s") void bar.save();
  else if (event.shiftKey && event.altKey && event.code === "KeyF") void bar.format();
  else if (mod && !writing && key === "z" && !event.shiftKey) desk.undo();
  else if (mod && !writing && (key === "y" || key === "z")) desk.redo();
  else return;
  event.preventDefault();
});

addEventListener("beforeunload", (event) => {
  if (desk.folder && desk.folder.unsaved(desk.store.all).length > 0) event.preventDefault();
});

// What to begin with: a link, a folder on the disk, or what was there.

async function begin(): Promise<void> {
  const kept = await workspace.resume();
  if (desk.folder) {
    const documents = await desk.folder.read();
    // After a reload: what was not saved yet.
    const { title } = desk.folder;
    const left = kept?.title === title ? kept : { active: null, documents, names: "", saved: [] };
    desk.restore({ title, active: left.active, names: left.names, saved: left.saved, documents: desk.folder.return(documents, left.documents) });
    return;
  }
  if (kept) desk.restore(kept);
  await follow();
  drawNow();
}

async function follow(): Promise<void> {
  try {
    const linked = await readFragment(location.hash);
    if (!linked) return;
    history.replaceState(null, "", location.pathname + location.search);
    await desk.beginLinked(linked);
  } catch (error) {
    warn(`The link cannot be read: ${message(error)}.`);
  }
}
addEventListener("hashchange", () => void follow());

await begin().catch((error: unknown) => warn(`It could not be opened: ${message(error)}.`));
if (import.meta.env.PROD && !desk.folder && "serviceWorker" in navigator) {
  await navigator.serviceWorker.register(scriptAddress("./sw.js")).catch(() => undefined);
}
document.documentElement.dataset.ready = "";
