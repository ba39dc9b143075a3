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
export type SideState = "allowed" | "default" | "denied" | "unknown";

/** What one peer may say to another. */
export interface Connection {
  readonly from: string;
  readonly to: string;
  readonly allowed: readonly OpenPorts[];
  /** What the documents leave open. */
  readonly unknown?: string;
  readonly egress: SideState;
  readonly ingress: SideState;
}

export interface Connectivity {
  /** `ns/name[Kind]`. */
  readonly workloads: readonly string[];
  /** `entity:world`, `cidr:10.0.0.0/8`, `fqdn:*.example.com`. */
  readonly peers: readonly string[];
  readonly connections: readonly Connection[];
}

/** What is not as it was. Connections of peers that went are not listed: they went with them. */
export interface ConnectivityChange {
  /** What to ask with the next time. */
  readonly revision: number;
  /** All names, or `null` while they stay. */
  readonly peers: { readonly workloads: readonly string[]; readonly peers: readonly string[] } | null;
  /** Those that are new, or other than they were. */
  readonly connections: readonly Connection[];
  /** Nothing is open there any more. */
  readonly closed: readonly { readonly from: string; readonly to: string }[];
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
    readonly kind: ChangeKind;
    readonly from: string;
    readonly to: string;
    readonly ports: readonly { readonly protocol: string; readonly ports: readonly (readonly [number, number])[] }[];
    readonly before: Terms | null;
    readonly after: Terms | null;
    readonly sides: readonly { readonly direction: "egress" | "ingress"; readonly of: string; readonly before: Said; readonly after: Said }[];
  }[];
}

/** What there is to show beside a place. */
export interface Hover {
  /** What it is about. */
  readonly range: Range;
  /** Markdown. */
  readonly text: string;
}

/** Something that could be written at a place. */
export interface Completion {
  /** What to show. */
  readonly label: string;
  /** `key`: a field, or the key of a label. */
  readonly kind: "key" | "value";
  /** What it is for, or who has it; may be empty. */
  readonly detail: string;
  /** What to write, ... */
  readonly insert: string;
  /** ... in place of this. */
  readonly range: Range;
}

/** A rule that applies to a workload. */
export interface AppliedRule extends RulePlace {
  /** `Admin`, `Normal`, `Baseline`; those of a lower tier are asked later. */
  readonly tier: string;
  /** Lower ones are asked first. */
  readonly priority: number;
  readonly verdict: "allow" | "deny" | "pass";
  /** It drops what no rule allows. */
  readonly defaultDeny: boolean;
  /** Selectors; `null` for nobody, none for everybody. */
  readonly peers: readonly string[] | null;
  /** `443/TCP`; none for all. */
  readonly ports: readonly string[];
}

export interface DirectionPolicy {
  /** Some rule selects the workload; else everything is allowed. */
  readonly enforced: boolean;
  /** What no rule allows is denied. */
  readonly defaultDeny: boolean;
  /** In the order they are asked. */
  readonly rules: readonly AppliedRule[];
}

/** All that applies to a workload. */
export interface Policies {
  readonly workload: string;
  readonly identity: number;
  readonly ingress: DirectionPolicy;
  readonly egress: DirectionPolicy;
}

export type ChangeKind = "opened" | "closed" | "changed" | "unsettled";

/** A connection that a change opens, closes or puts on other terms. */
export interface Effect {
  readonly kind: ChangeKind;
  readonly from: string;
  readonly to: string;
  /** `443/TCP`, `all`. */
  readonly ports: string;
}

/** One step of a change. */
export type Step =
  | {
      readonly kind: "add";
      /** A name that no document has yet. */
      readonly document: string;
      /** The policy, as YAML. */
      readonly text: string;
    }
  | {
      readonly kind: "remove";
      /** `Kind/namespace/name`. */
      readonly object: string;
      /** What takes it out of its document; none when it is part of something else and has to be taken out by hand. */
      readonly edits: readonly Edit[];
    };

/** A change that lets a flow through; tried. */
export interface Remedy {
  readonly title: string;
  readonly steps: readonly Step[];
  /** Exactly what else it opens, closes or changes. */
  readonly beyond: readonly Effect[];
}

/** How an answer differs from what was recorded; what hurts most comes first. */
export type RecordedChange =
  | "newly-denied"
  | "newly-refused"
  | "needs-authentication"
  | "newly-allowed"
  | "to-proxy"
  | "from-proxy"
  | "unknown"
  | "same";

