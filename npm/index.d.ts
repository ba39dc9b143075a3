/**
 * netverdict: Cilium and Kubernetes network policies, decided as Cilium 1.20 decides them.
 *
 * Positions count UTF-16 units, as JavaScript's strings do.
 */

export { Answer, Column, NetverdictError, Questions, Question, Table, readAnswer } from "./table/index.js";

/** Loads the module. In Node it is loaded already; `netverdict/slim` wants it as an argument. */
export function init(
  source?: BufferSource | WebAssembly.Module | Response | PromiseLike<BufferSource | WebAssembly.Module | Response>,
): Promise<void>;

/** One end of a range. */
export interface Point {
  /** From the start of the text. */
  readonly offset: number;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/** A stretch of a document; its end is excluded. */
export interface Range {
  readonly document: string;
  readonly start: Point;
  readonly end: Point;
}

export type Severity = "error" | "warning" | "info";

export interface Edit {
  readonly range: Range;
  /** What takes its place. */
  readonly text: string;
}

export interface Fix {
  readonly title: string;
  /** The intention is certain: it may be applied unasked. */
  readonly certain: boolean;
  readonly edits: readonly Edit[];
}

export interface Diagnostic {
  /** `NV0401`; see docs/diagnostics.md. */
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  /** `null` when it is about no place in particular. */
  readonly range: Range | null;
  /** Field path within the object. */
  readonly path: string;
  /** `Kind/namespace/name`. */
  readonly object: string;
  readonly help: string | null;
  readonly related: readonly { readonly message: string; readonly range: Range | null }[];
  readonly fixes: readonly Fix[];
}

export interface Workload {
  /** As flows name it: `shop/web`. */
  readonly name: string;
  readonly namespace: string;
  readonly kind: string;
  /** Its security identity. */
  readonly identity: number;
  /** `source:key=value`. */
  readonly labels: readonly string[];
  readonly addresses: readonly string[];
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: string }[];
  readonly hostNetwork: boolean;
  readonly range: Range | null;
}

export interface Identity {
  readonly id: number;
  readonly labels: readonly string[];
}

/** What is sent on a flow. */
export interface Sent {
  readonly http?: {
    readonly method: string;
    readonly path: string;
    readonly host?: string;
    readonly headers?: readonly (readonly [string, string])[];
  };
  /** The name a DNS query asks for. */
  readonly dns?: string;
  /** The server name of a TLS handshake. */
  readonly sni?: string;
  /** Values of secrets that header matches name, by `namespace/name/item`. */
  readonly secrets?: Readonly<Record<string, string>>;
}

/** Who, to whom, and what. Ends are `shop/web`, an address, a prefix, an entity (`world`), or a DNS name. */
export type FlowQuestion = { readonly from: string; readonly to: string; readonly fragment?: boolean } & Sent &
  (
    | { /** `443/TCP`, `GRE`. */ readonly port: string }
    | { /** A type, or `type/code`. */ readonly icmp: string }
    | { readonly icmpv6: string }
  );

export type Verdict = "allow" | "deny" | "default-deny" | "redirect" | "auth-required" | "unknown";

/** A rule, and where it is written. */
export interface RulePlace {
  readonly rule: string;
  readonly path: string;
  /** `document:line:column`. */
  readonly at: string;
}

export interface Side {
  readonly direction: "egress" | "ingress";
  readonly subject: string;
  readonly peer?: number;
  readonly verdict: Verdict;
  /** How much of the packet the deciding entry looks at. */
  readonly matchType: string;
  /** As Hubble prints it. */
  readonly hubble?: string;
  readonly code: number;
  readonly key?: { readonly identity: number; readonly protocol: number; readonly port: number; readonly portPrefix: number };
  readonly redirect?: {
    readonly parser: string;
    readonly listener?: string;
    readonly port: number;
    readonly protocol: string;
    readonly proxyPort: number;
    readonly rules: readonly string[];
  };
  readonly authentication?: string;
  readonly rules: readonly RulePlace[];
  readonly defaultDenyBy: readonly RulePlace[];
  /** Why it is unknown. */
  readonly why?: readonly string[];
}

export interface Layer7Side {
  readonly outcome: string;
  readonly tried: readonly { readonly wanted: string; readonly at: string; readonly miss?: string; readonly rules: readonly RulePlace[] }[];
  readonly missing?: readonly (readonly [string, string])[];
  readonly rejected?: readonly (readonly [string, string])[];
}

export interface Flow<S extends Side = Side> {
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  readonly port: number;
  readonly icmpCode?: number;
  readonly untrackedFragment?: true;
  readonly verdict: Verdict;
  /** Why it is unknown. */
  readonly why?: readonly string[];
  /** `null` for senders without a policy of their own. */
  readonly egress: S | null;
  readonly ingress: S | null;
  readonly layer7?: {
    readonly sent: string;
    readonly outcome: "forwarded" | "not-inspected" | "403" | "refused" | "dropped" | "unknown" | null;
    readonly why?: string;
    readonly egress: Layer7Side | null;
    readonly ingress: Layer7Side | null;
    readonly headers?: readonly (readonly [string, string])[];
  };
}

/** A side with every rule that was a candidate, as `netverdict explain -o json` prints it. */
export interface ExplainedSide extends Side {
  readonly explanation?: Explanation;
}

export interface Explanation {
  readonly candidates: readonly Candidate[];
  /** The smallest change that turns the verdict round. */
  readonly change?: { readonly text: string; readonly [more: string]: unknown };
  readonly [more: string]: unknown;
}

export interface Candidate extends RulePlace {
  readonly [more: string]: unknown;
}

