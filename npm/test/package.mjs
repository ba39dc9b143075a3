// The package that is tested, and what tests have in common.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

export const PACKAGE = process.env.NETVERDICT_PACKAGE;
export const url = (file) => pathToFileURL(join(PACKAGE, file)).href;
export const { Engine, NetverdictError, Table, answerScenario, compileScenario, init, readAnswer } = await import(url("node.js"));

const EXAMPLE = new URL("../../examples/three-tier/", import.meta.url);

/** The first example. */
export function example(settings) {
  const engine = new Engine(settings);
  for (const file of readdirSync(EXAMPLE, { recursive: true }).filter((f) => /\/.*\.yaml$/.test(f)).sort()) {
    engine.set(file, readFileSync(new URL(file, EXAMPLE), "utf8"));
  }
  return engine;
}

/** A text with edits done. */
export function mend(text, edits) {
  const last = [...edits].sort((a, b) => b.range.start.offset - a.range.start.offset);
  return last.reduce((t, e) => t.slice(0, e.range.start.offset) + e.text + t.slice(e.range.end.offset), text);
}
