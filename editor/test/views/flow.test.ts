// Questions, words and the comparison's Markdown.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Difference, Flow, Side } from "netverdict";
import { markdown } from "../../src/view/compare/markdown";
import { documentsOf } from "../../src/view/compare/folder";
import { portList } from "../../src/view/create/ports";
import { EMPTY, portFields, questionOf, type Fields } from "../../src/view/flow/question";
import { selectorText, summary } from "../../src/view/wording";

const ask = (some: Partial<Fields>): ReturnType<typeof questionOf> => questionOf({ ...EMPTY, from: "a/b", to: "c/d", port: "80", ...some });

test("fields become a question", () => {
  assert.deepEqual(ask({}), { question: { from: "a/b", to: "c/d", port: "80/TCP" } });
  assert.deepEqual(ask({ protocol: "ICMP", port: "" }), { question: { from: "a/b", to: "c/d", icmp: "8" } });
  assert.deepEqual(ask({ protocol: "ICMPv6", port: "129/0" }), { question: { from: "a/b", to: "c/d", icmpv6: "129/0" } });
  assert.deepEqual(ask({ protocol: "GRE", request: "http" }), { question: { from: "a/b", to: "c/d", port: "GRE" } });
  assert.deepEqual(ask({ request: "http", path: "/x", host: "h", headers: "a: b:c\n\nd:" }), {
    question: { from: "a/b", to: "c/d", port: "80/TCP", http: { method: "GET", path: "/x", host: "h", headers: [["a", "b:c"], ["d", ""]] } },
  });
  assert.deepEqual(ask({ request: "dns", dns: " x.y " }), { question: { from: "a/b", to: "c/d", port: "80/TCP", dns: "x.y" } });
  assert.deepEqual(portFields("53/UDP"), { port: "53", protocol: "UDP" });
});

test("what is missing is named by its field", () => {
  const field = (some: Partial<Fields>): string => {
    const result = ask(some);
    return "field" in result ? result.field : "none";
  };
  assert.deepEqual(
    [{ from: " " }, { to: "" }, { port: "" }, { port: "70000" }, { port: "http" }, { request: "http", path: "x" }, { request: "http", headers: "x" }, { request: "sni" }].map((f) => field(f as Partial<Fields>)),
    ["from", "to", "port", "port", "port", "path", "headers", "sni"],
  );
});

const side = (direction: Side["direction"], verdict: Side["verdict"]): Side => ({ direction, subject: "a/b", verdict, matchType: "none", code: 0, rules: [], defaultDenyBy: [] });
const flow = (egress: Side, ingress: Side, more: Partial<Flow> = {}): Flow => ({ from: "a/b", to: "c/d", protocol: "TCP", port: 80, verdict: ingress.verdict, egress, ingress, ...more });

test("a verdict in one line", () => {
  assert.match(summary(flow(side("egress", "allow"), side("ingress", "default-deny"))).detail, /^ingress of a\/b: no rule allows it/);
  const layer7 = { sent: "GET /x", outcome: "403", egress: null, ingress: null } as const;
  assert.equal(summary(flow(side("egress", "allow"), side("ingress", "redirect"), { layer7 })).text, "Answered with 403 Access denied");
  assert.equal(summary(flow(side("egress", "allow"), side("ingress", "allow"))).detail, "No policy limits it.");
});

test("selectors without what everybody has", () => {
  assert.equal(selectorText("k8s:io.cilium.k8s.policy.cluster=default, k8s:io.kubernetes.pod.namespace=admin, k8s:app=x"), "namespace admin, app=x");
});

test("Markdown has a row for each change, and names cannot break out", () => {
  const said = (rule: string) => ({ verdict: "allow", rules: [{ rule, path: "spec", at: "a.yaml:1:1" }] }) as const;
  const difference: Difference = {
    compared: 9,
    appeared: ["x/new[Pod]"],
    disappeared: [],
    changes: [
      {
        kind: "opened",
        from: "x/a|`<img>[Pod]",
        to: "entity:world",
        ports: [{ protocol: "TCP", ports: [[80, 81]] }],
        before: null,
        after: { l7: "http", auth: false, requests: ["GET /a|b"] },
        sides: [{ direction: "egress", of: "x/a[Pod]", before: said("P/x/old"), after: said("P/x/new") }],
      },
    ],
  };
  const text = markdown(difference, "main");
  assert.match(text, /1 opened; 9 pairs compared\./);
  const row = text.split("\n").find((l) => l.startsWith("| opened"));
  assert.ok(row);
  assert.equal(row.replaceAll("\\|", "").split("|").length, 9);
  assert.match(row, /`` x\/a\\\|`<img> ``/);
  assert.match(row, /`P\/x\/new`/);
  assert.match(text, /New: `x\/new`/);
  assert.match(markdown({ ...difference, changes: [] }, "main"), /No connection is different/);
});

test("a folder's manifests, by their paths", async () => {
  const file = (path: string, size = 1): File => ({ name: path.split("/").pop(), webkitRelativePath: path, size, text: () => Promise.resolve("x") }) as unknown as File;
  const all = await documentsOf([file("top/a/b.yaml"), file("top/c.txt"), file("top/.git/d.yaml"), file("top/big.yml", 1 << 30)]);
  assert.deepEqual([...all.keys()], ["a/b.yaml"]);
});

test("ports as people type them", () => {
  assert.deepEqual(portList("443, 53/udp 53/UDP 8/icmp"), ["443/TCP", "53/UDP", "8/ICMP"]);
  assert.deepEqual(portList(" "), []);
  assert.equal(portList("http"), null);
  assert.equal(portList("70000"), null);
  assert.equal(portList("80/XYZ"), null);
});
