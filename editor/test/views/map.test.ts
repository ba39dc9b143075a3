// The map's model and layout.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connectivity, OpenPorts } from "netverdict";
import { asked, compareEnds, endOf, nameOf } from "../../src/view/end";
import type { Box } from "../../src/view/map/box";
import { kept, layOut } from "../../src/view/map/layout";
import { packed } from "../../src/view/map/packed";
import { closedAtFirst, edgeName, mapModel, type Connection, type MapWish } from "../../src/view/map/model";
import { nearest } from "../../src/view/map/nearest";
import { fitting, zoomed } from "../../src/view/map/viewport";
import { isEverything, openAt, samples, shortPorts, wantedPort } from "../../src/view/ports";
import { rangeAt } from "../../src/view/place";

const tcp = (...ports: number[]): OpenPorts => ({ protocol: "TCP", ports: ports.map((p) => [p, p] as const), l7: null, auth: false });
const everything: OpenPorts[] = [
  ...["TCP", "UDP", "SCTP"].map((protocol): OpenPorts => ({ protocol, ports: [[1, 65535]], l7: null, auth: false })),
  ...["ICMP", "ICMPv6"].map((protocol): OpenPorts => ({ protocol, ports: [[0, 255]], l7: null, auth: false })),
  { protocol: "other", ports: [], l7: null, auth: false },
];
const WEB = "shop/web[Deployment]";
const API = "shop/api[Deployment]";
const DNS = "kube-system/coredns[Deployment]";
const connection = (from: string, to: string, allowed: OpenPorts[], egress: Connection["egress"], ingress: Connection["ingress"]): Connection => ({ from, to, allowed, egress, ingress });
const wish = (more: Partial<MapWish> = {}): MapWish => ({ unrestricted: false, closed: new Set(), oneSided: [], ...more });

const cluster: Connectivity = {
  workloads: [DNS, API, WEB],
  peers: ["cidr:192.0.2.0/24", "entity:host", "entity:world"],
  connections: [
    connection(WEB, API, [tcp(8080)], "default", "allowed"),
    connection("entity:world", WEB, [tcp(80, 443)], "default", "allowed"),
    connection("cidr:192.0.2.0/24", WEB, [tcp(80, 443)], "default", "allowed"),
    connection("entity:host", API, everything, "default", "allowed"),
    connection(WEB, DNS, everything, "default", "default"),
    connection(API, DNS, [{ protocol: "UDP", ports: [[53, 53]], l7: "dns", auth: false, requests: ["queries for *"] }], "allowed", "default"),
  ],
};

test("what says nothing is left out", () => {
  const model = mapModel(cluster, wish());
  assert.deepEqual(model.edges.map((e) => [nameOf(e.from), nameOf(e.to), e.label, e.proxies.join()]), [
    ["shop/web", "shop/api", "8080", ""],
    ["world", "shop/web", "80, 443", ""],
    ["shop/api", "kube-system/coredns", "53 UDP", "dns"],
  ]);
  assert.equal(model.unrestricted, 2);
  assert.ok(!model.nodes.some((n) => n.id === "entity:host" || n.kind === "cidr"));
  const all = mapModel(cluster, wish({ unrestricted: true }));
  assert.equal(all.edges.filter((e) => e.kind === "unrestricted").length, 2);
});

test("an address that may less than the world is shown", () => {
  const connections = cluster.connections.map((c) => (c.from.startsWith("cidr:") ? { ...c, allowed: [tcp(80)] } : c));
  assert.ok(mapModel({ ...cluster, connections }, wish()).nodes.some((n) => n.kind === "cidr"));
});

test("sides without a policy are open", () => {
  const open = new Map(mapModel(cluster, wish()).nodes.map((n) => [n.label, n.open]));
  assert.deepEqual(open.get("web"), { ingress: false, egress: true });
  assert.deepEqual(open.get("api"), { ingress: false, egress: false });
});

