// What compiles, and what must not.

import { Engine, NetverdictError, Table, answerScenario, init, readAnswer } from "netverdict";
import type { Completion, Connectivity, Diagnostic, Edit, FlowQuestion, Generated, Range, Remedy, Replay, Step } from "netverdict";
import { Table as Small } from "netverdict/table";
import { init as bring } from "netverdict/slim";
import { init as inside } from "netverdict/inline";

await init();
await init(fetch("netverdict.wasm"));
await bring(new Uint8Array(8));
await inside();

const engine = new Engine({ config: { enforcement: "always" }, names: { "a.example": ["192.0.2.1"] } });
engine.set("a.yaml", "");
const found: Diagnostic[] = engine.diagnostics();
const line: number | undefined = found[0]?.range?.start.line;
const text: string | null = engine.text("a.yaml");

const flow: FlowQuestion = { from: "a/b", to: "world", port: "443/TCP", http: { method: "GET", path: "/" } };
const verdict = engine.verdict(flow).verdict;
switch (verdict) {
  case "allow":
  case "deny":
  case "default-deny":
  case "redirect":
  case "auth-required":
  case "unknown":
    break;
  default: {
    const none: never = verdict;
    throw new Error(none);
  }
}
const why = engine.explain({ from: "a/b", to: "a/c", icmp: "8" }).ingress?.explanation?.candidates[0]?.rule;

const shown: { range: Range; text: string } | null = engine.hover("a.yaml", 3);
const proposals: Completion[] = engine.complete("a.yaml", 3);
const there: Range | null = engine.definition("a.yaml", 3);
const rule = engine.policies("a/b").ingress.rules[0];
if (rule) engine.locate(rule);

const edits = (step: Step): readonly Edit[] => {
  switch (step.kind) {
    case "add":
      engine.set(step.document, step.text);
      return [];
    case "remove":
      return step.edits;
  }
};
const remedies: Remedy[] = engine.remedies(flow);
remedies.flatMap((r) => r.steps.flatMap(edits));

const replay: Replay = engine.replay("", "hubble.jsonl");
const denied = replay.connections.filter((c) => c.change === "newly-denied");
const generated: Generated = engine.generate({ from: "a/b", to: "a/c", ports: ["80/TCP"], kind: "NetworkPolicy" });
engine.generate({ recording: "", dropped: true, namespaces: ["a"] });

const all: Connectivity = engine.reach({ exposure: true });
const change = engine.reachSince(0);
const now: number = change.revision;
const table: Table = engine.compile();
const answers: Uint8Array = table.batch({
  subjects: new Uint32Array(1),
  directions: new Uint8Array(1),
  identities: new Uint32Array(1),
  protocols: new Uint8Array(1),
  ports: new Uint16Array(1),
});
readAnswer(answers).allowed satisfies boolean;
new Small(table.image()).verdict({ subject: 0, direction: "egress", identity: 1, protocol: "UDP", port: 53 });
answerScenario({}).queries.length;
try {
  engine.free();
} catch (error) {
  if (error instanceof NetverdictError) error.code satisfies string;
}

// @ts-expect-error a flow has a port, or a type of ICMP
engine.verdict({ from: "a/b", to: "a/c" });
// @ts-expect-error no such setting
new Engine({ nonsense: true });
// @ts-expect-error no such enforcement
new Engine({ config: { enforcement: "sometimes" } });
// @ts-expect-error the kinds are two
engine.generate({ from: "a/b", to: "a/c", ports: [], kind: "Policy" });
// @ts-expect-error a wish names its ports
engine.generate({ from: "a/b", to: "a/c" });
// @ts-expect-error a wish or a recording is needed
engine.generate({});
// @ts-expect-error there may be nothing to show
engine.hover("a.yaml", 3).text;
// @ts-expect-error a document by name and an offset
engine.complete("a.yaml");
// @ts-expect-error answers are not for writing
all.connections[0]!.from = "me";
// @ts-expect-error only steps that add have a text
((step: Step) => step.text)({} as Step);
// @ts-expect-error not a verdict
verdict === "maybe";
// @ts-expect-error directions are two
table.verdict({ subject: 0, direction: "out", identity: 1, protocol: 6 });

export { answers, denied, generated, line, now, proposals, shown, text, there, why };
