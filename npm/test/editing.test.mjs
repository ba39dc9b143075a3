// What an editor asks: places, changes, recordings.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { city, typing } from "./city.mjs";
import { example, Engine, mend } from "./package.mjs";

const CNP = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n";
const pod = (name, labels = `{app: ${name}}`, namespace = "shop") =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: ${namespace}, labels: ${labels}}\n` +
  "spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}\n";
const lock = (name, namespace = "shop") =>
  `${CNP}metadata: {name: ${name}-lock, namespace: ${namespace}}\nspec: {endpointSelector: {matchLabels: {app: ${name}}}, ingress: [{}]}\n`;

/** The text without its mark `|`, and where that was. */
const marked = (text) => [text.replace("|", ""), text.indexOf("|")];
const slice = (engine, range) => engine.text(range.document).slice(range.start.offset, range.end.offset);

test("hover shows the field's doc and whom a selector selects", () => {
  const engine = new Engine();
  engine.set("pods.yaml", [pod("web"), pod("api")].join("---\n"));
  const [text, at] = marked(`# 😀\n${CNP}metadata: {name: web, namespace: shop}\nspec:\n  endpoint|Selector:\n    matchLabels:\n      app: web\n  ingress: [{}]\n`);
  engine.set("web.yaml", text);
  const shown = engine.hover("web.yaml", at);
  assert.equal(slice(engine, shown.range), "endpointSelector");
  assert.match(shown.text, /\*\*endpointSelector\*\*/);
  assert.match(shown.text, /selects 1 workload: `shop\/web`/);
  assert.equal(engine.hover("web.yaml", 1), null);
  assert.equal(engine.hover("nothing.yaml", 1), null);
  assert.equal(engine.hover("web.yaml", 1e9), null);
  engine.free();
});

test("completion proposes what exists, and what it replaces", () => {
  const engine = new Engine();
  engine.set("pods.yaml", [pod("web"), pod("api")].join("---\n"));
  const head = `# 😀\n${CNP}metadata:\n  name: web\n  namespace: shop\n`;
  const take = (typed, label) => {
    const [text, at] = marked(head + typed);
    engine.set("web.yaml", text);
    const one = engine.complete("web.yaml", at).find((c) => c.label === label);
    assert.ok(one, `${typed}: ${engine.complete("web.yaml", at).map((c) => c.label)}`);
    return mend(text, [{ range: one.range, text: one.insert }]).slice(head.length);
  };
  assert.equal(take("spec:\n  endp|", "endpointSelector"), "spec:\n  endpointSelector: ");
  assert.equal(take("spec:\n  endpointSelector:\n    matchLabels:\n      app: |", "api"), "spec:\n  endpointSelector:\n    matchLabels:\n      app: api");
  assert.equal(take("spec:\n  ingress:\n  - fromEntities:\n    - wo|", "world"), "spec:\n  ingress:\n  - fromEntities:\n    - world");
  assert.equal(take("spec:\n  ingress:\n  - toPorts:\n    - ports:\n      - port:|", '"8080"'), 'spec:\n  ingress:\n  - toPorts:\n    - ports:\n      - port: "8080"');
  const [text, at] = marked(`${head}spec:\n  |`);
  engine.set("web.yaml", text);
  const field = engine.complete("web.yaml", at).find((c) => c.label === "endpointSelector");
  assert.equal(field.kind, "key");
  assert.match(field.detail, /pods/);
  assert.deepEqual(engine.complete("nothing.yaml", 0), []);
  engine.free();
});

test("definitions lead to the workloads with a label", () => {
  const engine = new Engine();
  engine.set("pods.yaml", [pod("web"), pod("web-2", "{app: web}"), pod("api")].join("---\n"));
  const [text, at] = marked(`${CNP}metadata: {name: web, namespace: shop}\nspec:\n  endpointSelector:\n    matchLabels:\n      app: w|eb\n`);
  engine.set("web.yaml", text);
  const all = engine.definitions("web.yaml", at);
  assert.deepEqual(all.map((r) => slice(engine, r).match(/name: (\S+),/)[1]), ["web", "web-2"]);
  assert.deepEqual(engine.definition("web.yaml", at), all[0]);
  assert.equal(engine.definition("web.yaml", 0), null);
  engine.free();
});

test("the policies of a workload, and where each rule stands", () => {
  const engine = example();
  const { workload, ingress, egress } = engine.policies("shop/database");
  assert.equal(workload, "shop/database");
  assert.ok(ingress.enforced && ingress.defaultDeny && egress.enforced);
  const rule = ingress.rules.find((r) => r.ports.length > 0 && r.peers.some((p) => /backend/.test(p)));
  assert.equal(rule.verdict, "allow");
  assert.deepEqual(rule.ports, ["7379/TCP"]);
  const range = engine.locate(rule);
  assert.equal(range.document, "policies/database.yaml");
  assert.match(slice(engine, range), /tier: backend/);
  assert.equal(engine.locate({ rule: "", path: "", at: "nothing:1:1" }), null);
  assert.equal(engine.policies("shop/database[Deployment]").identity, engine.policies("shop/database").identity);
  assert.throws(() => engine.policies("shop/nobody"), { code: "question" });
  engine.free();
});

