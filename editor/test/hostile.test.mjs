// Manifests by somebody who means harm: every field, every key and every name
// of a file as markup and script. None of it may become part of the page.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments, visit } from "yaml";
import { inBrowser, open, settled, shot } from "./harness.mjs";

const ATTACKS = [
  '<img src=x onerror="window.harmed=1">',
  '"><script>window.harmed=1</script>',
  "<svg onload=window.harmed=1>",
  "javascript:window.harmed=1",
  "${window.harmed=1}{{constructor.constructor('window.harmed=1')()}}",
  "__proto__",
];
const SOURCES = ["three-tier/app/shop.yaml", "three-tier/policies/backend.yaml", "three-tier/policies/database.yaml", "l7-api/policies/api.yaml"];

/** One text for each field with another value or another key there. */
function* attacks(source) {
  const count = { scalars: 0 };
  for (const document of parseAllDocuments(source)) visit(document, { Scalar: () => void (count.scalars += 1) });
  for (let at = 0; at < count.scalars; at += 1) {
    const documents = parseAllDocuments(source);
    let n = 0;
    for (const document of documents) {
      visit(document, {
        Scalar(_, node) {
          if (n++ === at) node.value = ATTACKS[at % ATTACKS.length];
        },
      });
    }
    yield documents.map(String).join("---\n");
  }
}

inBrowser("hostile manifests stay text", async ({ page }) => {
  const documents = [];
  for (const source of SOURCES) {
    const text = readFileSync(join(import.meta.dirname, "../../examples", source), "utf8");
    documents.push([source, text]);
    let n = 0;
    for (const attack of attacks(text)) documents.push([`${n} ${ATTACKS[n++ % ATTACKS.length]}/${source}`, attack]);
  }
  assert.ok(documents.length > 150, `${documents.length} documents`);
  await open(page, documents, documents[1][0]);
  await settled(page);
  await page.evaluate(() => {
    window.grown = [];
    new MutationObserver((all) => {
      for (const { addedNodes } of all)
        for (const node of addedNodes)
          if (node.nodeType === 1) for (const one of [node, ...node.querySelectorAll("*")]) if (["SCRIPT", "IFRAME", "OBJECT", "EMBED", "IMG"].includes(one.nodeName) || one.getAttributeNames().some((a) => a.startsWith("on"))) window.grown.push(one.outerHTML);
    }).observe(document, { childList: true, subtree: true });
  });
  const tabs = page.locator("[role=tab]");
  for (let i = 0; i < (await tabs.count()); i += 1) {
    await tabs.nth(i).click();
    await page.waitForTimeout(400);
    const parts = page.locator('[role=tabpanel]:not([hidden]) :is([data-from], [data-id], [role=gridcell], td, button)');
    for (let j = 0; j < Math.min(6, await parts.count()); j += 1) await parts.nth(j).click({ timeout: 1500, force: true }).catch(() => undefined);
    await shot(page, `hostile-${i}`);
  }
  const problems = page.locator(".problem-text:enabled");
  for (let i = 0; i < Math.min(12, await problems.count()); i += 1) await problems.nth(i).click();
  for (const mark of (await page.locator(".cm-lintRange").all()).slice(0, 3)) await mark.hover().catch(() => undefined);
  await page.waitForTimeout(600);
  assert.equal(await page.evaluate(() => window.harmed), undefined);
  assert.deepEqual(await page.evaluate(() => window.grown), []);
  assert.equal(await page.evaluate(() => document.querySelectorAll("img, iframe, object, embed").length), 0);
  assert.equal(await page.evaluate(() => Object.keys(Object.prototype).length), 0);
});
