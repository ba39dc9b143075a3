// The tests of modules that need no browser: bundled, and run here.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "vite";

const root = join(import.meta.dirname, "..");
const tests = readdirSync(join(root, "test"), { recursive: true })
  .map(String)
  .filter((name) => name.endsWith(".test.ts"));
const out = mkdtempSync(join(tmpdir(), "netverdict-editor-"));
try {
  await build({
    root,
    configFile: false,
    logLevel: "error",
    ssr: { noExternal: true },
    build: {
      ssr: true,
      outDir: out,
      target: "node20",
      rolldownOptions: {
        input: Object.fromEntries(tests.map((name) => [name.replace(/\W/g, "-"), join(root, "test", name)])),
        output: { entryFileNames: "[name].mjs", chunkFileNames: "[hash].mjs" },
      },
    },
  });
  for (const name of readdirSync(out)) if (name.endsWith("-test-ts.mjs")) await import(pathToFileURL(join(out, name)).href);
} finally {
  rmSync(out, { recursive: true, force: true });
}
