// A large cluster: 500 policies, 300 workloads. Keys are pressed, and the page
// itself measures from each to what is known of it.

import assert from "node:assert/strict";
import { inBrowser, open, openFile, p95, settled, shot } from "./harness.mjs";

const NAMESPACES = 30;
const WORKLOADS = 300;
const POLICIES = 500;

const workload = (i) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: app-${i}, namespace: ns-${i % NAMESPACES}}
spec:
  selector: {matchLabels: {app: app-${i}}}
  template:
    metadata: {labels: {app: app-${i}, team: t${i % 7}}}
    spec:
      containers:
      - {name: c, image: c, ports: [{name: http, containerPort: 8080}]}
`;

const policy = (i) => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: p-${i}, namespace: ns-${i % NAMESPACES}}
spec:
  endpointSelector:
    matchLabels: {app: app-${i % WORKLOADS}}
  ingress:
  - fromEndpoints:
    - matchLabels:
        app: app-${(i * 7 + NAMESPACES) % WORKLOADS}
        k8s:io.kubernetes.pod.namespace: ns-${((i * 7 + NAMESPACES) % WORKLOADS) % NAMESPACES}
    toPorts:
    - ports:
      - {port: "8080", protocol: TCP}
`;

inBrowser("a large cluster is followed as one types", async ({ t, page }) => {
  const documents = [];
  for (let ns = 0; ns < NAMESPACES; ns += 1) {
    const own = (n, make) => Array.from({ length: n }, (_, i) => i).filter((i) => i % NAMESPACES === ns).map(make).join("---\n");
    documents.push([`app/ns-${ns}.yaml`, own(WORKLOADS, workload)]);
    documents.push([`policies/ns-${ns}.yaml`, own(POLICIES, policy)]);
  }
  await open(page, documents);
  await settled(page);
  const first = await page.evaluate(() => performance.getEntriesByName("netverdict:snapshot").at(-1).duration);
  await openFile(page, "policies/ns-3.yaml");
  await page.keyboard.press("Control+End");
  await page.evaluate(() => {
    performance.clearMeasures();
    // From a key to the next picture, whatever the page does with it.
    window.presses = [];
    addEventListener("keydown", () => {
      const start = performance.now();
      requestAnimationFrame(() => setTimeout(() => window.presses.push(performance.now() - start)));
    }, true);
  });
  for (const key of "# a comment, then a rule that is not one yet: x") {
    await page.keyboard.type(key);
    await page.waitForTimeout(60);
  }
  await settled(page);
  const measured = await page.evaluate(() => {
    const of = (name) => performance.getEntriesByName(name).map(({ duration, detail }) => ({ duration, engineMs: detail.engineMs }));
    return { diagnostics: of("netverdict:diagnostics"), snapshot: of("netverdict:snapshot"), presses: window.presses };
  });
  const say = (what, values) => t.diagnostic(`${what}: p95 ${p95(values).toFixed(1)} ms of ${values.length}`);
  t.diagnostic(`${POLICIES} policies, ${WORKLOADS} workloads: all known ${first.toFixed(0)} ms after they came`);
  say("key to picture", measured.presses);
  say("key to diagnostics", measured.diagnostics.map((m) => m.duration));
  say("engine, diagnostics", measured.diagnostics.map((m) => m.engineMs));
  say("key to map and matrix", measured.snapshot.map((m) => m.duration));
  say("engine, everything", measured.snapshot.map((m) => m.engineMs));
  // Wide bounds: a busy machine is no fault. That keys are seen while the engine works is.
  assert.ok(measured.diagnostics.length >= 5, "diagnostics come while somebody types");
  assert.ok(p95(measured.presses) < 3000, "keys are shown while the engine works");
  await shot(page, "large");
});
