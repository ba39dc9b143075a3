// What the built page may do: its own scripts, its own engine, nothing from
// elsewhere, and no text that becomes markup.

import type { Plugin } from "vite";

/** Styles that the text editor writes. Scripts have no such way in. */
const NONCE = "netverdict";

const RULES = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  `style-src 'self' 'nonce-${NONCE}'`,
  // CodeMirror sets the size of tabs so.
  "style-src-attr 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types netverdict",
];

export function policy(): Plugin {
  return {
    name: "policy",
    apply: "build",
    transformIndexHtml: {
      order: "pre",
      handler: () => [
        { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content: RULES.join("; ") }, injectTo: "head-prepend" },
        { tag: "meta", attrs: { name: "style-nonce", content: NONCE }, injectTo: "head" },
      ],
    },
  };
}
