// Recorded flows: lines of Hubble in; what would be denied now and policies that allow it out.

import type { GenerateRequest, Replay, ReplayedConnection } from "netverdict";
import type { Shell, Snapshot, View } from "../../contract";
import { Superseded } from "../../engine/client";
import { el, put } from "../element";
import { badge, ruleButton } from "../explanation";
import { portList } from "../create/ports";
import { generatedPolicies } from "../panel/generated";
import { outcomeWords, passes, verdictWords, type Tone } from "../wording";
import "./recorded.css";

const CHANGES: Readonly<Record<ReplayedConnection["change"], readonly [string, Tone]>> = {
  "newly-denied": ["denied now", "bad"],
  "newly-refused": ["refused by a proxy now", "bad"],
  "needs-authentication": ["wants authentication now", "warn"],
  "newly-allowed": ["allowed now", "good"],
  "to-proxy": ["by way of a proxy now", "dim"],
  "from-proxy": ["no longer by way of a proxy", "dim"],
  unknown: ["not known", "dim"],
  same: ["as recorded", "good"],
};
const PAUSE_MS = 200;
const SHOWN = 300;

export class RecordedView implements View {
  readonly id = "recorded";
  readonly title = "Recorded";
  readonly element: HTMLElement;

  readonly #text = el("textarea", { class: "recorded-text", rows: 7, "aria-label": "Hubble's flows", placeholder: "Paste what hubble observe prints: lines of text, or JSON (hubble observe -o json)", spellcheck: "false", wrap: "off" });
  readonly #body = el("div", { class: "recorded-body", "aria-live": "polite" });
  readonly #policies = el("div", { class: "create-result" });
  readonly #kind = el("select", { "aria-label": "Kind of policy" }, el("option", { value: "CiliumNetworkPolicy" }, "CiliumNetworkPolicy"), el("option", { value: "NetworkPolicy" }, "NetworkPolicy"));
  readonly #dropped = el("input", { type: "checkbox" });
  #snapshot: Snapshot | null = null;
  #timer = 0;
  #asked = "";

