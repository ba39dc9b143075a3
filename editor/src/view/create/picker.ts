// One of many, chosen by a click or with arrow keys, with a filter above. Entries in, the chosen one out.

import { attribute, el } from "../element";

export interface Entry {
  readonly value: string;
  readonly name: string;
  readonly group: string;
}

let pickers = 0;

export class Picker {
  readonly element: HTMLElement;
  readonly #filter: HTMLInputElement;
  readonly #list: HTMLElement;
  readonly #name = `pick-${pickers++}`;
  #entries: readonly Entry[] = [];
  #value = "";

  constructor(
    title: string,
    placeholder: string,
    /** What is typed counts as an entry of its own: addresses and DNS names. */
    readonly free: boolean,
    readonly changed: () => void,
  ) {
    this.#filter = el("input", { type: "search", placeholder, "aria-label": `${title}: filter`, autocomplete: "off", spellcheck: "false", oninput: () => this.#draw() });
    this.#list = el("div", { class: "pick-list", role: "radiogroup", "aria-label": title });
    this.#list.addEventListener("change", (e) => {
      this.#value = (e.target as HTMLInputElement).value;
      this.changed();
    });
    this.element = el("div", { class: "pick" }, el("h3", {}, title), this.#filter, this.#list);
  }

  get value(): string {
    return this.#value;
  }

  set value(value: string) {
    this.#value = value;
    this.#draw();
  }

  offer(entries: readonly Entry[]): void {
    this.#entries = entries;
    this.#draw();
  }

  title(title: string): void {
    const head = this.element.querySelector("h3");
    if (head) head.textContent = title;
    attribute(this.#list, "aria-label", title);
  }

  #draw(): void {
    const typed = this.#filter.value.trim();
    const words = typed.toLowerCase().split(/\s+/);
    const shown = this.#entries.filter((e) => words.every((w) => `${e.group}/${e.name}`.toLowerCase().includes(w)));
    const own = this.free && typed !== "" && /^[\w.:*/-]+$/.test(typed) && !this.#entries.some((e) => e.value === typed);
    // What is chosen stays in sight of the form, although the filter would hide it.
    const chosen = this.#value !== "" && !shown.some((e) => e.value === this.#value) && this.#value !== typed;
    const all: Entry[] = [
      ...(own ? [{ value: typed, name: typed, group: "as typed" }] : []),
      ...(chosen ? [this.#entries.find((e) => e.value === this.#value) ?? { value: this.#value, name: this.#value, group: "as typed" }] : []),
      ...shown,
    ];
    const focused = this.#list.contains(document.activeElement);
    this.#list.replaceChildren(
      ...all.map((e) =>
        el(
          "label",
          { class: "pick-entry" },
          el("input", { type: "radio", name: this.#name, value: e.value, checked: e.value === this.#value }),
          el("span", { class: "matrix-name" }, e.name),
          el("span", { class: "matrix-namespace" }, e.group),
        ),
      ),
    );
    if (all.length === 0) this.#list.append(el("p", { class: "dim" }, "Nothing matches."));
    if (focused) this.#list.querySelector<HTMLInputElement>("input:checked")?.focus();
  }
}
