// `netverdict edit`, with the editor as it is built: what is saved is on the
// disk, and nothing else is.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { inBrowser, openFile, ready, retype, settled, shot } from "./harness.mjs";

const here = import.meta.dirname;
const program = process.env.NETVERDICT ?? join(here, "../../target/debug/netverdict");
const built = resolve(process.env.NETVERDICT_EDITOR ?? join(here, "../../target/editor/dist"));

inBrowser("a folder is edited and saved", async ({ page, errors }) => {
  const folder = mkdtempSync(join(tmpdir(), "netverdict-edit-"));
  mkdirSync(join(folder, "policies"));
  const examples = join(here, "../../examples/three-tier");
  const file = join(folder, "policies/database.yaml");
  writeFileSync(file, readFileSync(join(examples, "policies/database.yaml")));
  writeFileSync(join(folder, "shop.yaml"), readFileSync(join(examples, "app/shop.yaml"), "utf8").replaceAll("\n", "\r\n"));
  const before = readFileSync(file, "utf8");
  const server = spawn(program, ["edit", folder, "--editor", built], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    const [address] = await Promise.all([new Promise((done) => createInterface(server.stdout).once("line", done))]);
    await page.goto(address);
    await ready(page);
    await settled(page);
    await openFile(page, "policies/database.yaml");
    await retype(page, 'port: "7379"', 'port: "7380"');
    await settled(page);
    assert.equal(readFileSync(file, "utf8"), before, "nothing is written before it is saved");
    const other = join(folder, "shop.yaml");
    writeFileSync(other, `${readFileSync(other, "utf8")}# meanwhile\r\n`);
    await page.reload();
    await ready(page);
    await page.waitForSelector('button.primary:text-is("Save 1 file")');
    assert.equal(await page.getAttribute(".file.unsaved", "title"), "policies/database.yaml");
    await page.keyboard.press("Control+s");
    await page.waitForSelector('button.primary:text-is("Saved")');
    assert.equal(readFileSync(file, "utf8"), before.replace("7379", "7380"));
    // Somebody else writes it meanwhile.
    await retype(page, 'port: "7380"', 'port: "7381"');
    writeFileSync(file, `${before}# by another program\n`);
    // Loading the page anew is no way around it.
    await page.reload();
    await ready(page);
    await page.waitForSelector('button.primary:text-is("Save 1 file")');
    errors.length = 0;
    await page.keyboard.press("Control+s");
    await page.click('dialog button:text-is("Overwrite it")');
    await page.waitForSelector('button.primary:text-is("Saved")');
    assert.equal(readFileSync(file, "utf8"), before.replace("7379", "7381"));
    // The refusal is the browser's to report, and no fault of the page's.
    const refusals = errors.splice(0).filter((text) => !text.includes("412"));
    assert.deepEqual(refusals, []);
    // Line ends stay as the file has them; deleting deletes when it is saved.
    await openFile(page, "shop.yaml");
    await page.keyboard.press("Control+End");
    await page.keyboard.type("# end");
    await page.keyboard.press("Control+s");
    await page.waitForSelector('button.primary:text-is("Saved")');
    assert.match(readFileSync(other, "utf8"), /\r\n# meanwhile\r\n# end$/);
    await page.click('[aria-label="Delete this file"]');
    assert.ok(existsSync(join(folder, "shop.yaml")));
    await page.keyboard.press("Control+s");
    await page.waitForSelector('button.primary:text-is("Saved")');
    assert.ok(!existsSync(join(folder, "shop.yaml")));
    await shot(page, "edit");
  } finally {
    server.kill();
  }
});
