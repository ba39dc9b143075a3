// The place for DNS names: which addresses they had when somebody asked. In
// and out: the text that the shell keeps.

import type { Shell } from "../../contract";
import { parseNames } from "../../state/names";
import { el, put } from "../element";

const PAUSE_MS = 300;

export class NamesField {
  readonly element: HTMLElement;
  readonly #shell: Shell;
  readonly #text = el("textarea", { rows: 3, placeholder: "api.example.com 203.0.113.7", spellcheck: "false", autocapitalize: "off" });
  readonly #problem = el("p", { class: "refusal", role: "status" });
  #timer = 0;

  constructor(shell: Shell) {
    this.#shell = shell;
    this.#text.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = window.setTimeout(() => this.#take(), PAUSE_MS);
    });
    this.#text.addEventListener("change", () => this.#take());
    this.element = el(
      "details",
      { class: "flow-names" },
      el("summary", {}, "DNS names and their addresses"),
      el("label", { class: "flow-field" }, el("span", {}, "Rules by name hold for these addresses, as if pods had asked for the names: a name and its addresses on each line"), this.#text),
      this.#problem,
    );
    this.show();
  }

  /** The text as it is now; what is being written stays. */
  show(): void {
    const kept = this.#shell.names();
    if (document.activeElement !== this.#text && this.#text.value !== kept) this.#text.value = kept;
    if (kept !== "") this.element.setAttribute("open", "");
  }

  #take(): void {
    clearTimeout(this.#timer);
    const read = parseNames(this.#text.value);
    put(this.#problem, "problem" in read ? read.problem : "");
    if (this.#text.value !== this.#shell.names()) this.#shell.setNames(this.#text.value);
  }
}
