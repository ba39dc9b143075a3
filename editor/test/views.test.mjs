// The views, as a person uses them: map, matrix, flows, comparison, policies by clicking, recorded flows.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { edge, example, inBrowser, open, openFile, ready, retype, settled, shot, text } from "./harness.mjs";

const view = (page, name) => page.click(`[role=tab]:text-is("${name}")`);
const place = (page, node) => page.locator(`[data-node="${node}"]`).evaluate((g) => g.style.transform);

inBrowser("map: an edge explains itself, and its rule opens", async ({ page }) => {
  await example(page, "three-tier");
  await view(page, "Map");
  await edge(page, "shop/backend", "shop/database").first().dispatchEvent("click");
  const panel = page.locator(".map .map-panel");
  await panel.locator(".answer-good").waitFor();
  assert.match(await panel.innerText(), /Egress of shop\/backend[\s\S]*Ingress of shop\/database/);
  await panel.locator("button.rule", { hasText: "CiliumNetworkPolicy/shop/database" }).first().click();
  await page.locator('[aria-current="true"]', { hasText: "database.yaml" }).first().waitFor();
  await page.keyboard.press("Escape");
});

inBrowser("map: a workload has its policy; arrow keys and Enter open it", async ({ page }) => {
  await example(page, "l7-api");
  await view(page, "Map");
  await page.locator('.map-svg [tabindex="0"]').focus();
  for (let i = 0; i < 8; i += 1) {
    const id = await page.evaluate(() => document.activeElement?.getAttribute("data-id"));
    if (id === "api/api[Deployment]") break;
    await page.keyboard.press("ArrowRight");
  }
  await page.keyboard.press("Enter");
  const panel = page.locator(".map .map-panel");
  await panel.getByText("only what rules allow").first().waitFor();
  assert.match(await panel.innerText(), /namespace admin/);
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "hidden" });
});

inBrowser("map: nothing moves while somebody types; one-sided connections are dashed", async ({ page }) => {
  await example(page, "three-tier");
  await view(page, "Map");
  await edge(page, "shop/frontend", "shop/backend").first().waitFor({ state: "attached" });
  const before = await place(page, "shop/database[Deployment]");
  await openFile(page, "policies/backend.yaml");
  await retype(page, "tier: frontend", "tier: frontendx");
  await settled(page);
  await edge(page, "shop/frontend", "shop/backend").first().waitFor({ state: "detached" });
  await page.locator('.map-one-sided[data-from^="shop/frontend["][data-to^="shop/backend["]').waitFor({ state: "attached" });
  assert.equal(await place(page, "shop/database[Deployment]"), before);
  await shot(page, "map-one-sided");
});

inBrowser("matrix: cells by keyboard, sorted, filtered by port", async ({ page }) => {
  await example(page, "three-tier");
  await view(page, "Matrix");
  const grid = page.locator("[role=grid]");
  await grid.focus();
  await page.keyboard.press("Control+Home");
  const active = () => grid.evaluate((g) => document.getElementById(g.getAttribute("aria-activedescendant") ?? "")?.getAttribute("aria-label"));
  assert.match(await active(), /^kube-system\/coredns to kube-system\/coredns: all/);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  assert.equal(await active(), "shop/backend to shop/database: 7379");
  await page.keyboard.press("Enter");
  await page.locator(".matrix .map-panel .answer-good").waitFor();
  await page.click('.matrix [aria-label="Close details"]');
  await page.click('.matrix-column:has-text("database")');
  assert.equal(await page.locator(".matrix-column[aria-sort=descending]").count(), 1);
  assert.match(await page.locator(".matrix-side").first().innerText(), /backend/);
  await page.fill('.matrix [aria-label="Port"]', "443");
  await page.click(".matrix input[type=checkbox]");
  assert.deepEqual(await page.locator('.matrix-cell[data-from^="shop/backend"]:not(.matrix-denied)').allInnerTexts(), ["open"]);
});

const ask = async (page, fields) => {
  for (const [label, value] of Object.entries(fields)) {
    const field = page.locator(".flow-field", { has: page.locator(`span:text-is("${label}")`) }).locator("input, select, textarea");
    if ((await field.evaluate((f) => f.tagName)) === "SELECT") await field.selectOption(value);
    else await field.fill(value);
  }
};

