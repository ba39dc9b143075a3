// The views behind tabs: one is visible. In: views. Out: which one, and the
// keys that people expect of tabs.

import type { View } from "../contract";
import { make } from "./element";

export class Tabs {
  readonly element: HTMLElement;
  readonly #list: HTMLElement;
  readonly #body: HTMLElement;
  readonly #tabs = new Map<string, { readonly view: View; readonly tab: HTMLButtonElement; readonly panel: HTMLElement }>();
  #current = "";

  constructor(
    views: readonly View[],
    start: string | null,
    readonly changed: (view: View) => void,
  ) {
    this.#list = make("div", { role: "tablist", "aria-label": "Views", class: "tabs", onkeydown: (e: KeyboardEvent) => this.#key(e) });
    this.#body = make("div", { class: "panels" });
    for (const view of views) {
      const { id, title } = view;
      const tab = make("button", { role: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}`, class: "tab" }, title);
      tab.addEventListener("click", () => this.bring(id));
      const panel = make("div", { role: "tabpanel", id: `panel-${id}`, "aria-labelledby": `tab-${id}`, class: "panel" }, view.element);
      this.#tabs.set(id, { view, tab, panel });
      this.#list.append(tab);
      this.#body.append(panel);
    }
    this.element = make("section", { class: "views", "aria-label": "What the policies allow" }, this.#list, this.#body);
    this.bring(start !== null && this.#tabs.has(start) ? start : (views[0]?.id ?? ""));
  }

  get current(): View | undefined {
    return this.#tabs.get(this.#current)?.view;
  }

  bring(id: string): void {
    const chosen = this.#tabs.get(id);
    if (!chosen) return;
    const news = id !== this.#current;
    this.#current = id;
    for (const [other, { tab, panel }] of this.#tabs) {
      const here = other === id;
      tab.setAttribute("aria-selected", String(here));
      tab.tabIndex = here ? 0 : -1;
      panel.hidden = !here;
    }
    if (news) this.changed(chosen.view);
  }

  #key(event: KeyboardEvent): void {
    const ids = [...this.#tabs.keys()];
    const at = ids.indexOf(this.#current);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + ids.length, Home: 0, End: ids.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const id = ids[to % ids.length] ?? "";
    this.bring(id);
    this.#tabs.get(id)?.tab.focus();
  }
}