/** An entry of Cilium's policy map. */
export interface Entry {
  readonly direction: "ingress" | "egress";
  /** 0 for all. */
  readonly identity: number;
  readonly protocol: number;
  readonly port: number;
  readonly portPrefix: number;
  readonly deny: boolean;
  readonly proxyPort: number;
  readonly authType: number;
  readonly authExplicit: boolean;
  readonly precedence: number;
  readonly invalid: boolean;
  /** The 12 bytes, in hexadecimal. */
  readonly key: string;
  readonly value: string;
  readonly rules: readonly RulePlace[];
}

/** Ports of a protocol that are open on like terms. */
export interface OpenPorts {
  /** `TCP`, a number, or `other` for all that rules name nowhere. */
  readonly protocol: string;
  readonly ports: readonly (readonly [number, number])[];
  readonly l7: string | null;
  readonly auth: boolean;
  /** What proxies let through. */
  readonly requests?: readonly string[];
}

/** `default`: no rule selects that side. */
export type SideState = "allowed" | "default" | "denied";

export interface Connectivity {
  /** `ns/name[Kind]`. */
  readonly workloads: readonly string[];
  /** `entity:world`, `cidr:10.0.0.0/8`, `fqdn:*.example.com`. */
  readonly peers: readonly string[];
  readonly connections: readonly {
    readonly from: string;
    readonly to: string;
    readonly allowed: readonly OpenPorts[];
    /** What the documents leave open. */
    readonly unknown?: string;
    readonly egress: SideState;
    readonly ingress: SideState;
  }[];
}

export interface Terms {
  readonly l7: string | null;
  readonly auth: boolean;
  readonly requests: readonly string[];
}

/** What a side says, and the rules that make it. */
export interface Said {
  readonly verdict: Verdict;
  readonly requests?: readonly string[];
  readonly rules: readonly RulePlace[];
}

export interface Difference {
  /** How many pairs were compared. */
  readonly compared: number;
  readonly appeared: readonly string[];
  readonly disappeared: readonly string[];
  readonly changes: readonly {
    readonly kind: "opened" | "closed" | "changed" | "unsettled";
    readonly from: string;
    readonly to: string;
    readonly ports: readonly { readonly protocol: string; readonly ports: readonly (readonly [number, number])[] }[];
    readonly before: Terms | null;
    readonly after: Terms | null;
    readonly sides: readonly { readonly direction: "egress" | "ingress"; readonly of: string; readonly before: Said; readonly after: Said }[];
  }[];
}

/** Agent options and the like; see docs/npm.md. */
export interface Settings {
  readonly config?: {
    readonly enforcement?: "default" | "always" | "never";
    readonly allowLocalhost?: "auto" | "always" | "policy";
    readonly clusterName?: string;
    readonly clusterID?: number;
    readonly anyCluster?: boolean;
    readonly disableIPv4?: boolean;
    readonly disableIPv6?: boolean;
    readonly disableL7Proxy?: boolean;
    readonly disableNonDefaultDeny?: boolean;
    readonly disableICMPRules?: boolean;
    readonly extendedIPProtocols?: boolean;
    readonly nodeSelectorLabels?: boolean;
    readonly hostFirewall?: boolean;
    readonly policyCIDRMatchMode?: readonly ("nodes" | "pods")[];
    readonly enforceSchema?: boolean;
  };
  readonly identityLabels?: readonly string[];
  readonly localNode?: string;
  /** DNS names and their addresses. */
  readonly names?: Readonly<Record<string, readonly string[]>>;
  readonly defaultNamespace?: string;
  /** Whose refusals count. */
  readonly strictness?: "agent" | "crds" | "apiserver";
  readonly fixedIdentities?: Readonly<Record<number, string>>;
  readonly wellKnownIdentities?: boolean;
  readonly disableClusterNetworkPolicy?: boolean;
  readonly disableICMPFragNeeded?: boolean;
}

/**
 * Documents, and everything they say together. Give it back with `free()`, or let `using` do it.
 */
export class Engine {
  constructor(settings?: Settings);
  /** A document comes, or takes the place of the one with its name: YAML or JSON with any number of objects. */
  set(name: string, text: string): void;
  /** A document goes; false when there was none. */
  remove(name: string): boolean;
  documents(): string[];
  text(name: string): string | null;
  /** What there is to say about all documents, or one. */
  diagnostics(document?: string): Diagnostic[];
  workloads(): Workload[];
  identities(): Identity[];
  /** @throws NetverdictError `question`: malformed, or an end is not found. */
  verdict(flow: FlowQuestion): Flow;
  /** The same with every rule that was a candidate, and the smallest change that turns the verdict round. */
  explain(flow: FlowQuestion): Flow<ExplainedSide>;
  /** Who may talk to whom in the whole cluster. */
  reach(how?: { readonly byPod?: boolean; readonly withDenied?: boolean }): Connectivity;
  /** Exactly what is open here and not in another engine, or the other way round, or on other terms. */
  diff(old: Engine, how?: { readonly byPod?: boolean }): Difference;
  /** Cilium's policy map of a workload. */
  entries(workload: string): Entry[];
  /** The verdict table of all endpoints. */
  compile(): Table;
  /** Bytes that the module's memory has, for all engines; it never shrinks. */
  readonly memory: number;
  free(): void;
}

/** Answers a scenario: the exchange format by which engines are compared. */
export function answerScenario(scenario: object): { readonly queries: readonly object[]; readonly [more: string]: unknown };

/** Compiles the endpoints of a scenario that have a policy: subject i is the ith of them. */
export function compileScenario(scenario: object): Table;

import type { Table } from "./table/index.js";
