// An example's story: what it says, and its questions as buttons.

import type { Part } from "virtual:examples";
import { withCode } from "../text/prose";
import { make } from "./element";

export function storyElement(parts: readonly Part[], ask: (from: string, to: string, port: string | undefined) => void): HTMLElement {
  const children = parts.map((part) => {
    if (part.kind === "text") return make("p", {}, withCode(part.text));
    const { from, to, port, sent } = part;
    const label = [`${from} → ${to}`, port, sent].filter(Boolean).join(" · ");
    return make("button", { class: "story-ask", onclick: () => ask(from, to, port) }, label);
  });
  return make("div", { class: "story" }, ...children);
}
