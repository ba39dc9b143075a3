// Policies that were written for a need in, their text and what they open out, with a button that makes documents of them.

import type { Generated } from "netverdict";
import type { Shell } from "../../contract";
import { withCode } from "../../text/prose";
import { el } from "../element";
import { badge } from "../explanation";
import { effectList } from "./effects";

export function generatedPolicies(generated: Generated, shell: Shell, added: () => void): HTMLElement {
  const { policies, effects, unmet, leftOut, refused } = generated;
  const notes = [...unmet.map((u) => `${u.need}: ${u.found}`), ...leftOut, ...refused];
  const add = (): void => {
    for (const policy of policies) shell.create(policy.document, policy.text);
    added();
  };
  if (policies.length === 0) {
    return el("div", { class: "generated" }, el("p", {}, generated.needed > 0 && unmet.length === 0 ? "Nothing has to be written: it is allowed already." : "No policy can do that."), noteList(notes));
  }
  return el(
    "div",
    { class: "generated" },
    el(
      "div",
      { class: "remedy-head" },
      el("h2", {}, policies.length === 1 ? "The policy" : `The ${policies.length} policies`),
      el("button", { type: "button", class: "primary", onclick: add }, policies.length === 1 ? "Add policy" : `Add ${policies.length} policies`),
    ),
    noteList(notes),
    el("h3", {}, effects.length === 0 ? "They change no connection." : "What changes, and nothing else:"),
    effectList(effects),
    policies.map((p) => el("section", {}, el("h3", {}, p.document, " ", el("span", { class: "dim" }, p.workload)), el("pre", { class: "yaml", tabindex: 0, "aria-label": `YAML of ${p.document}` }, p.text))),
  );
}

function noteList(notes: readonly string[]): HTMLElement | null {
  return notes.length === 0 ? null : el("ul", { class: "notes" }, notes.map((n) => el("li", {}, badge("note", "warn"), " ", withCode(n))));
}
