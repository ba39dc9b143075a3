// The flow tester: a question typed by a person in, the verdict on both sides with rules, losers and remedies out.

import type { ExplainedSide, Flow, FlowQuestion, RulePlace } from "netverdict";
import type { Selection, Shell, Snapshot, View } from "../../contract";
import { Superseded } from "../../engine/client";
import { el, put } from "../element";
import { asked, compareEnds, endOf, nameOf } from "../end";
import { answerLine, revealRule, sides } from "../explanation";
import { Remedies } from "../panel/remedies";
import { isReserved } from "../place";
import { passes } from "../wording";
import "./flow.css";
import { FlowForm } from "./form";
import { NamesField } from "./names";
import { portFields, questionOf } from "./question";

const PAUSE_MS = 120;

export class FlowView implements View {
  readonly id = "flow";
  readonly title = "Flow";
  readonly element: HTMLElement;

  readonly #form = new FlowForm(
    () => this.#soon(),
    () => this.#reveal(),
  );
  readonly #answer = el("div", { class: "flow-answer", "aria-live": "polite" });
  readonly #remedies: Remedies;
  readonly #names: NamesField;
  #snapshot: Snapshot | null = null;
  #flow: Flow<ExplainedSide> | null = null;
  #asked = "";
  #timer = 0;
  #pending: Exclude<Selection, { readonly workload: string }> | null = null;

  constructor(readonly shell: Shell) {
    this.#remedies = new Remedies(shell);
    this.#names = new NamesField(shell);
    this.element = el("div", { class: "view flow" }, el("div", { class: "view-body flow-body" }, this.#form.element, this.#names.element, this.#answer, this.#remedies.element));
  }

  show(snapshot: Snapshot): void {
    const first = this.#snapshot === null;
    this.#names.show();
    const pending = this.#pending;
    if (pending) {
      this.#snapshot = snapshot;
      this.#take(pending);
    }
    if (this.#snapshot?.revision === snapshot.revision && this.#asked === JSON.stringify(this.#form.fields)) return;
    this.#snapshot = snapshot;
    this.#offer();
    if (first && this.#form.fields.from === "") this.#example();
    this.#ask();
  }

  select(what: Selection): void {
    if ("workload" in what) return;
    // A person's own question is not to be lost by looking around: without a port it counts only if this view is shown for it.
    if (what.port === undefined && this.element.offsetParent === null && this.#form.fields.from !== "") {
      this.#pending = what;
      queueMicrotask(() => (this.#pending = null));
      return;
    }
    this.#take(what);
  }

  #take(what: Exclude<Selection, { readonly workload: string }>): void {
    const given = what.port ?? "";
    const port = given !== "" ? given : (this.#portTo(what.to) ?? (this.#form.fields.port === "" ? "80/TCP" : null));
    this.#form.set({ from: asked(what.from), to: asked(what.to), request: "none", ...(port === null ? {} : portFields(port)) });
  }

  /** What the receiver listens on first. */
  #portTo(to: string): string | null {
    const port = this.#snapshot?.workloads.find((w) => w.name === nameOf(to))?.ports[0];
    return port ? `${port.port}/${port.protocol}` : null;
  }

  /** A question to begin with: the form is not to be empty where there is something to ask. */
  #example(): void {
    const connections = this.#snapshot?.connectivity.connections ?? [];
    const inner = connections.find((c) => c.ingress === "allowed" && endOf(c.from).kind === "workload" && endOf(c.to).kind === "workload");
    const ports = inner?.allowed[0]?.ports[0];
    if (inner && ports) this.#form.set({ from: nameOf(inner.from), to: nameOf(inner.to), port: String(ports[0]), protocol: inner.allowed[0]?.protocol ?? "TCP" });
  }

  #offer(): void {
    const connectivity = this.#snapshot?.connectivity;
    if (!connectivity) return;
    const ends = [...connectivity.workloads, ...connectivity.peers].sort(compareEnds).map(asked);
    const to = this.#form.fields.to.trim();
    const ports = this.#snapshot?.workloads.find((w) => w.name === to)?.ports ?? [];
    this.#form.offer([...new Set(ends)], ports.map((p) => [String(p.port), `${p.name} ${p.protocol}`.trim()]));
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      this.#offer();
      this.#ask();
    }, PAUSE_MS);
  }

  #ask(): void {
    if (this.element.offsetParent === null) return;
    clearTimeout(this.#timer);
    this.#asked = JSON.stringify(this.#form.fields);
    if (this.#snapshot?.workloads.length === 0) {
      this.#say(el("p", { class: "dim" }, "No workloads yet: add manifests of Pods or Deployments to ask about flows between them."));
      return;
    }
    const result = questionOf(this.#form.fields);
    this.#form.problem("field" in result ? result.field : null);
    if ("field" in result) {
      this.#say(el("p", { class: "dim" }, result.problem));
      return;
    }
    const mine = this.#asked;
    this.shell.engine.latest("flow", "explain", result.question).then(
      (flow) => mine === this.#asked && this.#show(flow, result.question),
      (e: unknown) => {
        if (mine === this.#asked && !(e instanceof Superseded)) this.#say(el("p", { class: "refusal" }, e instanceof Error ? e.message : String(e)));
      },
    );
  }

  #say(line: HTMLElement): void {
    this.#flow = null;
    put(this.#answer, line);
    this.#remedies.clear();
  }

  #show(flow: Flow<ExplainedSide>, question: FlowQuestion): void {
    this.#flow = flow;
    put(this.#answer, answerLine(flow), sides(flow, this.shell));
    const outcome = flow.layer7?.outcome;
    const goes = passes(flow.verdict) && (outcome === undefined || outcome === null || outcome === "forwarded" || outcome === "not-inspected");
    if (goes || flow.verdict === "unknown") this.#remedies.clear();
    else this.#remedies.ask(question);
  }

  /** The rule that decides; of two sides that of the one that denies. */
  #reveal(): void {
    const flow = this.#flow;
    if (!flow) {
      this.#ask();
      return;
    }
    const both = [flow.egress, flow.ingress].filter((s) => s !== null);
    const decided = [...both.filter((s) => !passes(s.verdict)), ...both];
    const rules: readonly RulePlace[] = decided.flatMap((s) => [...s.rules, ...s.defaultDenyBy]);
    const rule = rules.find((r) => !isReserved(r));
    if (rule) revealRule(rule, this.shell);
  }
}