inBrowser("flow: denied, why, and allowed with one click", async ({ page }) => {
  await example(page, "three-tier");
  await view(page, "Flow");
  await ask(page, { From: "shop/frontend", To: "shop/database", Port: "7379" });
  await page.locator(".answer-bad").waitFor();
  await page.getByText("tier is frontend, not backend").waitFor();
  const remedy = page.locator(".remedy").first();
  await remedy.waitFor();
  await shot(page, "flow-denied");
  await remedy.getByRole("button", { name: "Apply" }).click();
  await settled(page);
  await page.locator(".answer-good").waitFor();
  await view(page, "Map");
  await edge(page, "shop/frontend", "shop/database").first().waitFor({ state: "attached" });
});

inBrowser("flow: a request that the proxy denies; what cannot be asked is said", async ({ page }) => {
  await example(page, "l7-api");
  await view(page, "Flow");
  await ask(page, { From: "user/browser", To: "api/api", Port: "8080", Sends: "http", Path: "/docs" });
  await page.locator(".answer-bad", { hasText: "403" }).waitFor();
  await page.getByText("path /docs is not all of /").waitFor();
  await page.getByRole("button", { name: "Show deciding rule" }).click();
  assert.match(await text(page), /namespace: api/);
  await ask(page, { Path: "/" });
  await page.locator(".answer-good", { hasText: "Forwarded" }).waitFor();
  await ask(page, { From: "user/nobody" });
  await page.locator(".refusal", { hasText: "user/nobody" }).waitFor();
  await ask(page, { Port: "0" });
  await page.locator('.flow-form [inputmode=numeric][aria-invalid="true"]').waitFor();
});

inBrowser("flow: a rule by name holds for the addresses that somebody entered, and still does after a reload", async ({ page }) => {
  const pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  namespace: shop\n  labels:\n    app: web\n";
  const policy =
    "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  endpointSelector:\n    matchLabels:\n      app: web\n  egress:\n  - toFQDNs:\n    - matchName: api.example.com\n";
  await open(page, [["pod.yaml", pod], ["policy.yaml", policy]]);
  await settled(page);
  await view(page, "Flow");
  const question = { From: "shop/web", To: "203.0.113.7", Port: "443" };
  await ask(page, question);
  await page.locator(".flow .answer-bad").waitFor();
  await page.click(".flow-names summary");
  const names = page.locator(".flow-names textarea");
  await names.fill("api.example.com 203.0.113.777");
  await page.getByText("“203.0.113.777” is neither a name nor an address.").waitFor();
  await names.fill("api.example.com 203.0.113.7");
  await page.locator(".flow .answer-good").waitFor();
  await settled(page);
  // Kept a moment after it was written.
  await page.waitForTimeout(400);
  await page.reload();
  await ready(page);
  await settled(page);
  await view(page, "Flow");
  assert.equal(await names.inputValue(), "api.example.com 203.0.113.7");
  await ask(page, question);
  await page.locator(".flow .answer-good").waitFor();
});

inBrowser("compare: against a folder", async ({ page }) => {
  await example(page, "three-tier");
  await view(page, "Compare");
  await page.getByText("Nothing to compare with").waitFor();
  const root = join(import.meta.dirname, "../../examples/three-tier");
  await page.setInputFiles('.compare input[type="file"]', root);
  await page.getByText("no connection is different").waitFor();
  await openFile(page, "policies/database.yaml");
  await retype(page, 'port: "7379"', 'port: "7380"');
  await settled(page);
  const change = page.locator('.change[data-kind="closed"][data-from^="shop/backend["][data-to^="shop/database["]');
  await change.waitFor();
  await change.locator("summary").first().click();
  assert.match(await change.innerText(), /Before allowed[\s\S]*Now denied: no rule allows it/);
  await shot(page, "compare");
});

inBrowser("create: a policy by clicking, with all that it opens", async ({ page }) => {
  await example(page, "three-tier");
  await view(page, "Create");
  const picks = page.locator(".create .pick");
  await picks.nth(0).getByLabel("frontend").check();
  await picks.nth(1).getByLabel("database").check();
  await page.locator(".effects", { hasText: "shop/frontend → shop/database" }).waitFor();
  await page.locator(".generated button.primary").click();
  await settled(page);
  await page.getByText("shop/frontend may reach shop/database.").waitFor();
  await view(page, "Map");
  await edge(page, "shop/frontend", "shop/database").first().waitFor({ state: "attached" });
});

