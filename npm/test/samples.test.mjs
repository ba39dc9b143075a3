// The package as it would be published, in six projects: packed, installed,
// built and asked. NETVERDICT_TOOLS is a folder with the tools installed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const PACKAGE = process.env.NETVERDICT_PACKAGE;
const TOOLS = process.env.NETVERDICT_TOOLS;
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const SAMPLES = fileURLToPath(new URL("../samples/", import.meta.url));
const EXPECTED = { open: "allow", by: "db.yaml:7:5", closed: "default-deny" };
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

const work = mkdtempSync(join(tmpdir(), "netverdict-samples-"));
const run = (program, args, cwd) => execFileSync(program, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const npm = (args, cwd) => run("npm", args, cwd);
const tool = (name) => join(TOOLS, "node_modules/.bin", name);
let tarball;
let browser;

before(async () => {
  const [{ filename }] = JSON.parse(npm(["pack", "--json", "--pack-destination", work, PACKAGE], work));
  tarball = join(work, filename);
  if (existsSync(CHROMIUM)) {
    const { chromium } = createRequire(join(TOOLS, "package.json"))("playwright-core");
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  }
});

after(async () => {
  await browser?.close();
  rmSync(work, { recursive: true, force: true });
});

/** A sample with the package installed. */
function install(name) {
  const folder = join(work, name);
  cpSync(join(SAMPLES, name), folder, { recursive: true });
  copyFileSync(join(SAMPLES, "question.js"), join(folder, "question.js"));
  npm(["install", "--no-audit", "--no-fund", "--no-save", "--offline", tarball], folder);
  return folder;
}

/** What a page says that is served from a folder. */
async function look(folder) {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, "http://host").pathname);
    const file = join(folder, path === "/" ? "index.html" : path);
    if (!existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "text/plain" }).end(readFileSync(file));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  try {
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.waitForFunction(() => document.body.textContent.trim().startsWith("{"), null, { timeout: 60_000 }).catch((error) => {
      throw new Error(`${error.message}\n${errors.join("\n")}`);
    });
    assert.deepEqual(errors, []);
    return JSON.parse(await page.evaluate(() => document.body.textContent));
  } finally {
    await page.close();
    server.close();
  }
}

test("Node, import", () => {
  const folder = install("node-esm");
  assert.deepEqual(JSON.parse(run("node", ["index.js"], folder)), EXPECTED);
});

test("Node, require", () => {
  const folder = install("node-cjs");
  assert.deepEqual(JSON.parse(run("node", ["index.cjs"], folder)), EXPECTED);
});

/** Tests with a browser, or says loudly that there is none. */
const inBrowser = (name, f) =>
  test(name, async (t) => {
    if (!browser) return t.skip(`no browser at ${CHROMIUM}`);
    assert.deepEqual(await look(await f()), EXPECTED);
  });

inBrowser("a page, with nothing built", () => install("page"));

inBrowser("a worker", () => install("worker"));

inBrowser("Vite", () => {
  const folder = install("vite");
  run(tool("vite"), ["build", "--logLevel", "error", "--target", "es2022"], folder);
  return join(folder, "dist");
});

inBrowser("esbuild", () => {
  const folder = install("esbuild");
  mkdirSync(join(folder, "dist"));
  run(tool("esbuild"), ["main.js", "--bundle", "--format=esm", "--target=es2022", "--outfile=dist/bundle.js", "--log-level=warning"], folder);
  copyFileSync(join(folder, "index.html"), join(folder, "dist/index.html"));
  copyFileSync(join(folder, "node_modules/netverdict/netverdict.wasm"), join(folder, "dist/netverdict.wasm"));
  return join(folder, "dist");
});

test("types: usages compile, and misuses do not", () => {
  const folder = install("node-esm");
  cpSync(fileURLToPath(new URL("./types/", import.meta.url)), folder, { recursive: true });
  try {
    run(tool("tsc"), ["--project", "tsconfig.json"], folder);
  } catch (error) {
    assert.fail(error.stdout);
  }
});
