// The page's side of the engine. In: changed documents and questions. Out:
// events with diagnostics and snapshots, and promises of answers.

import type { Diagnostic, Workload } from "netverdict";
import type { Snapshot } from "../contract";
import type { Names } from "../state/names";
import { KnownConnections, KnownDiagnostics } from "./known";
import type { Answer, Arguments, Change, FromWorker, Method, ToWorker } from "./protocol";

/** A question that the engine refused: `code` as in `NetverdictError`. */
export class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** A newer question took the place of this one. */
export class Superseded extends Error {}

export interface Listener {
  diagnosed(revision: number, diagnostics: readonly Diagnostic[]): void;
  snapshot(snapshot: Snapshot): void;
  /** `restarted`: it was started anew and has all documents again. */
  broken(message: string, restarted: boolean): void;
}

interface Waiting {
  readonly id: number;
  readonly kind: string | undefined;
  readonly method: Method;
  readonly given: readonly unknown[];
  readonly done: (value: never) => void;
  readonly failed: (error: Error) => void;
}

/** How often it is started anew, and how long it must hold for that not to count. */
const RESTARTS = 2;
const HOLDS_MS = 10_000;

export class EngineClient {
  readonly #start: () => Worker;
  readonly #listener: Listener;
  readonly #documents = new Map<string, string>();
  #names: Names = {};
  #worker: Worker;
  #revision = 0;
  #next = 0;
  #queue: Waiting[] = [];
  #asked: Waiting | undefined;
  #changedAt = new Map<number, number>();
  #diagnostics: readonly Diagnostic[] = [];
  #workloads: readonly Workload[] = [];
  #knownDiagnostics = new KnownDiagnostics();
  readonly #connections = new KnownConnections();
  #restarts = 0;
  #restarted = 0;

  constructor(start: () => Worker, listener: Listener) {
    this.#start = start;
    this.#listener = listener;
    this.#worker = this.#begin();
  }

  /** Documents changed; returns the number of the state they are in now. */
  change(changes: readonly Change[]): number {
    this.#revision += 1;
    this.#changedAt.set(this.#revision, performance.now());
    for (const [name, text] of changes) {
      if (text === null) this.#documents.delete(name);
      else this.#documents.set(name, text);
    }
    this.#tell({ kind: "change", revision: this.#revision, changes });
    return this.#revision;
  }

  /** DNS names have these addresses from now on; returns as `change` does. */
  resolve(names: Names): number {
    this.#revision += 1;
    this.#changedAt.set(this.#revision, performance.now());
    this.#names = names;
    this.#tell({ kind: "names", revision: this.#revision, names });
    return this.#revision;
  }

  /** Asks; the answer is about the documents as they are now, or later. */
  ask<K extends Method>(method: K, ...given: Arguments<K>): Promise<Answer<K>> {
    return this.#enqueue(undefined, method, given);
  }

  /** Asks; a question of the same kind that has not begun is rejected as superseded. */
  latest<K extends Method>(kind: string, method: K, ...given: Arguments<K>): Promise<Answer<K>> {
    this.#queue = this.#queue.filter((waiting) => {
      if (waiting.kind !== kind) return true;
      waiting.failed(new Superseded(kind));
      return false;
    });
    return this.#enqueue(kind, method, given);
  }

  #enqueue<K extends Method>(kind: string | undefined, method: K, given: Arguments<K>): Promise<Answer<K>> {
    return new Promise((done, failed) => {
      this.#next += 1;
      this.#queue.push({ id: this.#next, kind, method, given, done, failed });
      this.#askNext();
    });
  }

  #askNext(): void {
    if (this.#asked) return;
    this.#asked = this.#queue.shift();
    if (!this.#asked) return;
    const { id, method, given } = this.#asked;
    this.#tell({ kind: "ask", id, method, arguments: given });
  }

  #tell(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #begin(): Worker {
    const worker = this.#start();
    this.#knownDiagnostics = new KnownDiagnostics();
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#hear(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#broken(event.message || "the engine's worker could not be started");
    };
    return worker;
  }

  #hear(message: FromWorker): void {
    switch (message.kind) {
      case "ready":
        break;
      case "diagnosed":
        this.#diagnostics = this.#knownDiagnostics.after(message.change);
        this.#measure("diagnostics", message.revision, message.ms);
        this.#listener.diagnosed(message.revision, this.#diagnostics);
        break;
      case "reached": {
        const { revision, change, anew, ms } = message;
        this.#workloads = message.workloads ?? this.#workloads;
        const workloads = this.#workloads;
        const connectivity = this.#connections.after(change, anew);
        this.#measure("snapshot", revision, ms);
        for (const known of this.#changedAt.keys()) if (known <= revision) this.#changedAt.delete(known);
        this.#listener.snapshot({ revision, workloads, connectivity, diagnostics: this.#diagnostics, engineMs: ms });
        break;
      }
      case "answer":
      case "refused": {
        const asked = this.#asked;
        this.#asked = undefined;
        if (message.kind === "answer") asked?.done(message.value as never);
        else asked?.failed(new Refused(message.code, message.message));
        this.#askNext();
        break;
      }
      case "broken":
        this.#broken(message.message);
    }
  }

  /** For whoever looks at the page's times: from the change to what is known of it. */
  #measure(what: string, revision: number, engineMs: number): void {
    const start = this.#changedAt.get(revision);
    if (start === undefined) return;
    const name = `netverdict:${what}`;
    if (performance.getEntriesByName(name).length >= 1000) performance.clearMeasures(name);
    performance.measure(name, { start, end: performance.now(), detail: { revision, engineMs } });
  }

  #broken(message: string): void {
    this.#worker.terminate();
    const waiting = this.#asked ? [this.#asked, ...this.#queue] : this.#queue;
    this.#asked = undefined;
    this.#queue = [];
    for (const one of waiting) one.failed(new Refused("broken", message));
    if (performance.now() - this.#restarted > HOLDS_MS) this.#restarts = 0;
    const again = this.#restarts < RESTARTS;
    if (again) {
      this.#restarts += 1;
      this.#restarted = performance.now();
      this.#worker = this.#begin();
      if (Object.keys(this.#names).length > 0) this.#tell({ kind: "names", revision: this.#revision, names: this.#names });
      const changes = [...this.#documents];
      this.#tell({ kind: "change", revision: this.#revision, changes });
    }
    this.#listener.broken(message, again);
  }
}
