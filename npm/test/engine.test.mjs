// The package in Node, on the first example.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Engine, NetverdictError, PACKAGE, Table, answerScenario, compileScenario, example as open, init, mend, readAnswer, url } from "./package.mjs";

test("the example has nothing wrong, and its workloads", () => {
  const engine = open();
  assert.deepEqual(engine.diagnostics().filter((d) => d.severity === "error"), []);
  const names = engine.workloads().map((w) => w.name);
  assert.ok(names.length >= 3, names.join());
  assert.ok(engine.documents().includes("policies/database.yaml"));
  assert.ok(engine.identities().length >= 3);
  engine.free();
});

test("a verdict names the rule and its place", () => {
  const engine = open();
  const [api, database] = ["backend", "database"].map((n) => engine.workloads().find((w) => w.name.endsWith(`/${n}`)).name);
  const allowed = engine.verdict({ from: api, to: database, port: "7379/TCP" });
  assert.equal(allowed.verdict, "allow");
  assert.match(allowed.ingress.rules[0].at, /^policies\/database\.yaml:\d+:\d+$/);
  const denied = engine.explain({ from: "world", to: database, port: "7379/TCP" });
  assert.equal(denied.verdict, "default-deny");
  assert.ok(denied.ingress.explanation, "why");
  assert.throws(() => engine.verdict({ from: "nobody/here", to: database, port: "1/TCP" }), (error) => {
    return error instanceof NetverdictError && error.code === "question" && /nobody/.test(error.message);
  });
  assert.throws(() => engine.verdict({ from: api, to: database }), { code: "question" });
  engine.free();
});

test("diagnostics stand on the right characters, and fixes mend", () => {
  const engine = new Engine();
  const text = [
    "# 😀 a comment beyond the first plane",
    "apiVersion: cilium.io/v2",
    "kind: CiliumNetworkPolicy",
    "metadata: {name: web, namespace: shop}",
    "spec:",
    "  endpointSelector: {}",
    "  ingress:",
    "  - fromCIDR: [10.0.0.0/33]",
    "",
  ].join("\n");
  engine.set("web.yaml", text);
  const [wrong] = engine.diagnostics("web.yaml").filter((d) => d.severity === "error");
  const { start, end } = wrong.range;
  assert.equal(start.line, 8);
  assert.equal(text.slice(start.offset, end.offset), "10.0.0.0/33");
  engine.set("web.yaml", text.replace("/33", "/8"));
  assert.deepEqual(engine.diagnostics("web.yaml").filter((d) => d.severity === "error"), []);
  engine.set("typo.yaml", text.replace("/33", "/8").replace("name: web", "name: typo").replace("fromCIDR", "fromCidr"));
  const fixable = engine.diagnostics("typo.yaml").find((d) => d.fixes.length > 0);
  const mended = mend(engine.text("typo.yaml"), fixable.fixes[0].edits);
  engine.set("typo.yaml", mended);
  assert.ok(!engine.diagnostics("typo.yaml").some((d) => d.code === fixable.code), mended);
  engine.free();
});

test("documents come, change and go", () => {
  const engine = open();
  const before = engine.workloads().length;
  engine.set("more.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: more, namespace: shop}\n");
  assert.equal(engine.workloads().length, before + 1);
  engine.set("more.yaml", "");
  assert.equal(engine.workloads().length, before);
  assert.equal(engine.remove("more.yaml"), true);
  assert.equal(engine.remove("more.yaml"), false);
  assert.equal(engine.text("more.yaml"), null);
  engine.free();
});

test("who reaches whom, and what a change closes", () => {
  const [before, after] = [open(), open()];
  const file = "policies/database.yaml";
  after.set(file, after.text(file).replace("tier: backend}", "tier: other}"));
  const reach = before.reach().connections.find((c) => /backend/.test(c.from) && /database/.test(c.to));
  assert.deepEqual(reach.allowed[0].ports, [[7379, 7379]]);
  assert.ok(before.reach({ withDenied: true }).connections.length > before.reach().connections.length);
  const { changes } = after.diff(before);
  assert.equal(changes.length, 1);
  assert.equal(changes[0].kind, "closed");
  assert.match(changes[0].sides[0].before.rules[0].at, /^policies\/database\.yaml:/);
  assert.deepEqual(before.diff(before).changes, []);
  for (const engine of [before, after]) engine.free();
});

