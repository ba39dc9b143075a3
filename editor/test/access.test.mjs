// Whether everybody can use it: axe on every view, light and dark.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { example, inBrowser, open, shot } from "./harness.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function check(page, where) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = serious.map(({ id, help, nodes }) => `${where}: ${id}: ${help}\n  ${nodes.slice(0, 4).map((n) => `${n.html.slice(0, 160)} ${n.any[0]?.message ?? ""}`).join("\n  ")}`);
  assert.deepEqual(told, [], told.join("\n"));
}

for (const colorScheme of ["light", "dark"]) {
  inBrowser(
    `axe, ${colorScheme}`,
    async ({ page }) => {
      await open(page);
      await check(page, "start");
      await shot(page, `start-${colorScheme}`);
      await example(page, "three-tier-one-dash");
      const tabs = page.locator("[role=tab]");
      for (let i = 0; i < (await tabs.count()); i += 1) {
        await tabs.nth(i).click();
        await page.waitForTimeout(500);
        await check(page, await tabs.nth(i).innerText());
        await shot(page, `view-${(await tabs.nth(i).innerText()).toLowerCase().replaceAll(" ", "-")}-${colorScheme}`);
      }
      await page.click('button:text-is("Open")');
      await check(page, "a menu");
      await page.keyboard.press("Escape");
      await page.click('button:text-is("New file")');
      await check(page, "a dialog");
    },
    // axe is no part of the editor's scripts.
    { colorScheme, bypassCSP: true, reducedMotion: "reduce" },
  );
}
