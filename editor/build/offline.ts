// The service worker, written with the list of everything that was built:
// after the first visit the editor needs no network.

import { createHash } from "node:crypto";
import type { Plugin } from "vite";

const worker = (files: readonly string[], version: string): string => `// Written at build time.
const OURS = "netverdict " + self.registration.scope + " ";
const CACHE = OURS + "${version}";
const FILES = ${JSON.stringify(files)};

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(CACHE).then((cache) => cache.addAll(FILES.map((f) => new Request(f, { cache: "reload" })))).then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  const old = (names) => names.filter((n) => n.startsWith(OURS) && n !== CACHE);
  event.waitUntil(caches.keys().then((names) => Promise.all(old(names).map((n) => caches.delete(n)))).then(() => self.clients.claim()));
});

// What was built has its version in its name and comes from the cache; the
// page itself comes from the network where there is one.
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== location.origin) return;
  const cached = async () => (await caches.open(CACHE)).match(request, { ignoreSearch: true });
  if (request.mode === "navigate") {
    const page = async () => (await cached()) ?? (await caches.open(CACHE)).match("./index.html");
    event.respondWith(fetch(request).catch(async () => (await page()) ?? Response.error()));
  } else {
    event.respondWith(cached().then((found) => found ?? fetch(request)));
  }
});
`;

export function offline(): Plugin {
  return {
    name: "offline",
    apply: "build",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const hash = createHash("sha256");
        const files = Object.keys(bundle).sort();
        for (const name of files) {
          const item = bundle[name];
          hash.update(name);
          if (item) hash.update(item.type === "chunk" ? item.code : item.source);
        }
        const source = worker(["./", ...files.map((f) => `./${f}`)], hash.digest("hex").slice(0, 16));
        this.emitFile({ type: "asset", fileName: "sw.js", source });
      },
    },
  };
}
