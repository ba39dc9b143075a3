// What there is to say about all documents, as a list. In: diagnostics. Out:
// which one somebody wants to see or to have fixed.

import type { Diagnostic, Fix, Range } from "netverdict";
import { make } from "../shell/element";
import { sentence, withCode } from "./prose";

const SHOWN = 200;

export interface ProblemsHost {
  reveal(range: Range): void;
  fix(fix: Fix): void;
}

const SIGNS = { error: "✕", warning: "!", info: "i" } as const;
const WORDS = { error: "error", warning: "warning", info: "note" } as const;

export class Problems {
  readonly element: HTMLElement;
  readonly #host: ProblemsHost;
  readonly #list = make("ul", { class: "problems-list", "aria-label": "Problems" });
  readonly #count = make("span", { class: "problems-count", role: "status" });
  #shown = "";

  constructor(host: ProblemsHost) {
    this.#host = host;
    const heading = make("div", { class: "pane-head" }, make("h2", {}, "Problems"), this.#count);
    this.element = make("section", { class: "problems", "aria-label": "Problems" }, heading, this.#list);
  }

  show(diagnostics: readonly Diagnostic[], active: string | null): void {
    const here = (d: Diagnostic): number => (d.range?.document === active ? 0 : 1);
    const rank = { error: 0, warning: 1, info: 2 };
    const ordered = diagnostics.toSorted(
      (a, b) =>
        rank[a.severity] - rank[b.severity] ||
        here(a) - here(b) ||
        (a.range?.document ?? "").localeCompare(b.range?.document ?? "") ||
        (a.range?.start.offset ?? 0) - (b.range?.start.offset ?? 0),
    );
    const first = ordered.slice(0, SHOWN);
    // A list that says the same stays as it is: focus is not lost.
    const key = JSON.stringify(first);
    if (key === this.#shown) return;
    this.#shown = key;
    const items = first.map((d) => this.#item(d));
    if (ordered.length > SHOWN) items.push(make("li", { class: "problem dim" }, `… and ${ordered.length - SHOWN} more`));
    if (ordered.length === 0) items.push(make("li", { class: "problem dim" }, "Nothing to complain about."));
    this.#list.replaceChildren(...items);
    this.#count.textContent = counted(diagnostics);
  }

  #item(d: Diagnostic): HTMLLIElement {
    const { range } = d;
    const place = range ? `${range.document}:${range.start.line}` : "";
    const text = make(
      "button",
      { class: "problem-text quiet", disabled: range === null },
      make("span", { class: `sign sign-${d.severity}`, "aria-hidden": "true" }, SIGNS[d.severity]),
      make(
        "span",
        { class: "problem-words" },
        make("span", { class: "unseen" }, `${WORDS[d.severity]}: `),
        withCode(d.message),
        ...(d.help ? [make("span", { class: "problem-help" }, withCode(d.help))] : []),
        make("span", { class: "problem-place" }, [place, d.object, d.code].filter((part) => part !== "").join(" · ")),
      ),
    );
    if (range) text.addEventListener("click", () => this.#host.reveal(range));
    const fixes = d.fixes.map((fix) => make("button", { class: "fix", onclick: () => this.#host.fix(fix) }, `Fix: ${sentence(fix.title)}`));
    return make("li", { class: "problem", "data-code": d.code, "data-line": range?.start.line ?? "" }, text, ...(fixes.length > 0 ? [make("div", { class: "fixes" }, ...fixes)] : []));
  }
}

export function counted(diagnostics: readonly Diagnostic[]): string {
  const count = (severity: Diagnostic["severity"]): number => diagnostics.filter((d) => d.severity === severity).length;
  const [errors, warnings, notes] = [count("error"), count("warning"), count("info")];
  const say = (n: number, one: string): string[] => (n === 0 ? [] : [`${n} ${one}${n === 1 ? "" : "s"}`]);
  return [...say(errors, "error"), ...say(warnings, "warning"), ...say(notes, "note")].join(", ");
}
