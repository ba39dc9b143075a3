// The comparison: these documents against others. Snapshots in; what is opened, closed and different out, with both rules.

import type { Difference, RulePlace } from "netverdict";
import type { Shell, Snapshot, View } from "../../contract";
import { Superseded } from "../../engine/client";
import { el, put } from "../element";
import { nameOf } from "../end";
import { badge, ruleButton } from "../explanation";
import { isReserved, rangeAt, shortPlace } from "../place";
import { changeWords, verdictWords } from "../wording";
import "./compare.css";
import { documentsOf } from "./folder";
import { markdown, portsText, termsText } from "./markdown";

type Change = Difference["changes"][number];
type Side = Change["sides"][number];

interface Other {
  readonly name: string;
  readonly documents: ReadonlyMap<string, string>;
}

const SHOWN = 200;

export class CompareView implements View {
  readonly id = "compare";
  readonly title = "Compare";
  readonly element: HTMLElement;

  readonly #versions = el("select", { "aria-label": "Compare with" });
  readonly #copy = el("button", { type: "button", disabled: true, onclick: () => void this.#copyMarkdown() }, "Copy as Markdown");
  readonly #body = el("div", { class: "view-body compare-body", "aria-live": "polite" });
  readonly #filter = el("select", { "aria-label": "Show" }, [["", "all changes"], ["opened", "opened"], ["closed", "closed"], ["changed", "on other terms"], ["unsettled", "no longer known"]].map(([value, name]) => el("option", { value: value ?? "" }, name)));
  readonly #open = new Set<string>();
  #snapshot: Snapshot | null = null;
  #other: Other | null = null;
  #difference: Difference | null = null;
  #asked = "";
  #listed = "";

