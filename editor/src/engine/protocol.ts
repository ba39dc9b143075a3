// What the page and the engine's worker tell each other.

import type { ConnectivityChange, Difference, Engine, Workload } from "netverdict";
import type { Names } from "../state/names";
import type { DiagnosticsChange } from "./known";

/** Documents as they travel. */
export type Documents = readonly (readonly [name: string, text: string])[];

/** A document that came or changed, or with `null` one that went. */
export type Change = readonly [name: string, text: string | null];

type Callable = { [K in keyof Engine]: Engine[K] extends (...a: never[]) => unknown ? K : never }[keyof Engine];

/** The engine's methods, as far as they can be asked from afar. */
export interface Methods extends Pick<Engine, Exclude<Callable, "set" | "remove" | "free" | "diff" | "compile">> {
  /** Against other documents. */
  diff(old: Documents, how?: { readonly byPod?: boolean }): Difference;
}

export type Method = keyof Methods;
export type Arguments<K extends Method> = Parameters<Methods[K]>;
export type Answer<K extends Method> = ReturnType<Methods[K]>;

export type ToWorker =
  | { readonly kind: "names"; readonly revision: number; readonly names: Names }
  | { readonly kind: "change"; readonly revision: number; readonly changes: readonly Change[] }
  | { readonly kind: "ask"; readonly id: number; readonly method: Method; readonly arguments: readonly unknown[] };

export type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "diagnosed"; readonly revision: number; readonly change: DiagnosticsChange; readonly ms: number }
  | {
      readonly kind: "reached";
      readonly revision: number;
      /** `null` while they stay. */
      readonly workloads: readonly Workload[] | null;
      readonly change: ConnectivityChange;
      /** All there is, of an engine that told nothing before. */
      readonly anew: boolean;
      readonly ms: number;
    }
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "refused"; readonly id: number; readonly code: string; readonly message: string }
  /** The engine is not to be asked again. */
  | { readonly kind: "broken"; readonly message: string };
