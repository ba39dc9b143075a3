// The documents by name, with what there is to say about each. In: names and
// diagnostics. Out: which one to open, to rename, to delete.

import type { Diagnostic } from "netverdict";
import { make } from "../shell/element";

export interface ListHost {
  open(name: string): void;
  rename(from: string, to: string): void;
  remove(name: string): void;
  /** Its text is not what the folder on the disk has. */
  unsaved(name: string): boolean;
}

export class FileList {
  readonly element: HTMLElement;
  readonly #host: ListHost;
  readonly #list = make("ul", { class: "files-list" });
  readonly #rows = new Map<string, HTMLButtonElement>();
  #active: string | null = null;
  #renaming = false;

  constructor(host: ListHost) {
    this.#host = host;
    this.element = make("div", { class: "files-scroll" }, this.#list);
    this.#list.addEventListener("keydown", (event) => this.#key(event));
  }

  show(names: readonly string[], active: string | null, diagnostics: readonly Diagnostic[]): void {
    if (this.#renaming) return;
    this.#active = active;
    if (names.length !== this.#rows.size || names.some((name) => !this.#rows.has(name))) this.#build(names);
    const counts = new Map<string, { error: number; warning: number; info: number }>();
    for (const { range, severity } of diagnostics) {
      if (!range) continue;
      const count = counts.get(range.document) ?? { error: 0, warning: 0, info: 0 };
      count[severity] += 1;
      counts.set(range.document, count);
    }
    for (const [name, row] of this.#rows) {
      const here = name === active;
      row.setAttribute("aria-current", String(here));
      row.tabIndex = here || (active === null && name === names[0]) ? 0 : -1;
      const unsaved = this.#host.unsaved(name);
      row.classList.toggle("unsaved", unsaved);
      if (unsaved) row.setAttribute("aria-description", "not saved");
      else row.removeAttribute("aria-description");
      const { error, warning } = counts.get(name) ?? { error: 0, warning: 0 };
      const badge = row.lastElementChild as HTMLElement;
      const [count, what] = error ? [error, "error"] : [warning, "warning"];
      const key = count === 0 ? "" : `${count} ${what}${count === 1 ? "" : "s"}`;
      if (badge.title === key) continue;
      badge.title = key;
      badge.className = `count count-${what}`;
      badge.replaceChildren(...(key === "" ? [] : [String(count), make("span", { class: "unseen" }, key.slice(key.indexOf(" ")))]));
    }
  }

  /** Asks for another name, in the list itself. */
  rename(name: string): void {
    const row = this.#rows.get(name);
    if (!row) return;
    this.#renaming = true;
    const input = make("input", { type: "text", value: name, "aria-label": `New name of ${name}`, class: "files-rename" });
    const end = (take: boolean): void => {
      if (!this.#renaming) return;
      this.#renaming = false;
      const to = input.value.trim();
      input.replaceWith(row);
      row.focus();
      if (take && to !== "" && to !== name) this.#host.rename(name, to);
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") end(true);
      if (event.key === "Escape") end(false);
    });
    input.addEventListener("blur", () => end(true));
    row.replaceWith(input);
    input.focus();
    input.setSelectionRange(name.lastIndexOf("/") + 1, Math.max(name.lastIndexOf("."), 0) || name.length);
  }

  #build(names: readonly string[]): void {
    const focused = this.#list.contains(document.activeElement);
    this.#rows.clear();
    const items: HTMLElement[] = [];
    let folder = "";
    for (const name of names) {
      const slash = name.lastIndexOf("/");
      const under = name.slice(0, Math.max(slash, 0));
      if (under !== folder) {
        folder = under;
        items.push(make("li", { class: "files-folder", title: under }, under));
      }
      const row = make("button", { class: "file quiet", title: name }, make("span", { class: "file-name" }, name.slice(slash + 1)), make("span", { class: "count" }));
      row.addEventListener("click", () => this.#host.open(name));
      row.addEventListener("dblclick", () => this.rename(name));
      this.#rows.set(name, row);
      items.push(make("li", { class: under === "" ? "" : "files-under" }, row));
    }
    this.#list.replaceChildren(...items);
    if (focused) this.#rows.get(this.#active ?? "")?.focus();
  }

  #key(event: KeyboardEvent): void {
    const rows = [...this.#rows];
    const at = rows.findIndex(([, row]) => row === document.activeElement);
    const name = rows[at]?.[0];
    if (name === undefined) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined) rows[Math.min(Math.max(to, 0), rows.length - 1)]?.[1].focus();
    else if (event.key === "F2") this.rename(name);
    else if (event.key === "Delete") this.#host.remove(name);
    else return;
    event.preventDefault();
  }
}

/** Folders together, names as people order them. */
export function ordered(names: Iterable<string>): string[] {
  const split = (name: string): [string, string] => {
    const slash = name.lastIndexOf("/");
    return [name.slice(0, Math.max(slash, 0)), name.slice(slash + 1)];
  };
  const { compare } = new Intl.Collator("en", { numeric: true });
  return [...names].sort((a, b) => {
    const [[under, x], [other, y]] = [split(a), split(b)];
    return compare(under, other) || compare(x, y);
  });
}