/** Does what a remedy says. */
const apply = (engine, remedy) => {
  for (const step of remedy.steps) {
    if (step.kind === "add") engine.set(step.document, step.text);
    else {
      assert.ok(step.edits.length > 0, step.object);
      const name = step.edits[0].range.document;
      engine.set(name, mend(engine.text(name), step.edits));
    }
  }
};

test("remedies let the flow through and do what they say", () => {
  const open = () => {
    const engine = new Engine();
    engine.set("pods.yaml", [pod("web"), pod("api"), pod("other")].join("---\n"));
    engine.set("lock.yaml", `${lock("api")}---\n${lock("other")}`);
    return engine;
  };
  const flow = { from: "shop/web", to: "shop/api", port: "8080/TCP" };
  const before = open();
  assert.equal(before.verdict(flow).verdict, "default-deny");
  const ways = before.remedies(flow);
  assert.ok(ways.some((w) => w.steps.some((s) => s.kind === "remove")), JSON.stringify(ways));
  for (const way of ways) {
    const after = open();
    apply(after, way);
    assert.equal(after.verdict(flow).verdict, "allow", way.title);
    const { changes } = after.diff(before);
    // What it does beyond is what is different but for the flow itself.
    const pairs = (list) => new Set(list.map((c) => `${c.kind} ${c.from} ${c.to}`));
    const asked = "opened shop/web[Pod] shop/api[Pod]";
    const found = pairs(changes);
    for (const pair of pairs(way.beyond)) assert.ok(found.has(pair), pair);
    for (const pair of found) assert.ok(pair === asked || pairs(way.beyond).has(pair), pair);
    after.free();
  }
  assert.deepEqual(ways[0].beyond, []);
  assert.match(ways[0].title, /^Add policy shop\/suggested-ingress-1$/);
  apply(before, ways[0]);
  assert.deepEqual(before.remedies(flow), []);
  // A second one takes neither the document nor the name of the first.
  const again = before.remedies({ ...flow, to: "shop/other" });
  assert.notEqual(again[0].steps[0].document, ways[0].steps[0].document);
  apply(before, again[0]);
  assert.equal(before.verdict(flow).verdict, "allow");
  assert.throws(() => before.remedies({ ...flow, from: "shop/nobody" }), { code: "question" });
  before.free();
});

test("recordings are replayed, newly denied first", () => {
  const engine = new Engine();
  engine.set("pods.yaml", [pod("web"), pod("api")].join("---\n"));
  const flow = (from, to, port) =>
    JSON.stringify({
      flow: {
        verdict: "FORWARDED",
        IP: { source: "10.0.0.1", destination: "10.0.0.2", ipVersion: "IPv4" },
        l4: { TCP: { destination_port: port, flags: { SYN: true } } },
        source: { namespace: "shop", pod_name: from, labels: [`k8s:app=${from}`, "k8s:io.kubernetes.pod.namespace=shop"] },
        destination: { namespace: "shop", pod_name: to, labels: [`k8s:app=${to}`, "k8s:io.kubernetes.pod.namespace=shop"] },
        traffic_direction: "INGRESS",
        is_reply: false,
      },
    });
  const recording = [flow("api", "web", 8080), "{nonsense", flow("web", "api", 8080), flow("web", "api", 8080)].join("\n");
  const quiet = engine.replay(recording);
  assert.deepEqual(quiet.connections.map((c) => c.change), ["same", "same"]);
  assert.equal(quiet.malformed, 1);
  assert.equal(quiet.problems[0].at, "recording:2");
  engine.set("lock.yaml", lock("api"));
  const { connections } = engine.replay(recording, "hubble.jsonl");
  assert.deepEqual(connections.map((c) => [c.change, c.from, c.to, c.flows]), [
    ["newly-denied", "shop/web", "shop/api", 2],
    ["same", "shop/api", "shop/web", 1],
  ]);
  assert.equal(connections[0].first, "hubble.jsonl:3");
  assert.match(connections[0].rules[0].at, /^lock.yaml:/);
  // And policies that allow what was recorded.
  const generated = engine.generate({ recording });
  assert.equal(generated.met, generated.needed);
  assert.deepEqual([generated.unmet, generated.leftOut, generated.refused], [[], [], []]);
  assert.equal(generated.malformed, 1);
  for (const { document, text } of generated.policies) engine.set(document, text);
  assert.ok(engine.replay(recording).connections.every((c) => c.change === "same"));
  engine.free();
});

test("the example's recording", () => {
  const engine = example();
  const text = readFileSync(new URL("../../examples/recorded/hubble.jsonl", import.meta.url), "utf8");
  const { flows, connections } = engine.replay(text);
  assert.ok(flows > 0 && connections.length > 0);
  engine.free();
});

