// The editor as one folder of files: every address in it is relative, so it
// works under any path.

import { resolve } from "node:path";
import { defineConfig } from "vite";
import { examples } from "./build/examples.ts";
import { offline } from "./build/offline.ts";
import { policy } from "./build/policy.ts";

const here = import.meta.dirname;
const built = resolve(process.env.NETVERDICT_PACKAGE ?? resolve(here, "../target/npm/netverdict"));

export default defineConfig({
  base: "./",
  resolve: { alias: { netverdict: resolve(built, "index.js") } },
  plugins: [examples(resolve(here, "../examples")), offline(), policy()],
  server: { fs: { allow: [here, built] } },
  worker: { format: "es" },
  build: {
    outDir: process.env.NETVERDICT_EDITOR ?? resolve(here, "../target/editor/dist"),
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
});
