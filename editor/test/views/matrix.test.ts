// The matrix's model.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connectivity, OpenPorts } from "netverdict";
import { cellName, matrixModel, type MatrixWish } from "../../src/view/matrix/model";

const tcp = (port: number): OpenPorts => ({ protocol: "TCP", ports: [[port, port]], l7: null, auth: false });
const http: OpenPorts = { ...tcp(8080), l7: "http", requests: ["GET /"] };
const [A, B, C] = ["x/a[Pod]", "x/b[Pod]", "w/c[Pod]"];
const connectivity: Connectivity = {
  workloads: [A, B, C],
  peers: ["entity:world"],
  connections: [
    { from: A, to: B, allowed: [tcp(80)], egress: "default", ingress: "allowed" },
    { from: A, to: C, allowed: [http], egress: "default", ingress: "allowed" },
    { from: B, to: C, allowed: [tcp(443)], egress: "default", ingress: "allowed" },
    { from: "entity:world", to: C, allowed: [], unknown: "an address", egress: "default", ingress: "allowed" },
  ],
};
const wish = (more: Partial<MatrixWish> = {}): MatrixWish => ({ from: "", to: "", port: null, onlyOpen: false, order: "namespace", rowsBy: null, columnsBy: null, ...more });

test("rows and columns are all ends, by namespace", () => {
  const model = matrixModel(connectivity, wish());
  assert.deepEqual(model.rows, [C, A, B, "entity:world"]);
  assert.equal(model.open, 4);
  assert.equal(model.cell(A, C).kind, "proxied");
  assert.equal(model.cell("entity:world", C).kind, "unknown");
  assert.equal(cellName(B, A, model.cell(B, A)), "x/b to x/a: denied");
});

test("filters", () => {
  assert.deepEqual(matrixModel(connectivity, wish({ from: "x/ pod", to: "c" })).columns, [C]);
  const only = matrixModel(connectivity, wish({ onlyOpen: true }));
  assert.deepEqual([only.rows, only.columns], [[A, B, "entity:world"], [C, B]]);
  const port = matrixModel(connectivity, wish({ port: { port: 443, protocol: null }, onlyOpen: true }));
  assert.equal(port.cell(B, C).text, "open");
  assert.equal(port.cell(A, B).kind, "denied");
});

test("orders", () => {
  assert.deepEqual(matrixModel(connectivity, wish({ order: "name" })).rows.slice(0, 3), [A, B, C]);
  assert.deepEqual(matrixModel(connectivity, wish({ order: "open" })).columns.slice(0, 2), [C, B]);
  assert.deepEqual(matrixModel(connectivity, wish({ rowsBy: B })).rows[0], A);
  assert.deepEqual(matrixModel(connectivity, wish({ columnsBy: B })).columns[0], C);
});
