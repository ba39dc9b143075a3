// The engine, aside of the page. In: changed documents and questions. Out:
// diagnostics as soon as they are known, then who reaches whom, and answers.
//
// What waits is done in this order: changes, all at once; questions; reach.
// Between any two steps messages are let in, so that a key pressed meanwhile
// is not behind work for a text that is gone.

import { Engine, init, NetverdictError, type Workload } from "netverdict";
import type { Names } from "../state/names";
import { DiagnosticsTold } from "./known";
import type { Change, Documents, FromWorker, Method, ToWorker } from "./protocol";

type Question = Extract<ToWorker, { kind: "ask" }>;

const tell = (message: FromWorker): void => postMessage(message);

let engine: Engine | undefined;
/** Another state of the documents, kept for the next comparison. */
let other: { readonly documents: string; readonly engine: Engine } | undefined;

let names: Names = {};
/** They came, and the engine has others. */
let renamed = false;
let revision = 0;
const changes: Change[] = [];
const questions: Question[] = [];
let reachIsDue = false;
/** What the page has. */
const diagnosticsTold = new DiagnosticsTold();
let connectionsTold = 0;
let workloadsTold: readonly Workload[] | undefined;
let spent = 0;
let working = false;

const channel = new MessageChannel();
let resume = (): void => {};
channel.port1.onmessage = () => resume();
const letMessagesIn = (): Promise<void> =>
  new Promise((done) => {
    resume = done;
    channel.port2.postMessage(null);
  });

/** Names are an engine's from its beginning: another one, with the same documents. */
function withNames(old: Engine): Engine {
  renamed = false;
  connectionsTold = 0;
  const engine = new Engine({ names });
  for (const name of old.documents()) engine.set(name, old.text(name) ?? "");
  old.free();
  other?.engine.free();
  other = undefined;
  return engine;
}

function apply(engine: Engine): void {
  const start = performance.now();
  for (const [name, text] of changes.splice(0)) {
    if (text === null) engine.remove(name);
    else engine.set(name, text);
  }
  const change = diagnosticsTold.change(engine.diagnostics());
  spent = performance.now() - start;
  tell({ kind: "diagnosed", revision, change, ms: spent });
  reachIsDue = true;
}

function reach(engine: Engine): void {
  reachIsDue = false;
  const start = performance.now();
  const all = engine.workloads();
  const workloads = all === workloadsTold ? null : all;
  workloadsTold = all;
  const anew = connectionsTold === 0;
  const change = engine.reachSince(connectionsTold);
  connectionsTold = change.revision;
  tell({ kind: "reached", revision, workloads, change, anew, ms: spent + performance.now() - start });
}

function otherEngine(documents: Documents): Engine {
  const key = JSON.stringify(documents);
  if (other?.documents === key) return other.engine;
  other?.engine.free();
  const engine = new Engine({ names });
  for (const [name, text] of documents) engine.set(name, text);
  other = { documents: key, engine };
  return engine;
}

function ask(engine: Engine, method: Method, given: readonly unknown[]): unknown {
  if (method === "diff") {
    const [old, how] = given as [Documents, { byPod?: boolean }?];
    return engine.diff(otherEngine(old), how);
  }
  const answer = engine[method] as (...given: readonly unknown[]) => unknown;
  return answer.apply(engine, [...given]);
}

function answer(engine: Engine, { id, method, arguments: given }: Question): void {
  try {
    tell({ kind: "answer", id, value: ask(engine, method, given) });
  } catch (error) {
    if (isBroken(error)) throw error;
    const code = error instanceof NetverdictError ? error.code : "";
    tell({ kind: "refused", id, code, message: error instanceof Error ? error.message : String(error) });
  }
}

const isBroken = (error: unknown): boolean => error instanceof NetverdictError && error.code === "broken";

async function work(): Promise<void> {
  if (working || !engine) return;
  working = true;
  try {
    for (;;) {
      const changed = renamed || changes.length > 0;
      const question = changed ? undefined : questions.shift();
      if (renamed) engine = withNames(engine);
      if (changed) apply(engine);
      else if (question) answer(engine, question);
      else if (reachIsDue) reach(engine);
      else break;
      await letMessagesIn();
    }
    working = false;
  } catch (error) {
    // `working` stays: nothing is asked of it any more.
    tell({ kind: "broken", message: error instanceof Error ? error.message : String(error) });
  }
}

onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === "change") {
    revision = data.revision;
    changes.push(...data.changes);
  } else if (data.kind === "names") {
    revision = data.revision;
    names = data.names;
    renamed = true;
  } else {
    questions.push(data);
  }
  void work();
};

try {
  await init();
  engine = new Engine();
  tell({ kind: "ready" });
  void work();
} catch (error) {
  tell({ kind: "broken", message: error instanceof Error ? error.message : String(error) });
}
