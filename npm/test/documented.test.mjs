// The program of docs/npm.md runs, and prints what it should.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PACKAGE, example } from "./package.mjs";

const AsyncFunction = (async () => {}).constructor;

test("the program of the page", async () => {
  const page = readFileSync(new URL("../../docs/npm.md", import.meta.url), "utf8");
  const blocks = page.split("```js\n").slice(1).map((block) => block.split("```")[0]);
  assert.equal(blocks.length, 1);
  const [head, ...rest] = blocks[0].split("\n");
  assert.equal(head, 'import { Engine, init } from "netverdict";');
  const all = example();
  const text = all.documents().map((name) => all.text(name)).join("\n---\n");
  all.free();
  const printed = [];
  const { Engine, init } = await import(new URL("node.js", `file://${join(PACKAGE, "/")}`).href);
  const console = { log: (...words) => printed.push(words.join(" ")) };
  await new AsyncFunction("Engine", "init", "text", "console", rest.join("\n"))(Engine, init, text, console);
  assert.match(printed.at(-1), /^default-deny/);
});
