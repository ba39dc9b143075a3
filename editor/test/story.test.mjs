// The examples, end to end: open one, break it, see what is wrong where it is
// wrong, have it fixed, and see the connection come back on the map.

import assert from "node:assert/strict";
import { edge, example, inBrowser, openFile, retype, settled, shot } from "./harness.mjs";

const STORIES = [
  { name: "three-tier", file: "policies/database.yaml", from: 'port: "7379"', to: "port: 7379", line: 31, code: "NV0201", marked: "7379", edge: ["shop/backend", "shop/database"] },
  { name: "bookinfo", file: "policies/3-allow-backends.yaml", from: 'port: "9080"', to: "port: 9080", line: 35, code: "NV0201", marked: "9080", edge: ["bookinfo/reviews-v2", "bookinfo/ratings-v1"] },
  { name: "l7-api", file: "policies/api.yaml", from: 'port: "8080"', to: "port: 8080", line: 17, code: "NV0201", marked: "8080", edge: ["admin/console", "api/api"] },
  { name: "namespace-presets", file: "policies/frontend-backend.yaml", from: "toEndpoints", to: "toEndpoint", line: 13, code: "NV0202", marked: "toEndpoint", edge: ["web/frontend", "core/backend"], gone: false },
  { name: "agent-sandbox", file: "policies/agent.yaml", from: "toCIDR", to: "toCidr", line: 34, code: "NV0202", marked: "toCidr", edge: ["sandbox/agent", "cidr:10.20.0.0/16"] },
];

/** One of them is enough for a quick check. */
const chosen = STORIES.filter(({ name }) => name === (process.env.STORY ?? name));

for (const story of chosen) {
  inBrowser(`story: ${story.name}`, async ({ page }) => {
    await example(page, story.name);
    const connection = edge(page, ...story.edge);
    await connection.first().waitFor({ state: "attached" });
    await openFile(page, story.file);
    await retype(page, story.from, story.to);
    await settled(page);
    const problem = page.locator(`.problem[data-code="${story.code}"][data-line="${story.line}"]`);
    await problem.waitFor();
    // The same in the text: the very characters, on that line.
    const marked = page.locator(".cm-lintRange-error, .cm-lintRange-warning").filter({ hasText: story.marked }).first();
    await marked.waitFor();
    assert.equal(await marked.evaluate((mark) => mark.textContent), story.marked);
    assert.equal(await lineOf(page, marked), story.line);
    if (story.gone !== false) await connection.first().waitFor({ state: "detached" });
    await shot(page, `story-${story.name}`);
    await problem.locator(".fix").first().click();
    await settled(page);
    await problem.waitFor({ state: "detached" });
    await connection.first().waitFor({ state: "attached" });
    // And it was one step: it can be undone.
    await page.click('[aria-label="Undo"]');
    await problem.waitFor();
  });
}

if (chosen.length > 1)
  inBrowser("story: one dash too many", async ({ page }) => {
    await example(page, "three-tier-one-dash");
    await page.locator('.problem[data-code="NV1001"][data-line="27"]').waitFor();
    const open = edge(page, "entity:world", "shop/database");
    await open.first().waitFor({ state: "attached" });
    await retype(page, "- toPorts:", "  toPorts:");
    await settled(page);
    await page.locator('.problem[data-code="NV1001"]').waitFor({ state: "detached" });
    await open.first().waitFor({ state: "detached" });
  });

/** The number beside the line that an element stands in. */
async function lineOf(page, element) {
  const box = await element.boundingBox();
  return page.evaluate(
    (y) => {
      const numbers = [...document.querySelectorAll(".cm-lineNumbers .cm-gutterElement")];
      const here = numbers.find((n) => n.getBoundingClientRect().height > 0 && n.getBoundingClientRect().top <= y && y < n.getBoundingClientRect().bottom);
      return Number(here?.textContent);
    },
    box.y + box.height / 2,
  );
}