test("layer 7 is decided", () => {
  const engine = new Engine({ config: { enforcement: "default" } });
  const pod = (name) => `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: a, labels: {app: ${name}}}\n---\n`;
  engine.set(
    "all.yaml",
    `${pod("one")}${pod("two")}apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: two, namespace: a}\n` +
      "spec: {endpointSelector: {matchLabels: {app: two}}, ingress: [{fromEndpoints: [{}], toPorts: [{ports: [{port: '80', protocol: TCP}], " +
      "rules: {http: [{method: GET, path: /docs}]}}]}]}\n",
  );
  const ask = (path) => engine.verdict({ from: "a/one", to: "a/two", port: "80/TCP", http: { method: "GET", path } });
  assert.equal(ask("/docs").verdict, "redirect");
  assert.equal(ask("/docs").layer7.outcome, "forwarded");
  assert.equal(ask("/secret").layer7.outcome, "403");
  engine.free();
});

test("tables answer as the engine does", async () => {
  const engine = open();
  const table = engine.compile();
  assert.ok(table.subjects > 0);
  const alone = await import(url("table/node.js"));
  const copy = new alone.Table(table.image());
  const workloads = engine.workloads();
  for (const from of workloads) {
    for (const to of workloads.filter((w) => w !== from)) {
      const subject = table.subjectOfIdentity(to.identity);
      if (subject === null) continue;
      for (const port of [80, 443, 7379, 8080]) {
        const side = engine.verdict({ from: from.name, to: to.name, port: `${port}/TCP` }).ingress;
        const question = { subject, direction: "ingress", identity: from.identity, protocol: "TCP", port };
        const answer = table.verdict(question);
        assert.equal(answer.allowed, ["allow", "redirect"].includes(side.verdict), `${from.name} ${to.name} ${port}`);
        assert.deepEqual(copy.verdict(question), answer);
      }
    }
  }
  const count = 1000;
  const columns = {
    subjects: new Uint32Array(count),
    directions: new Uint8Array(count),
    identities: Uint32Array.from({ length: count }, (_, i) => i),
    protocols: new Uint8Array(count).fill(6),
    ports: new Uint16Array(count).fill(7379),
  };
  const answers = table.batch(columns);
  for (const i of [0, 1, 2, 999]) {
    const one = table.verdict({ subject: 0, direction: "ingress", identity: i, protocol: 6, port: 7379 });
    assert.deepEqual(readAnswer(answers, i), one);
  }
  assert.throws(() => new Table(new Uint8Array(200)), { code: "image" });
  for (const thing of [table, copy, engine]) thing.free();
});

test("CommonJS, inline and slim are the same", async () => {
  const { createRequire } = await import("node:module");
  const cjs = createRequire(import.meta.url)(join(PACKAGE, "node.cjs"));
  assert.equal(new cjs.Engine().documents().length, 0);
  const inline = await import(url("inline.js"));
  await inline.init();
  assert.equal(new inline.Engine().documents().length, 0);
  const slim = await import(url("slim.js"));
  await slim.init(readFileSync(join(PACKAGE, "netverdict.wasm")));
  assert.equal(new slim.Engine().documents().length, 0);
  await init();
});

test("wrong settings are refused", () => {
  assert.throws(() => new Engine({ nonsense: 1 }), { code: "settings" });
  assert.throws(() => answerScenario({ nonsense: 1 }), { code: "scenario" });
  assert.throws(() => compileScenario({ nonsense: 1 }), { code: "scenario" });
});

test("ten thousand edits take no more memory than a thousand", () => {
  const engine = open();
  const policy = engine.text("policies/database.yaml");
  const sizes = [];
  for (let i = 1; i <= 10_000; i += 1) {
    engine.set("policies/database.yaml", `${policy}\n# ${i % 7}\n`);
    if (i % 1000 === 0) {
      engine.diagnostics();
      sizes.push(engine.memory);
    }
  }
  assert.equal(sizes.at(-1), sizes[0], sizes.join());
  engine.free();
});
