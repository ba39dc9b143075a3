// What somebody does all day: nothing of it is lost.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { example, inBrowser, open, openFile, ready, retype, settled, shot, text } from "./harness.mjs";

const POLICY = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: b}\nspec:\n  podSelector: {}\n";

const names = (page) => page.evaluate(() => [...document.querySelectorAll(".file")].map((file) => file.title));

inBrowser("texts are there after a reload, at once after typing", async ({ page }) => {
  await open(page, [["a.yaml", POLICY]]);
  await page.click(".cm-content");
  await page.keyboard.press("Control+End");
  await page.keyboard.type("# typed last");
  await page.reload();
  await ready(page);
  assert.match(await text(page), /# typed last$/);
});

inBrowser("each tab has work of its own, and earlier work can be opened", async ({ page, context }) => {
  await open(page, [["first.yaml", POLICY]]);
  const other = await context.newPage();
  await open(other);
  assert.deepEqual(await names(other), [], "the first tab holds its work");
  await open(other, [["second.yaml", POLICY]]);
  await page.reload();
  await ready(page);
  assert.deepEqual(await names(page), ["first.yaml"]);
  await other.close();
  await page.click('.menu-place button:text-is("Open")');
  await page.keyboard.press("Escape");
  await page.waitForTimeout(500);
  await page.click('.menu-place button:text-is("Open")');
  await page.click('[role=menuitem]:has-text("From a link")');
  await page.waitForSelector('.file[title="second.yaml"]');
});

inBrowser("undo goes across files, names and deletions", async ({ page }) => {
  await open(page, [
    ["a.yaml", POLICY],
    ["b.yaml", POLICY],
  ]);
  await openFile(page, "a.yaml");
  await page.keyboard.press("Control+End");
  await page.keyboard.type("# one");
  await openFile(page, "b.yaml");
  await page.click('[aria-label="Rename this file"]');
  await page.fill(".files-rename", "policies/c.yaml");
  await page.keyboard.press("Enter");
  await page.waitForSelector('.file[title="policies/c.yaml"]');
  await page.click('[aria-label="Delete this file"]');
  assert.deepEqual(await names(page), ["a.yaml"]);
  const undo = '[aria-label="Undo"]';
  await page.click(undo);
  assert.deepEqual(await names(page), ["a.yaml", "policies/c.yaml"]);
  await page.click(undo);
  assert.deepEqual(await names(page), ["a.yaml", "b.yaml"]);
  await page.click(undo);
  assert.equal(await page.getAttribute('.file[title="a.yaml"]', "aria-current"), "true");
  assert.doesNotMatch(await text(page), /# one/);
  for (let i = 0; i < 3; i += 1) await page.click('[aria-label="Redo"]');
  assert.deepEqual(await names(page), ["a.yaml"]);
  assert.match(await text(page), /# one/);
});

inBrowser("versions are kept and gone back to", async ({ page }) => {
  await open(page, [["a.yaml", POLICY]]);
  await page.click('button:text-is("Versions")');
  await page.click('[role=menuitem]:has-text("Keep this version")');
  await page.fill("#dialog-text", "before");
  await page.click('dialog button:text-is("Keep")');
  await openFile(page, "a.yaml");
  await page.keyboard.press("Control+End");
  await page.keyboard.type("# after");
  await page.reload();
  await ready(page);
  await page.click('button:text-is("Versions")');
  await page.click('[role=menuitem]:has-text("before")');
  await page.click('dialog button:text-is("Go back to it")');
  assert.equal(await text(page), POLICY);
});

inBrowser("a link brings all files along", async ({ page, context }) => {
  await open(page, [
    ["a.yaml", POLICY],
    ["ü/b.yaml", "# ✓ 𝒳\n"],
  ]);
  await page.click('button:text-is("Share")');
  await page.click('[role=menuitem]:has-text("Link")');
  const link = await page.inputValue('dialog input[aria-label="Link"]');
  const other = await context.newPage();
  await other.goto(link);
  await ready(other);
  assert.deepEqual(await names(other), ["a.yaml", "ü/b.yaml"]);
  await openFile(other, "ü/b.yaml");
  assert.equal(await text(other), "# ✓ 𝒳\n");
  assert.doesNotMatch(other.url(), /#/, "what is edited is no longer what the link says");
});

inBrowser("a link that is damaged says so and harms nothing", async ({ page }) => {
  await open(page, [["a.yaml", POLICY]]);
  for (const fragment of ["#state=AAAA", "#state=%%%", "#state="]) {
    await page.goto(page.url().split("#")[0] + fragment);
    await page.waitForSelector('.bar-of-trouble:has-text("The link cannot be read")');
    await page.click('.bar-of-trouble [aria-label="Close"]');
  }
  assert.deepEqual(await names(page), ["a.yaml"]);
});

inBrowser("files come by dialog, by pasting and by dropping", async ({ page }) => {
  await open(page);
  const folder = mkdtempSync(join(tmpdir(), "netverdict-"));
  mkdirSync(join(folder, "deep/er"), { recursive: true });
  writeFileSync(join(folder, "a.yaml"), POLICY.replaceAll("\n", "\r\n"));
  writeFileSync(join(folder, "deep/er/b.yml"), POLICY);
  writeFileSync(join(folder, "notes.txt"), "no manifest");
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.click('button:text-is("Open a folder…")')]);
  await chooser.setFiles(folder);
  await page.waitForSelector('.file[title="deep/er/b.yml"]');
  assert.deepEqual(await names(page), ["a.yaml", "deep/er/b.yml"]);
  assert.equal(await text(page), POLICY, "with line feeds");
  await page.evaluate((policy) => {
    const data = new DataTransfer();
    data.setData("text/plain", policy);
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
    const files = new DataTransfer();
    files.items.add(new File([policy], "dropped.yaml"));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true }));
  }, POLICY);
  await page.waitForSelector('.file[title="dropped.yaml"]');
  assert.deepEqual(await names(page), ["a.yaml", "dropped.yaml", "pasted.yaml", "deep/er/b.yml"]);
});