/** Recorded connections that are alike, and what becomes of them. */
export interface ReplayedConnection {
  readonly change: RecordedChange;
  readonly from: string;
  readonly to: string;
  /** `7379/TCP`, with the request if one was recorded. */
  readonly traffic: string;
  /** What became of it then. */
  readonly recorded: string;
  /** How many flows. */
  readonly flows: number;
  /** The first: `recording:line`. */
  readonly first: string;
  readonly verdict: Verdict;
  /** What a proxy does with what is sent. */
  readonly layer7?: string;
  /** Whose policy decides: the sender's or the receiver's. */
  readonly direction?: "egress" | "ingress";
  /** Why it is unknown. */
  readonly why?: readonly string[];
  /** Rules that decide. */
  readonly rules: readonly RulePlace[];
}

/** A recording, held against the policies. */
export interface Replay {
  readonly flows: number;
  /** Lines that are no flows. */
  readonly malformed: number;
  readonly replies: number;
  readonly perhapsReplies: number;
  /** Drops for other reasons than policy. */
  readonly otherDrops: number;
  readonly withoutVerdict: number;
  /** What is newly denied comes first. */
  readonly connections: readonly ReplayedConnection[];
  /** The first lines that are no flows, and why. */
  readonly problems: readonly { readonly at: string; readonly message: string }[];
}

/** What to write policies for. */
export type GenerateRequest = {
  readonly kind?: "CiliumNetworkPolicy" | "NetworkPolicy";
  /** Namespaces whose workloads get policies; without it all but `kube-system`, or for a wish those of its ends. */
  readonly namespaces?: readonly string[];
} & (
  | {
      /** Hubble's flows: JSON lines, or lines of text. */
      readonly recording: string;
      /** Also what was dropped by policy. */
      readonly dropped?: boolean;
    }
  | {
      /** Ends as flows name them. */
      readonly from: string;
      readonly to: string;
      /** `443/TCP`, `8/ICMP`. */
      readonly ports: readonly string[];
    }
);

/** Policies that allow what is needed, with the proof. */
export interface Generated {
  /** All policies as one text. */
  readonly yaml: string;
  readonly policies: readonly {
    /** The workload, `namespace/name`. */
    readonly workload: string;
    /** A name that no document has yet. */
    readonly document: string;
    readonly text: string;
  }[];
  /** How many connections were needed, and how many pass now. */
  readonly needed: number;
  readonly met: number;
  readonly unmet: readonly { readonly need: string; readonly found: string; readonly rules: readonly RulePlace[] }[];
  /** What else is open now and nobody needs. */
  readonly opened: readonly { readonly from: string; readonly to: string; readonly ports: string }[];
  /** Everything that is different in the whole cluster, with what was needed. */
  readonly effects: readonly Effect[];
  /** Needs that no policy of this kind can meet, and why. */
  readonly leftOut: readonly string[];
  /** Complaints about the policies; none unless something is wrong here. */
  readonly refused: readonly string[];
  /** Lines of the recording that are no flows. */
  readonly malformed: number;
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
  /** What there is to say about all documents, or one. What stayed since the last time is the same object. */
  diagnostics(document?: string): Diagnostic[];
  /** The same array while nothing changed. */
  workloads(): readonly Workload[];
  identities(): Identity[];
  /** @throws NetverdictError `question`: malformed, or an end is not found. */
  verdict(flow: FlowQuestion): Flow;
  /** The same with every rule that was a candidate, and the smallest change that turns the verdict round. */
  explain(flow: FlowQuestion): Flow<ExplainedSide>;
  /** What to show beside a place; `null` when there is nothing to say. */
  hover(document: string, offset: number): Hover | null;
  /** What could be written at a place; the order is that of the schema, and of names. */
  complete(document: string, offset: number): Completion[];
  /** Where the thing is written that a place names: a CIDR group, a namespace, the first workload with a label. */
  definition(document: string, offset: number): Range | null;
  /** All of them: every workload with a label. */
  definitions(document: string, offset: number): Range[];
  /** All of the rule that a place names, so that it can be shown; `null` when the documents have none there. */
  locate(place: RulePlace): Range | null;
  /** Everything that applies to a workload, in the order it is asked. */
  policies(workload: string): Policies;
  /** The smallest changes that let a flow through, those that open the least first; none when it passes, or none was found. */
  remedies(flow: FlowQuestion): Remedy[];
  /** Holds recorded flows against the policies. `name` is what `first` calls the recording. */
  replay(recording: string, name?: string): Replay;
  /** Writes policies that allow what is needed and no more, and proves it. Changes no document. */
  generate(request: GenerateRequest): Generated;
  /** Who may talk to whom in the whole cluster. */
  reach(how?: {
    readonly byPod?: boolean;
    readonly withDenied?: boolean;
    /** With pods that do not exist yet, `[any]`: which doors stand open for whoever comes. */
    readonly exposure?: boolean;
  }): Connectivity;
  /**
   * The connections of `reach()` that changed after a revision; 0 is before the first. For whoever sends them on, as a
   * worker does. (What `reach()` gives is the same objects as before where nothing changed.)
   */
  reachSince(revision: number): ConnectivityChange;
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