test("one-sided connections say who denies", () => {
  const oneSided = [connection(API, WEB, [], "allowed", "denied"), connection(WEB, DNS, [], "default", "denied")];
  const edges = mapModel(cluster, wish({ oneSided })).edges.filter((e) => e.kind === "one-sided");
  assert.equal(edges.length, 1);
  assert.match(edgeName(edges[0]!, nameOf), /shop\/api to shop\/web: .*receiver's policy/);
});

test("closed namespaces gather their edges", () => {
  const model = mapModel(cluster, wish({ closed: new Set(["shop"]) }));
  assert.deepEqual(model.boxes, ["kube-system"]);
  assert.deepEqual(model.edges.map((e) => [e.from, e.to, e.connections.length]), [
    ["entity:world", "namespace:shop", 1],
    ["namespace:shop", DNS, 1],
  ]);
  assert.equal(model.nodes.find((n) => n.id === "namespace:shop")?.sort, "2 workloads");
  assert.equal(closedAtFirst(cluster).size, 0);
  assert.deepEqual([...closedAtFirst(cluster, 2)], ["kube-system", "shop"]);
});

const covers = (a: Box, b: Box): boolean => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

test("a layout covers nothing and has each workload in its box", () => {
  const model = mapModel(cluster, wish());
  for (const room of [{ width: 900, height: 300 }, { width: 300, height: 900 }]) {
    const layout = layOut(model, room);
    const solid = [...layout.boxes.values(), ...model.nodes.filter((n) => n.namespace === "").map((n) => layout.nodes.get(n.id)!)];
    for (const a of solid) for (const b of solid) assert.ok(a === b || !covers(a, b));
    for (const node of model.nodes) {
      const [at, box] = [layout.nodes.get(node.id)!, layout.boxes.get(node.namespace)];
      if (box) assert.ok(at.x >= box.x && at.y >= box.y && at.x + at.width <= box.x + box.width && at.y + at.height <= box.y + box.height);
    }
    assert.ok(layout.routes.size === model.edges.length);
    assert.equal(layout.bounds.width > layout.bounds.height, room.width > room.height);
  }
});

test("a large layout covers nothing either, and takes no time", () => {
  const workloads = Array.from({ length: 300 }, (_, i) => `team-${i % 20}/svc-${i}[Deployment]`);
  const connections = workloads.flatMap((to, i) => [1, 7].map((by) => connection(workloads[(i * by + 3) % 300]!, to, [tcp(8080)], "default", "allowed")));
  const model = mapModel({ workloads, peers: ["entity:world"], connections: [...connections, connection("entity:world", workloads[0]!, [tcp(80)], "default", "allowed")] }, wish());
  const start = performance.now();
  const layout = layOut(model);
  assert.ok(performance.now() - start < 1000);
  assert.equal(layout.nodes.size, 301);
  const solid = [...layout.nodes.values()];
  for (const a of solid) for (const b of solid) assert.ok(a === b || !covers(a, b));
  assert.deepEqual([...packed(model, model.edges, 1).boxes.keys()], model.boxes);
});

test("what stays keeps its place; new ones find a free one", () => {
  const before = layOut(mapModel(cluster, wish()));
  const without = { ...cluster, connections: cluster.connections.slice(1) };
  const fewer = kept(mapModel(without, wish()), before);
  assert.deepEqual(fewer?.nodes.get(API), before.nodes.get(API));
  const more = mapModel({ ...cluster, workloads: [...cluster.workloads, "shop/new[Pod]"] }, wish());
  const after = kept(more, before);
  assert.deepEqual(after?.nodes.get(WEB), before.nodes.get(WEB));
  const fresh = after?.nodes.get("shop/new[Pod]");
  assert.ok(fresh && ![...before.nodes.values()].some((b) => covers(b, fresh)));
  const many = mapModel({ ...cluster, workloads: Array.from({ length: 9 }, (_, i) => `a/w${i}[Pod]`) }, wish());
  assert.equal(kept(many, before), null);
});

test("arrow keys go to what is next", () => {
  const places = new Map([["a", { x: 0, y: 0 }], ["b", { x: 100, y: 10 }], ["c", { x: 60, y: 90 }]]);
  assert.equal(nearest(places, "a", 1, 0), "b");
  assert.equal(nearest(places, "a", 0, 1), "c");
  assert.equal(nearest(places, "a", -1, 0), null);
});

test("zooming keeps the point under the pointer", () => {
  const window = zoomed({ x: 10, y: 20, scale: 1 }, 2, 100, 100);
  assert.deepEqual(window, { scale: 2, x: -80, y: -60 });
  assert.ok(fitting({ x: 0, y: 0, width: 4000, height: 100 }, 800, 600).scale < 0.2);
});

test("ends", () => {
  assert.deepEqual([endOf(WEB).name, endOf(WEB).namespace, endOf(WEB).sort], ["web", "shop", "Deployment"]);
  assert.equal(asked("fqdn:*.example.com"), "any.example.com");
  assert.equal(asked("entity:world"), "world");
  assert.deepEqual(["cidr:10.0.0.0/8", "entity:world", WEB, API].sort(compareEnds), [API, WEB, "entity:world", "cidr:10.0.0.0/8"]);
});

test("ports in few words", () => {
  assert.equal(shortPorts(everything), "all");
  assert.ok(isEverything(everything));
  assert.equal(shortPorts([tcp(80, 443)]), "80, 443");
  const dns = ["TCP", "UDP", "SCTP"].map((protocol): OpenPorts => ({ protocol, ports: [[53, 53]], l7: null, auth: false }));
  assert.equal(shortPorts(dns), "53 any");
  assert.deepEqual(samples([tcp(80, 443)]), ["80/TCP", "443/TCP"]);
  assert.deepEqual(wantedPort("53/udp"), { port: 53, protocol: "UDP" });
  assert.equal(wantedPort("99999"), null);
  assert.equal(wantedPort("x y"), null);
  assert.equal(openAt([tcp(80)], { port: 80, protocol: null }).length, 1);
  assert.equal(openAt([tcp(80)], { port: 81, protocol: null }).length, 0);
});

test("a rule's place is the whole rule", () => {
  const text = "spec:\n  ingress:\n  - fromEndpoints:\n    - {}\n\n    toPorts: []\n  - {}\n";
  const range = rangeAt("a:b.yaml:3:5", new Map([["a:b.yaml", text]]));
  assert.equal(text.slice(range!.start.offset, range!.end.offset), "- fromEndpoints:\n    - {}\n\n    toPorts: []");
  assert.equal(rangeAt("c.yaml:9:1", new Map([["c.yaml", text]])), null);
  assert.equal(rangeAt("gone.yaml:1:1", new Map()), null);
});
