// A browser, the built editor on a server of a few lines, and what tests do
// with both. A test fails when its page logs an error or throws.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize, resolve } from "node:path";
import { after, before, test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { chromium } from "playwright-core";

const here = import.meta.dirname;
const built = resolve(process.env.NETVERDICT_EDITOR ?? join(here, "../../target/editor/dist"));
const shots = resolve(process.env.NETVERDICT_SHOTS ?? join(here, "../../target/editor/shots"));
mkdirSync(shots, { recursive: true });

const KINDS = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".svg": "image/svg+xml" };
/** Not at the top: every address in the editor is relative. */
const BASE = "/some/where/";

let server;
let browser;
let origin;

before(async () => {
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://x");
    const below = decodeURIComponent(pathname).slice(BASE.length) || "index.html";
    const file = normalize(join(built, below));
    try {
      if (!pathname.startsWith(BASE) || !file.startsWith(built)) throw new Error("outside");
      response.writeHead(200, { "content-type": KINDS[extname(file)] ?? "application/octet-stream" }).end(readFileSync(file));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  origin = `http://127.0.0.1:${server.address().port}`;
  browser = await chromium.launch({ executablePath: program(), args: ["--no-sandbox", "--disable-dev-shm-usage"] });
});

after(async () => {
  await browser?.close();
  server?.close();
});

function program() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      return execFileSync("which", [name], { encoding: "utf8" }).trim();
    } catch {
      // The next one.
    }
  }
  throw new Error("there is no Chromium");
}

/** A test with a page; `options` go to the browser's context. */
export function inBrowser(name, run, options = {}) {
  test(name, { timeout: 240_000 }, async (t) => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
    context.setDefaultTimeout(Number(process.env.PATIENCE ?? 30_000));
    const errors = [];
    const watch = (page) => {
      page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      page.on("pageerror", (error) => errors.push(String(error)));
    };
    context.on("page", watch);
    try {
      await run({ t, context, errors, page: await context.newPage() });
      if (errors.length > 0) throw new Error(`the page complained:\n${errors.join("\n")}`);
    } finally {
      await context.close();
    }
  });
}

/** Opens the editor, with documents or without. */
export async function open(page, documents, active = null) {
  const state = documents && Buffer.from(JSON.stringify({ v: 1, active, documents }));
  const fragment = state ? `#state=${deflateRawSync(state).toString("base64url")}` : "";
  await page.goto(`${origin}${BASE}${fragment}`);
  await ready(page);
}

export const ready = (page) => page.waitForSelector("html[data-ready]");

export async function example(page, name) {
  await open(page);
  await page.click(`[data-example="${name}"]`);
  await settled(page);
}

/** Until the engine has answered for the documents as they are. */
export async function settled(page) {
  await page.waitForFunction(() => {
    const of = (name) => performance.getEntriesByName(name).at(-1)?.detail.revision ?? -1;
    const now = document.documentElement.dataset.revision;
    return Number(now) === of("netverdict:snapshot") && Number(now) === of("netverdict:diagnostics");
  });
}

export const openFile = (page, name) => page.click(`.file[title="${name}"]`);

/** Replaces the first place where `from` stands, by the editor's own search. */
export async function retype(page, from, to) {
  await page.click(".cm-content");
  await page.keyboard.press("Control+Home");
  await page.keyboard.press("Control+f");
  // It listens to keys.
  await page.locator(".cm-search input[name=search]").pressSequentially(from);
  await page.press(".cm-search input[name=search]", "Enter");
  await page.locator(".cm-search input[name=replace]").pressSequentially(to);
  await page.click(".cm-search button[name=replace]");
  await page.press(".cm-search input[name=replace]", "Escape");
}

export const text = (page) => page.evaluate(() => [...document.querySelectorAll(".cm-line")].map((line) => line.textContent).join("\n"));

/** The connections on the map that both sides allow. Workloads go by their
 * names, without what kind they are. */
export function edge(page, from, to) {
  const end = (attribute, name) => (name.includes(":") ? `[${attribute}="${name}"]` : `[${attribute}^="${name}["]`);
  return page.locator(`${end("data-from", from)}${end("data-to", to)}:not(.map-one-sided)`);
}

export const shot = (page, name) => page.screenshot({ path: join(shots, `${name}.png`) });

/** The value below which 95 of 100 lie. */
export const p95 = (values) => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * 0.95))];