inBrowser("recorded: what would be denied now, and what would allow it", async ({ page }) => {
  const root = join(import.meta.dirname, "../../examples");
  const manifests = join(root, "shop/manifests");
  await open(page, readdirSync(manifests).map((name) => [name, readFileSync(join(manifests, name), "utf8")]));
  await settled(page);
  await view(page, "Recorded");
  await page.fill(".recorded-text", readFileSync(join(root, "recorded/hubble.jsonl"), "utf8"));
  const row = page.locator(".recorded-row", { hasText: "shop/cart → shop/catalogue" });
  await row.getByText("denied now").waitFor();
  await row.getByRole("button", { name: "Allow…" }).click();
  await row.locator(".generated button.primary").click();
  await settled(page);
  await page.locator(".recorded-row", { hasText: "shop/cart → shop/catalogue" }).getByText("denied now").waitFor({ state: "detached" });
  await shot(page, "recorded");
});

const NAMESPACES = 20;
const large = () => {
  const workload = (i) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: app-${i}, namespace: ns-${i % NAMESPACES}}
spec:
  selector: {matchLabels: {app: app-${i}}}
  template: {metadata: {labels: {app: app-${i}}}, spec: {containers: [{name: c, image: c, ports: [{containerPort: 8080}]}]}}
`;
  const policy = (i) => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: p-${i}, namespace: ns-${(i % 300) % NAMESPACES}}
spec:
  endpointSelector: {matchLabels: {app: app-${i % 300}}}
  ingress:
  - fromEndpoints: [{matchLabels: {app: app-${(i * 7 + 20) % 300}, io.kubernetes.pod.namespace: ns-${((i * 7 + 20) % 300) % NAMESPACES}}}]
    toPorts: [{ports: [{port: "8080", protocol: TCP}]}]
`;
  const own = (n, make, ns) => Array.from({ length: n }, (_, i) => i).filter((i) => i % NAMESPACES === ns).map(make).join("---\n");
  return Array.from({ length: NAMESPACES }, (_, ns) => [[`app/${ns}.yaml`, own(300, workload, ns)], [`policies/${ns}.yaml`, own(500, policy, ns)]]).flat();
};

inBrowser("300 workloads, 500 policies: closed up, opened, as a matrix", async ({ t, page }) => {
  await open(page, large());
  await settled(page);
  const measured = async (what, name, act) => {
    await page.evaluate(() => performance.clearMeasures());
    await act();
    const found = await page.evaluate((n) => performance.getEntriesByName(n).map(({ duration, detail }) => ({ duration, detail })), name);
    assert.ok(found.length > 0, what);
    t.diagnostic(`${what}: ${found.map((f) => f.duration.toFixed(1)).join(", ")} ms, ${JSON.stringify(found.at(-1).detail)}`);
  };
  const type = async () => {
    await page.keyboard.press("Control+End");
    for (const key of "# one more") {
      await page.keyboard.type(key);
      await page.waitForTimeout(30);
    }
    await settled(page);
  };
  await openFile(page, "policies/3.yaml");
  await page.click(".cm-content");
  await view(page, "Map");
  await page.locator(".map-namespace").first().waitFor();
  assert.equal(await page.locator(".map-namespace").count(), NAMESPACES);
  await page.click(".cm-content");
  await measured("map, namespaces closed, as one types", "netverdict:map", type);
  await measured("map, all namespaces opened", "netverdict:map", () => page.click("text=Open namespaces"));
  assert.equal(await page.locator(".map-workload[data-node]").count(), 300);
  await page.click(".cm-content");
  await measured("map, all open, as one types", "netverdict:map", type);
  await shot(page, "map-large");
  await measured("matrix", "netverdict:matrix", () => view(page, "Matrix"));
  assert.ok((await page.locator(".matrix-cell").count()) < 2000, "only what is in sight is in the page");
  await page.click(".cm-content");
  await measured("matrix, as one types", "netverdict:matrix", type);
});