  constructor(readonly shell: Shell) {
    const pick = el("input", { type: "file", hidden: true, "aria-label": "Recording", accept: ".json,.jsonl,.txt,.log" });
    pick.addEventListener("change", () => {
      const file = pick.files?.[0];
      pick.value = "";
      void file?.text().then((text) => {
        this.#text.value = text;
        this.#ask();
      });
    });
    this.#text.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = window.setTimeout(() => this.#ask(), PAUSE_MS);
    });
    this.element = el(
      "div",
      { class: "view recorded" },
      el(
        "div",
        { class: "view-bar", role: "toolbar", "aria-label": "Recorded" },
        el("button", { type: "button", onclick: () => pick.click() }, "Open a recording…"),
        pick,
        el("span", { class: "grow" }),
        el("button", { type: "button", onclick: () => this.#writeAll() }, "Write policies for all of it"),
        el("label", { class: "check" }, "as", this.#kind),
        el("label", { class: "check", title: "Also for what was dropped when it was recorded" }, this.#dropped, "also what was dropped"),
      ),
      el("div", { class: "view-body" }, this.#text, this.#body, this.#policies),
    );
  }

  show(snapshot: Snapshot): void {
    if (this.#snapshot?.revision === snapshot.revision) return;
    this.#snapshot = snapshot;
    this.#ask();
  }

  #ask(): void {
    const recording = this.#text.value;
    this.#asked = `${this.#snapshot?.revision ?? 0} ${recording}`;
    const mine = this.#asked;
    put(this.#policies);
    if (recording.trim() === "") {
      put(this.#body, el("p", { class: "dim" }, "Each recorded connection is decided by the policies as they are now: what would be denied is listed first, with the rules that would allow it. Nothing leaves this machine."));
      return;
    }
    this.shell.engine.latest("recorded", "replay", recording, "line").then(
      (replay) => mine === this.#asked && this.#show(replay),
      (e: unknown) => mine === this.#asked && this.#refused(this.#body, e),
    );
  }

  #refused(where: HTMLElement, e: unknown): void {
    if (!(e instanceof Superseded)) put(where, el("p", { class: "refusal" }, e instanceof Error ? e.message : String(e)));
  }

  #show(replay: Replay): void {
    const denied = replay.connections.filter((c) => !goes(c));
    const passed = [
      [replay.malformed, "lines are no flows"],
      [replay.replies + replay.perhapsReplies, "replies"],
      [replay.otherDrops, "drops for other reasons"],
      [replay.withoutVerdict, "without a verdict"],
    ] as const;
    put(
      this.#body,
      el(
        "p",
        {},
        denied.length === 0 ? badge("nothing would be denied", "good") : badge(`${denied.length} of ${replay.connections.length} connections do not pass`, "bad"),
        el("span", { class: "dim" }, ` ${replay.flows === 1 ? "1 flow" : `${replay.flows} flows`}; passed over: ${passed.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}`).join(", ") || "nothing"}`),
      ),
      replay.problems.length > 0 && el("details", { class: "candidates" }, el("summary", {}, "Lines that could not be read"), el("ul", {}, replay.problems.map((p) => el("li", {}, `${p.at}: ${p.message}`)))),
      el("ul", { class: "changes" }, [...replay.connections].sort((a, b) => Number(goes(a)) - Number(goes(b))).slice(0, SHOWN).map((c) => this.#connection(c))),
      replay.connections.length > SHOWN && el("p", { class: "dim" }, `and ${replay.connections.length - SHOWN} more`),
    );
  }

  #connection(c: ReplayedConnection): HTMLElement {
    const passesNow = goes(c);
    const policies = el("div", {});
    const [words, tone] = c.change === "same" && !passesNow ? (["denied, as recorded", "bad"] as const) : CHANGES[c.change];
    const verdict = c.layer7 === undefined ? verdictWords(c.verdict)[0] : outcomeWords(c.layer7)[0];
    return el(
      "li",
      { class: "recorded-row" },
      el(
        "div",
        { class: "remedy-head" },
        el("span", {}, badge(words, tone), " ", el("strong", {}, `${c.from} → ${c.to}`), ` ${c.traffic} `, el("span", { class: "dim" }, `${c.flows === 1 ? "1 flow" : `${c.flows} flows`}, ${c.first.replace(/^line:/, "line ")}`)),
        !passesNow && el("button", { type: "button", onclick: () => this.#write(c, policies) }, "Allow…"),
      ),
      !passesNow && el("p", { class: "dim" }, `${c.direction === undefined ? "" : `${c.direction}: `}${verdict}`),
      (c.why?.length ?? 0) > 0 && el("p", { class: "dim" }, c.why?.join("; ")),
      c.rules.length > 0 && (passesNow ? el("details", { class: "candidates" }, el("summary", {}, "rules"), rules(c, this.shell)) : rules(c, this.shell)),
      policies,
    );
  }

  /** What would allow one connection: by its ends, or, when one of them is in no document, by what was recorded of it. */
  #write(c: ReplayedConnection, where: HTMLElement): void {
    const ports = portList(c.traffic.split(/\s/)[0] ?? "");
    const line = this.#text.value.split("\n")[Number(/:(\d+)$/.exec(c.first)?.[1] ?? 0) - 1] ?? "";
    const known = (name: string): boolean => !name.includes("/") || this.#snapshot?.workloads.some((w) => w.name === name) === true;
    if (ports && ports.length > 0 && known(c.from) && known(c.to)) this.#generate({ kind: this.#kindWanted(), from: c.from, to: c.to, ports }, where);
    else this.#generate({ kind: this.#kindWanted(), recording: line, dropped: true }, where);
  }

  #writeAll(): void {
    const recording = this.#text.value;
    if (recording.trim() !== "") this.#generate({ kind: this.#kindWanted(), recording, dropped: this.#dropped.checked }, this.#policies);
  }

  #kindWanted(): "CiliumNetworkPolicy" | "NetworkPolicy" {
    return this.#kind.value === "NetworkPolicy" ? "NetworkPolicy" : "CiliumNetworkPolicy";
  }

  #generate(request: GenerateRequest, where: HTMLElement): void {
    put(where, el("p", { class: "dim" }, "Writing…"));
    this.shell.engine.latest("recorded policies", "generate", request).then(
      (generated) => {
        put(where, generatedPolicies(generated, this.shell, () => put(where, el("p", {}, "Added."))));
        where.scrollIntoView({ block: "nearest" });
      },
      (e: unknown) => this.#refused(where, e),
    );
  }
}

function goes(c: ReplayedConnection): boolean {
  return passes(c.verdict) ? c.layer7 === undefined || outcomeWords(c.layer7)[1] !== "bad" : c.verdict === "unknown";
}

function rules(c: ReplayedConnection, shell: Shell): HTMLElement {
  return el("ul", { class: "rules" }, c.rules.map((r) => el("li", {}, ruleButton(r, shell))));
}
