// What the parts of the editor know of one another: snapshots of the engine
// go to views; views ask the shell.

import type { Connectivity, Diagnostic, Edit, Range, Workload } from "netverdict";
import type { EngineClient } from "./engine/client";

export type { Connectivity, Diagnostic, Edit, Range, Workload } from "netverdict";
export type { EngineClient } from "./engine/client";

/** One state of the documents, answered. */
export interface Snapshot {
  readonly revision: number;
  readonly diagnostics: readonly Diagnostic[];
  readonly workloads: readonly Workload[];
  /** `Engine.reach({ withDenied: false })`. */
  readonly connectivity: Connectivity;
  /** What the engine took for all of it. */
  readonly engineMs: number;
}

/** One of the pictures on the right. */
export interface View {
  /** `map` */
  readonly id: string;
  /** The name of its tab. */
  readonly title: string;
  readonly element: HTMLElement;
  /** Called with each snapshot while it is visible, and when it becomes visible. */
  show(snapshot: Snapshot): void;
  /** Another view selected something. */
  select?(what: Selection): void;
}

export type Selection = { readonly workload: string } | { readonly from: string; readonly to: string; readonly port?: string };

/** A version of the documents that somebody kept. */
export interface Saved {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly when: number;
  readonly documents: ReadonlyMap<string, string>;
}

/** What a view may ask of the rest. */
export interface Shell {
  readonly engine: EngineClient;
  /** Tells all views; brings `view` to the front. */
  select(what: Selection, view?: string): void;
  /** Opens the document there; marks the range. */
  reveal(range: Range, mark?: boolean): void;
  /** One step that can be undone. */
  edit(edits: readonly Edit[], title: string): void;
  /** A new document, opened: one step that can be undone. */
  create(name: string, text: string): void;
  documents(): ReadonlyMap<string, string>;
  saved(): readonly Saved[];
  /** DNS names and their addresses, as somebody wrote them. */
  names(): string;
  /** Text that cannot be read is kept, and changes no answer. */
  setNames(text: string): void;
}

export type MakeView = (shell: Shell) => View;