test("a click becomes a policy, proved", () => {
  for (const kind of ["CiliumNetworkPolicy", "NetworkPolicy"]) {
    const engine = new Engine();
    engine.set("pods.yaml", [pod("web"), pod("api"), pod("other")].join("---\n"));
    engine.set("lock.yaml", `${lock("web")}---\n${lock("api")}`);
    const generated = engine.generate({ kind, from: "shop/web", to: "shop/api[Pod]", ports: ["8080/TCP", "9090/TCP"] });
    assert.equal(generated.met, 2);
    assert.deepEqual(generated.opened, []);
    assert.ok(generated.yaml.includes(`kind: ${kind}\n`), generated.yaml);
    const opened = generated.effects.filter((e) => e.kind === "opened");
    assert.deepEqual(opened.map((e) => [e.from, e.to]), [["shop/web[Pod]", "shop/api[Pod]"]]);
    // The sender may say nothing else now, which is told.
    assert.ok(generated.effects.some((e) => e.kind === "closed" && e.from === "shop/web[Pod]"));
    const old = new Engine();
    for (const name of engine.documents()) old.set(name, engine.text(name));
    for (const { document, text } of generated.policies) engine.set(document, text);
    assert.deepEqual(engine.diagnostics().filter((d) => d.severity === "error"), []);
    assert.equal(engine.verdict({ from: "shop/web", to: "shop/api", port: "9090/TCP" }).verdict, "allow");
    const kinds = (list) => list.map((c) => `${c.kind} ${c.from} ${c.to}`).sort();
    assert.deepEqual(kinds(engine.diff(old).changes), kinds(generated.effects));
    assert.throws(() => engine.generate({ from: "shop/web", to: "shop/api", ports: [] }), { code: "question" });
    assert.throws(() => engine.generate({ nonsense: 1 }), { code: "question" });
    for (const one of [engine, old]) one.free();
  }
});

test("exposure shows who might come", () => {
  const engine = new Engine();
  engine.set("pods.yaml", pod("web"));
  const any = engine.reach({ exposure: true }).workloads.filter((w) => w.endsWith("[any]"));
  assert.ok(any.includes("*/*[any]"), any.join());
  assert.ok(!engine.reach().workloads.some((w) => w.endsWith("[any]")));
  engine.free();
});

test("connections that stay are the same objects, and changes can be sent on", () => {
  const engine = example();
  const before = engine.reach();
  assert.equal(engine.reach(), before);
  const known = new Map();
  let names;
  const follow = (revision) => {
    const change = engine.reachSince(revision);
    names = change.peers ?? names;
    const all = new Set([...names.workloads, ...names.peers]);
    for (const c of change.connections) known.set(`${c.from} ${c.to}`, c);
    for (const c of change.closed) known.delete(`${c.from} ${c.to}`);
    for (const [pair, c] of known) if (!all.has(c.from) || !all.has(c.to)) known.delete(pair);
    return change;
  };
  const byPair = (list) => new Map(list.map((c) => [`${c.from} ${c.to}`, c]));
  let { revision } = follow(0);
  assert.deepEqual(known, byPair(before.connections));
  const file = "policies/database.yaml";
  const texts = [
    engine.text(file).replace("tier: backend}", "tier: other}"),
    engine.text(file).replace("172.24.3.7/32", "172.24.0.0/16"),
    engine.text(file),
  ];
  for (const text of texts) {
    engine.set(file, text);
    const change = follow(revision);
    revision = change.revision;
    const after = engine.reach();
    assert.deepEqual(known, byPair(after.connections));
    assert.ok(change.connections.length < after.connections.length);
    // As another engine says that knew nothing before.
    const fresh = new Engine();
    for (const name of engine.documents()) fresh.set(name, engine.text(name));
    assert.deepEqual(after, fresh.reach());
    fresh.free();
  }
  assert.equal(engine.reach().connections.filter((c) => before.connections.includes(c)).length > 0, true);
  assert.deepEqual(engine.reach(), before);
  engine.free();
});

test("diagnostics that were kept are those of a fresh engine", () => {
  const documents = city(20, 40);
  const engine = new Engine();
  for (const [name, text] of documents) engine.set(name, text);
  const told = (all) => all.map((d) => JSON.stringify([d.code, d.range])).sort();
  let before = engine.diagnostics();
  let kept = 0;
  let step = 0;
  for (const [name, text] of typing(documents, 150)) {
    // Lines before it: every place in the document moves.
    const moved = step % 5 === 0 ? `# ${step}\n${text}` : text;
    documents.set(name, moved);
    engine.set(name, moved);
    const all = engine.diagnostics();
    kept += all.filter((d) => before.includes(d)).length;
    before = all;
    if ((step += 1) % 10 !== 0) continue;
    const fresh = new Engine();
    for (const [name, text] of documents) fresh.set(name, text);
    assert.deepEqual(told(all), told(fresh.diagnostics()), `step ${step}: ${name}`);
    fresh.free();
  }
  assert.ok(kept > 100 * before.length, `${kept} of ${before.length}`);
  engine.free();
});
