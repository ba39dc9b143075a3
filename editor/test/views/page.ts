// The views with the engine in its worker and a shell that writes down what is asked of it: for tests in a browser.

import "../../src/style/theme.css";
import "../../src/style/shell.css";
import type { Range } from "netverdict";
import type { Saved, Selection, Shell, Snapshot } from "../../src/contract";
import { EngineClient } from "../../src/engine/client";
import { startWorker } from "../../src/engine/start";
import { Tabs } from "../../src/shell/tabs";
import { applyEdits } from "../../src/text/change";
import { views } from "../../src/view/index";

type Documents = readonly (readonly [string, string])[];

export interface Harness {
  /** Replaces all documents; resolves when the visible view has the answer. */
  load(documents: Documents): Promise<number>;
  bring(view: string): void;
  select(what: Selection, view?: string): void;
  save(name: string): void;
  readonly revealed: Range[];
  readonly created: [string, string][];
  readonly edited: string[];
  readonly documents: () => Documents;
  /** What the last call of `show` of the visible view took. */
  showMs: number;
}

const documents = new Map<string, string>();
const saved: Saved[] = [];
let snapshot: Snapshot | undefined;
let waiting: { readonly revision: number; readonly done: (ms: number) => void } | null = null;

function show(): void {
  if (!snapshot || !tabs.current) return;
  const start = performance.now();
  tabs.current.show(snapshot);
  // What the browser does then belongs to it.
  document.body.getBoundingClientRect();
  harness.showMs = performance.now() - start;
}

const engine = new EngineClient(startWorker, {
  diagnosed: () => undefined,
  snapshot(found) {
    snapshot = found;
    try {
      show();
    } catch (error) {
      console.error(error);
    }
    if (waiting && found.revision >= waiting.revision) {
      waiting.done(harness.showMs);
      waiting = null;
    }
  },
  broken: (message) => console.error(message),
});

function change(now: ReadonlyMap<string, string>): number {
  const changes: (readonly [string, string | null])[] = [];
  for (const name of documents.keys()) if (!now.has(name)) changes.push([name, null]);
  for (const [name, text] of now) if (documents.get(name) !== text) changes.push([name, text]);
  documents.clear();
  for (const [name, text] of now) documents.set(name, text);
  return engine.change(changes);
}

const shell: Shell = {
  engine,
  select(what, view) {
    for (const one of all) one.select?.(what);
    if (view !== undefined) tabs.bring(view);
  },
  reveal: (range) => void harness.revealed.push(range),
  edit(edits, title) {
    harness.edited.push(title);
    const changed = applyEdits(documents, edits);
    if (changed) change(new Map([...documents, ...changed]));
  },
  create(name, text) {
    harness.created.push([name, text]);
    change(new Map([...documents, [name, text]]));
  },
  documents: () => documents,
  saved: () => saved,
};

const harness: Harness = {
  load: (given) =>
    new Promise((done) => {
      waiting = { revision: change(new Map(given)), done };
    }),
  bring: (view) => tabs.bring(view),
  select: (what, view) => shell.select(what, view),
  save: (name) => void saved.push({ name, when: Date.now(), documents: new Map(documents) }),
  revealed: [],
  created: [],
  edited: [],
  documents: () => [...documents],
  showMs: 0,
};
const all = views.map((view) => view(shell));
const tabs: Tabs = new Tabs(all, null, () => queueMicrotask(show));
document.querySelector("#stage")?.append(tabs.element);
Object.assign(globalThis, { harness });