  constructor(readonly shell: Shell) {
    const pick = el("input", { type: "file", multiple: true, webkitdirectory: true, hidden: true, "aria-label": "Folder to compare with" });
    pick.addEventListener("change", () => {
      const files = [...(pick.files ?? [])];
      pick.value = "";
      void this.#folder(files);
    });
    this.#versions.addEventListener("change", () => this.#version());
    this.#filter.addEventListener("change", () => this.#draw());
    this.element = el(
      "div",
      { class: "view compare" },
      el(
        "div",
        { class: "view-bar", role: "toolbar", "aria-label": "Compare" },
        el("label", { class: "check" }, "Before", this.#versions),
        el("button", { type: "button", onclick: () => pick.click() }, "Another folder…"),
        pick,
        this.#filter,
        el("span", { class: "grow" }),
        this.#copy,
      ),
      this.#body,
    );
    // A version may have been kept since the last snapshot.
    this.element.addEventListener("pointerenter", () => this.#list());
    // Dropped files belong to the comparison here, and not to the editor.
    this.element.addEventListener("dragover", (e) => e.preventDefault());
  }

  show(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#list();
    this.#ask();
  }

  #list(): void {
    const saved = this.shell.saved();
    const options = saved.map((s, i) => el("option", { value: String(i) }, `${s.name}, ${new Date(s.when).toLocaleString()}`));
    const own = this.#other && !saved.some((s) => s.documents === this.#other?.documents) ? [el("option", { value: "folder" }, this.#other.name)] : [];
    const state = JSON.stringify([saved.map((s) => [s.name, s.when]), own.length]);
    if (state === this.#listed) return;
    this.#listed = state;
    const before = this.#versions.value;
    put(this.#versions, options.length + own.length === 0 ? el("option", { value: "" }, "no saved version") : null, own, options);
    if ([...this.#versions.options].some((o) => o.value === before)) this.#versions.value = before;
    if (!this.#other) this.#version();
  }

  #version(): void {
    const found = this.shell.saved()[Number(this.#versions.value)];
    if (!found || this.#versions.value === "" || this.#versions.value === "folder") return;
    this.#other = { name: found.name, documents: found.documents };
    this.#ask();
  }

  async #folder(files: readonly File[]): Promise<void> {
    const documents = await documentsOf(files);
    if (documents.size === 0) {
      put(this.#body, el("p", { class: "refusal" }, "There are no YAML or JSON files in that folder."));
      return;
    }
    const name = files[0]?.webkitRelativePath.split("/")[0] ?? "";
    this.#other = { name: name === "" ? "the chosen files" : name, documents };
    this.#list();
    this.#versions.value = "folder";
    this.#ask();
  }

  #ask(): void {
    const other = this.#other;
    if (!other) {
      this.#difference = null;
      this.#copy.disabled = true;
      put(
        this.#body,
        el("div", { class: "empty" }, el("strong", {}, "Nothing to compare with"), el("p", {}, "Save a version before you change something, or choose another folder: then every connection that is opened, closed or on other terms is listed here, with the rules that make it so.")),
      );
      return;
    }
    const mine = `${other.name} ${this.#snapshot?.revision ?? 0}`;
    this.#asked = mine;
    if (!this.#difference) put(this.#body, el("p", { class: "dim" }, "Comparing…"));
    this.shell.engine.latest("compare", "diff", [...other.documents]).then(
      (difference) => {
        if (mine !== this.#asked) return;
        this.#difference = difference;
        this.#draw();
      },
      (e: unknown) => {
        if (mine === this.#asked && !(e instanceof Superseded)) put(this.#body, el("p", { class: "refusal" }, e instanceof Error ? e.message : String(e)));
      },
    );
  }

  #draw(): void {
    const difference = this.#difference;
    const other = this.#other;
    if (!difference || !other) return;
    this.#copy.disabled = false;
    const changes = difference.changes.filter((c) => this.#filter.value === "" || c.kind === this.#filter.value);
    const counts = (["opened", "closed", "changed", "unsettled"] as const).map((kind) => [kind, difference.changes.filter((c) => c.kind === kind).length] as const);
    put(
      this.#body,
      el(
        "p",
        { class: "compare-counts" },
        difference.changes.length === 0 ? badge("no connection is different", "good") : counts.map(([kind, n]) => n > 0 && badge(`${n} ${changeWords(kind)[0]}`, changeWords(kind)[1])),
        el("span", { class: "dim" }, ` ${difference.compared} pairs compared with ${other.name}`),
      ),
      ends("New", difference.appeared),
      ends("Gone", difference.disappeared),
      el("ul", { class: "changes" }, changes.slice(0, SHOWN).map((c) => this.#change(c, other))),
      changes.length > SHOWN && el("p", { class: "dim" }, `${changes.length - SHOWN} more are in the Markdown.`),
    );
  }

  #change(change: Change, other: Other): HTMLElement {
    const id = `${change.kind}>${change.from}>${change.to}>${portsText(change)}`;
    const before = termsText(change.before);
    const after = termsText(change.after);
    const details = el(
      "details",
      { class: "change", open: this.#open.has(id), "data-from": change.from, "data-to": change.to, "data-kind": change.kind },
      el(
        "summary",
        {},
        badge(...changeWords(change.kind)),
        el("span", { class: "change-ends" }, `${nameOf(change.from)} → ${nameOf(change.to)}`),
        el("span", { class: "dim" }, portsText(change)),
        change.kind === "changed" && el("span", { class: "dim change-terms" }, `${before} → ${after}`),
      ),
      el("div", { class: "sides" }, change.sides.map((s) => sideOf(s, this.shell, other))),
    );
    details.addEventListener("toggle", () => (details.open ? this.#open.add(id) : this.#open.delete(id)));
    return el("li", {}, details);
  }

  async #copyMarkdown(): Promise<void> {
    if (!this.#difference || !this.#other) return;
    const text = markdown(this.#difference, this.#other.name);
    const label = this.#copy.textContent;
    try {
      await navigator.clipboard.writeText(text);
      this.#copy.textContent = "Copied";
    } catch {
      // Without leave to write to the clipboard the text is shown to be copied by hand.
      const area = el("textarea", { class: "compare-markdown", readonly: true, rows: 12, "aria-label": "Markdown" });
      area.value = text;
      this.#body.prepend(area);
      area.select();
      return;
    }
    setTimeout(() => (this.#copy.textContent = label), 1500);
  }
}

function ends(title: string, all: readonly string[]): HTMLElement | null {
  return all.length === 0 ? null : el("p", {}, el("span", { class: "dim" }, `${title}: `), all.map(nameOf).join(", "));
}

function sideOf(side: Side, shell: Shell, other: Other): HTMLElement {
  return el(
    "section",
    { class: "side" },
    el("h3", {}, `${side.direction === "egress" ? "Egress" : "Ingress"} of ${nameOf(side.of)}`),
    said("Before", side.before, (r) => oldRule(r, other)),
    said("Now", side.after, (r) => ruleButton(r, shell)),
  );
}

function said(title: string, what: Side["before"], rule: (r: RulePlace) => HTMLElement): HTMLElement {
  return el(
    "div",
    { class: "said" },
    el("span", { class: "dim" }, `${title} `),
    badge(...verdictWords(what.verdict)),
    what.requests !== undefined && what.requests.length > 0 && el("ul", { class: "requests" }, what.requests.map((r) => el("li", {}, el("code", {}, r)))),
    what.rules.length > 0 && el("ul", { class: "rules" }, what.rules.map((r) => el("li", {}, rule(r)))),
  );
}

/** The other documents are open nowhere: the rule's text is here. */
function oldRule(rule: RulePlace, other: Other): HTMLElement {
  if (isReserved(rule)) return el("span", { class: "rule-reserved" }, "no policy of its own");
  const range = rangeAt(rule.at, other.documents);
  const text = range && other.documents.get(range.document)?.slice(range.start.offset - range.start.column + 1, range.end.offset);
  return el(
    "details",
    { class: "old-rule", title: `${rule.at} in ${other.name}` },
    el("summary", {}, rule.rule, el("span", { class: "rule-path" }, `${rule.path} · ${shortPlace(rule.at)}`)),
    text !== undefined && text !== null && el("pre", { class: "yaml", tabindex: 0 }, text),
  );
}
