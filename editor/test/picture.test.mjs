// Every view in use, and a picture of each: those of docs/pictures are made of
// these.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { example, inBrowser, open, openFile, retype, settled, shot } from "./harness.mjs";

const shown = (page) => page.locator("[role=tabpanel]:not([hidden])");
const tab = (page, name) => page.click(`[role=tab]:text-is("${name}")`);

inBrowser(
  "a question of a story is answered, and what was changed is compared",
  async ({ page }) => {
    await example(page, "three-tier");
    await tab(page, "Map");
    await page.waitForTimeout(800);
    await shot(page, "picture-map");
    await page.click('.story-ask:has-text("shop/frontend → shop/database")');
    await page.waitForSelector('[role=tab][aria-selected="true"]:text-is("Flow")');
    await shown(page).getByText(/denied/i).first().waitFor();
    await shown(page).locator('[class*="remed"] button, button:has-text("Apply")').first().waitFor();
    await shot(page, "picture-flow");
    await page.click('[aria-label="Close the story"]');
    await tab(page, "Matrix");
    await shown(page).getByText("7379").first().waitFor();
    await shot(page, "picture-matrix");
    await page.click('button:text-is("Versions")');
    await page.click('[role=menuitem]:has-text("Keep this version")');
    await page.fill("#dialog-text", "before");
    await page.click('dialog button:text-is("Keep")');
    await openFile(page, "policies/database.yaml");
    await retype(page, "tier: backend", "tier: frontend");
    await settled(page);
    await tab(page, "Compare");
    await shown(page).getByText("shop/backend").first().waitFor();
    await shot(page, "picture-compare");
    await page.click('[aria-label="Undo"]');
    await settled(page);
    await tab(page, "Create");
    await page.waitForTimeout(600);
    for (const name of ["frontend", "database"]) {
      const lists = shown(page).locator("[role=radiogroup]");
      const list = lists.nth(name === "frontend" ? 0 : 1);
      await list.locator("[role=radio], label, button").filter({ hasText: name }).first().click();
    }
    await page.waitForTimeout(1500);
    await shot(page, "picture-create");
  },
  { reducedMotion: "reduce", viewport: { width: 1360, height: 820 } },
);

inBrowser(
  "what Hubble recorded is held against the policies",
  async ({ page }) => {
    await example(page, "shop");
    await tab(page, "Recorded");
    await page.fill('[aria-label="Hubble\'s flows"]', readFileSync(join(import.meta.dirname, "../../examples/recorded/hubble.jsonl"), "utf8"));
    await shown(page).getByText(/denied/i).first().waitFor();
    await page.waitForTimeout(800);
    await shot(page, "picture-recorded");
  },
  { reducedMotion: "reduce", viewport: { width: 1360, height: 820 } },
);

inBrowser(
  "the beginning",
  async ({ page }) => {
    await open(page);
    await shot(page, "picture-start");
  },
  { viewport: { width: 1360, height: 820 } },
);
