/** Verdict tables alone: what `netverdict/table` has. */

/** Why a call failed. */
export class NetverdictError extends Error {
  constructor(code: string, message: string);
  readonly code: "unloaded" | "broken" | "load" | "settings" | "question" | "compile" | "image" | "scenario";
}

export function init(
  source?: BufferSource | WebAssembly.Module | Response | PromiseLike<BufferSource | WebAssembly.Module | Response>,
): Promise<void>;

/** What becomes of a packet. */
export interface Answer {
  readonly allowed: boolean;
  /** 0, or minus the drop reason. */
  readonly code: number;
  /** A rule denies it. */
  readonly denied: boolean;
  readonly match: "none" | "L3-Only" | "L3-L4" | "L4-Only" | "all" | "L3-Proto" | "Proto-Only";
  /** 0 for none. */
  readonly proxyPort: number;
  readonly authType: number;
  readonly authInheritedFrom: number | null;
  readonly cookie: number;
}

export interface Question {
  /** Whose policy: a number of the table. */
  readonly subject: number;
  readonly direction: "ingress" | "egress";
  /** The other side. */
  readonly identity: number;
  readonly protocol: "TCP" | "UDP" | "SCTP" | "ICMP" | "ICMPv6" | number;
  /** Destination port; of ICMP the type. */
  readonly port?: number;
}

export type Column = Uint8Array | Uint16Array | Uint32Array;

/** Questions as columns of equal length. */
export interface Questions {
  readonly subjects: Uint32Array;
  /** 0 ingress, 1 egress. */
  readonly directions: Uint8Array;
  readonly identities: Uint32Array;
  /** IP protocol numbers. */
  readonly protocols: Uint8Array;
  readonly ports: Uint16Array;
}

/** A checked verdict table; docs/table-format.md. */
export class Table {
  /** @throws NetverdictError `image`: what is wrong with the bytes. */
  constructor(image: Uint8Array);
  readonly subjects: number;
  subjectOfEndpoint(endpoint: number): number | null;
  subjectOfIdentity(identity: number): number | null;
  verdict(question: Question): Answer;
  /** Many at once: 16 bytes an answer, to be read with `readAnswer`. */
  batch(questions: Questions, answers?: Uint8Array): Uint8Array;
  /** Its bytes. */
  image(): Uint8Array;
  free(): void;
}

/** Answer number `at` of a batch. */
export function readAnswer(answers: Uint8Array, at?: number): Answer;
