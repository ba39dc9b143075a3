// Bundles the tests of modules that need no browser, and runs them: node test/unit.mjs [part of a name]

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";

const root = join(import.meta.dirname, "..");
const wanted = process.argv[2] ?? "";
const tests = readdirSync(join(root, "test"), { recursive: true })
  .map(String)
  .filter((name) => name.endsWith(".test.ts") && name.includes(wanted));
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
      rolldownOptions: { input: Object.fromEntries(tests.map((name) => [name.replace(/\W/g, "-"), join(root, "test", name)])) },
    },
  });
  const built = readdirSync(out).filter((name) => /test-ts\.m?js$/.test(name)).map((name) => join(out, name));
  const { status } = spawnSync(process.execPath, ["--test", ...built], { stdio: "inherit" });
  process.exitCode = built.length === 0 ? 1 : (status ?? 1);
} finally {
  rmSync(out, { recursive: true, force: true });
}
