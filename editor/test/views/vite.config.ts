// The page of the views' tests, built beside the editor.

import { resolve } from "node:path";
import { defineConfig } from "vite";

const here = import.meta.dirname;
const built = resolve(process.env.NETVERDICT_PACKAGE ?? resolve(here, "../../../target/npm/netverdict"));

export default defineConfig({
  root: here,
  base: "./",
  resolve: { alias: { netverdict: resolve(built, "index.js") } },
  worker: { format: "es" },
  build: {
    outDir: process.env.NETVERDICT_VIEWS ?? resolve(here, "../../../target/editor/views"),
    emptyOutDir: true,
    target: "es2022",
    chunkSizeWarningLimit: 4000,
  },
});