inBrowser("formatting keeps comments, and leaves what it would harm", async ({ page }) => {
  const crooked = "# first\napiVersion: v1\nkind:   Service # why\nmetadata:\n      name: a\n      labels: { a: b }\nspec:\n      ports:\n      - port: 80\n---\na: 1\n";
  await open(page, [
    ["a.yaml", crooked],
    ["broken.yaml", "a: [1\n"],
  ]);
  await openFile(page, "a.yaml");
  await page.keyboard.press("Shift+Alt+f");
  await page.waitForFunction(() => [...document.querySelectorAll(".cm-line")].some((line) => line.textContent === "  name: a"));
  assert.equal(await text(page), "# first\napiVersion: v1\nkind: Service # why\nmetadata:\n  name: a\n  labels: {a: b}\nspec:\n  ports:\n  - port: 80\n---\na: 1\n");
  await openFile(page, "broken.yaml");
  await page.click('button:text-is("Format")');
  await page.waitForSelector('.notice:has-text("cannot be read")');
});

inBrowser("the engine says what fields mean, whom they select, and what could stand there", async ({ page }) => {
  await example(page, "three-tier");
  await openFile(page, "policies/backend.yaml");
  await page.hover('.cm-line:has-text("fromEndpoints") .yaml-key');
  await page.waitForSelector('.hover:has-text("selects 1 workload: shop/frontend")');
  await shot(page, "hover");
  await page.click(".cm-content");
  await page.keyboard.press("Control+End");
  await page.keyboard.type("  ingressDe");
  await page.waitForSelector('.cm-tooltip-autocomplete [role=option]:has-text("ingressDeny")');
  await shot(page, "completion");
  // It takes no keys while it has only just come.
  await page.waitForTimeout(200);
  await page.keyboard.press("Enter");
  assert.match(await text(page), /\n {2}ingressDeny: $/);
  await settled(page);
});

inBrowser("without a network it is there after a reload", async ({ page, context }) => {
  await example(page, "three-tier");
  await page.waitForFunction(async () => {
    const registration = await navigator.serviceWorker.ready;
    return registration.active?.state === "activated";
  });
  await context.setOffline(true);
  await page.reload();
  await ready(page);
  await settled(page);
  await openFile(page, "policies/database.yaml");
  await retype(page, 'port: "7379"', "port: 7379");
  await page.locator('.problem[data-code="NV0201"]').waitFor();
  await page.keyboard.press("Shift+Alt+f");
  await page.locator(".notice span").waitFor();
  await shot(page, "offline");
  await context.setOffline(false);
});

inBrowser("the text is left by Escape and Tab, and tabs by arrows", async ({ page }) => {
  await example(page, "three-tier");
  await page.click(".cm-content");
  const inside = () => page.evaluate(() => document.activeElement?.closest(".cm-editor") !== null);
  await page.keyboard.press("Tab");
  assert.equal(await inside(), true, "Tab indents");
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  assert.equal(await inside(), false);
  await page.focus('[role=tab][aria-selected="true"]');
  const first = await page.getAttribute('[role=tab][aria-selected="true"]', "id");
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.getAttribute('[role=tab][aria-selected="true"]', "id"), first);
});

inBrowser(
  "on a tablet one half is shown at a time",
  async ({ page }) => {
    await example(page, "three-tier");
    assert.equal(await page.isVisible(".cm-content"), true);
    assert.equal(await page.isVisible(".views"), false);
    await page.click('.halves button:text-is("Views")');
    assert.equal(await page.isVisible(".views"), true);
    await shot(page, "tablet");
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(wide, false, "nothing sticks out");
  },
  { viewport: { width: 800, height: 1100 } },
);

inBrowser("without an engine texts can still be written, and are kept", async ({ page, context, errors }) => {
  await context.route("**/*.wasm", (route) => route.fulfill({ status: 404, body: "" }));
  await open(page, [["a.yaml", POLICY]]);
  await page.waitForSelector('.bar-of-trouble:has-text("Your texts are kept")');
  await openFile(page, "a.yaml");
  await page.keyboard.press("Control+End");
  await page.keyboard.type("# still here");
  await context.unroute("**/*.wasm");
  await page.click('.bar-of-trouble button:text-is("Reload")');
  await page.waitForSelector(".bar-of-trouble:empty", { state: "attached" });
  await ready(page);
  assert.match(await text(page), /# still here$/);
  await settled(page);
  // The browser reports the files that it did not get.
  const others = errors.splice(0).filter((error) => !error.includes("404"));
  assert.deepEqual(others, []);
});
