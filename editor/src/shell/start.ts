// What is there when there are no documents: ways to begin.

import { examples, type Example } from "virtual:examples";
import type { Earlier } from "../state/workspace";
import { make } from "./element";

export interface StartHost {
  openFolder(): void;
  openFiles(): void;
  blank(): void;
  example(example: Example): void;
  earlier(id: string): void;
}

/** In the order of a walk through them. */
const ORDER = ["three-tier", "three-tier-one-dash", "bookinfo", "l7-api", "namespace-presets", "agent-sandbox", "networkpolicy-lab", "mistakes", "shop"];

export const orderedExamples: readonly Example[] = examples.toSorted((a, b) => {
  const rank = ({ name }: Example): number => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return rank(a) - rank(b);
});

export function startElement(host: StartHost, earlier: readonly Earlier[]): HTMLElement {
  const begin = make(
    "div",
    { class: "start-begin" },
    make("button", { class: "primary", onclick: () => host.openFolder() }, "Open a folder…"),
    make("button", { onclick: () => host.openFiles() }, "Open files…"),
    make("button", { onclick: () => host.blank() }, "New file"),
  );
  const parts: Node[] = [
    make("h2", { class: "start-title" }, "Which connections do your policies allow?"),
    make("p", { class: "dim" }, "Drop a folder of Kubernetes manifests here, or paste one. Workloads and policies are read as Cilium reads them. Nothing leaves this machine."),
    begin,
  ];
  if (earlier.length > 0) {
    const items = earlier.slice(0, 6).map(({ id, title, when, count }) =>
      make("li", {}, make("button", { class: "quiet", onclick: () => host.earlier(id) }, title, make("span", { class: "dim" }, ` · ${files(count)} · ${new Date(when).toLocaleString()}`))),
    );
    parts.push(make("h3", {}, "Earlier work"), make("ul", { class: "start-earlier" }, ...items));
  }
  const cards = orderedExamples.map((example) =>
    make(
      "button",
      { class: "card", onclick: () => host.example(example), "data-example": example.name },
      make("strong", {}, example.title),
      make("span", { class: "dim" }, example.about === "" ? files(example.documents.length) : example.about),
    ),
  );
  parts.push(make("h3", {}, "Examples"), make("div", { class: "cards" }, ...cards));
  return make("div", { class: "start" }, make("div", { class: "start-inner" }, ...parts));
}

export const files = (count: number): string => `${count} file${count === 1 ? "" : "s"}`;
