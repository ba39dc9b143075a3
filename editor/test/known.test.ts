import assert from "node:assert/strict";
import test from "node:test";
import type { Connection, ConnectivityChange, Diagnostic } from "netverdict";
import { DiagnosticsTold, KnownConnections, KnownDiagnostics } from "../src/engine/known";

const diagnostic = (message: string): Diagnostic => ({ code: "NV0001", message }) as Diagnostic;
const connection = (from: string, to: string): Connection => ({ from, to, ports: [] }) as unknown as Connection;

test("diagnostics that stay do not travel again", () => {
  const [told, known] = [new DiagnosticsTold(), new KnownDiagnostics()];
  const [a, b, c] = [diagnostic("a"), diagnostic("b"), diagnostic("c")];
  const travel = (all: readonly Diagnostic[]) => {
    const change = structuredClone(told.change(all));
    return { sent: change.fresh.map(([, d]) => d.message), all: known.after(change) };
  };
  const first = travel([a, b]);
  assert.deepEqual(first, { sent: ["a", "b"], all: [a, b] });
  const second = travel([c, b, b]);
  assert.deepEqual(second, { sent: ["c"], all: [c, b, b] });
  assert.equal(second.all[1], first.all[1]);
  // What went and comes again is told again.
  assert.deepEqual(travel([a]), { sent: ["a"], all: [a] });
  assert.deepEqual(travel([]), { sent: [], all: [] });
});

test("connections are put together from what changed", () => {
  const known = new KnownConnections();
  const change = (more: Partial<ConnectivityChange>): ConnectivityChange => ({ revision: 1, peers: null, connections: [], closed: [], ...more });
  const peers = { workloads: ["a/x[Pod]", "b/y[Pod]"], peers: ["entity:world"] };
  const open = [connection("b/y[Pod]", "entity:world"), connection("b/y[Pod]", "a/x[Pod]"), connection("a/x[Pod]", "b/y[Pod]")];
  const first = known.after(change({ peers, connections: open }), true);
  assert.deepEqual(first, { ...peers, connections: [open[2], open[1], open[0]] });
  assert.equal(known.after(change({}), false), first);
  const other = connection("b/y[Pod]", "a/x[Pod]");
  const second = known.after(change({ connections: [other], closed: [{ from: "a/x[Pod]", to: "b/y[Pod]" }] }), false);
  assert.deepEqual(second.connections, [other, open[0]]);
  assert.equal(second.connections[1], open[0]);
  const third = known.after(change({ peers: { workloads: ["b/y[Pod]"], peers: ["entity:world"] } }), false);
  assert.deepEqual(third, { workloads: ["b/y[Pod]"], peers: ["entity:world"], connections: [open[0]] });
  // Another engine, for instance one that was started again.
  assert.deepEqual(known.after(change({ peers, connections: [open[2]!] }), true).connections, [open[2]]);
});
