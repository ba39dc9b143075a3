// A flow that does not pass in, the smallest changes that let it through out, each with what else it opens and a button.

import type { FlowQuestion, Remedy, Step } from "netverdict";
import type { Shell } from "../../contract";
import { Superseded } from "../../engine/client";
import { withCode } from "../../text/prose";
import { el, put } from "../element";
import { effectList } from "./effects";

export class Remedies {
  readonly element = el("section", { class: "remedies", "aria-label": "Changes that would allow it" });
  #asked = "";

  constructor(readonly shell: Shell) {}

  clear(): void {
    this.#asked = "";
    put(this.element);
  }

  ask(question: FlowQuestion): void {
    const mine = JSON.stringify(question);
    // What was offered for the same question stays until the new answer is here.
    if (mine !== this.#asked) put(this.element, el("p", { class: "dim" }, "Looking for the smallest change that allows it…"));
    this.#asked = mine;
    this.shell.engine.latest("remedies", "remedies", question).then(
      (remedies) => mine === this.#asked && this.#show(remedies),
      (e: unknown) => {
        if (mine === this.#asked && !(e instanceof Superseded)) put(this.element, el("p", { class: "refusal" }, e instanceof Error ? e.message : String(e)));
      },
    );
  }

  #show(remedies: readonly Remedy[]): void {
    put(
      this.element,
      el("h2", {}, "To allow it"),
      remedies.length === 0 ? el("p", { class: "dim" }, "No small change was found that lets it through.") : remedies.map((r) => this.#remedy(r)),
    );
  }

  #remedy(remedy: Remedy): HTMLElement {
    const byHand = remedy.steps.some((s) => s.kind === "remove" && s.edits.length === 0);
    return el(
      "article",
      { class: "remedy" },
      el(
        "div",
        { class: "remedy-head" },
        el("strong", {}, withCode(remedy.title)),
        el("button", { type: "button", class: "primary", disabled: byHand, title: byHand ? "It has to be done by hand" : null, onclick: () => this.#apply(remedy) }, "Apply"),
      ),
      remedy.steps.map(stepOf),
      remedy.beyond.length === 0
        ? el("p", { class: "dim" }, "Opens nothing else.")
        : el("details", { class: "candidates", open: remedy.beyond.length <= 6 }, el("summary", {}, `Also changes ${remedy.beyond.length === 1 ? "1 other connection" : `${remedy.beyond.length} other connections`}`), effectList(remedy.beyond)),
    );
  }

  #apply(remedy: Remedy): void {
    const edits = remedy.steps.flatMap((s) => (s.kind === "remove" ? s.edits : []));
    if (edits.length > 0) this.shell.edit(edits, remedy.title);
    for (const step of remedy.steps) if (step.kind === "add") this.shell.create(step.document, step.text);
  }
}

function stepOf(step: Step): HTMLElement {
  if (step.kind === "remove") {
    return el("p", {}, "Takes out ", el("code", {}, step.object), step.edits.length === 0 ? ": it is part of something else and has to be taken out by hand." : ".");
  }
  return el("details", { class: "candidates" }, el("summary", {}, `Adds ${step.document}`), el("pre", { class: "yaml", tabindex: 0 }, step.text));
}
