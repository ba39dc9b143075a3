// What is known about connections between two ends: ports, proxies' requests, both sides with the rules that decide.

import type { ExplainedSide, Flow, FlowQuestion } from "netverdict";
import type { Connectivity, Shell, Snapshot } from "../../contract";
import { Superseded } from "../../engine/client";
import { withCode } from "../../text/prose";
import { el, put } from "../element";
import { asked, nameOf } from "../end";
import { answerLine, badge, sides } from "../explanation";
import { longPorts, samples, shortPorts } from "../ports";

type Connection = Connectivity["connections"][number];

export class ConnectionPanel {
  readonly element = el("div", { class: "panel-body" });
  readonly #list = el("div", { class: "panel-list" });
  readonly #detail = el("div", { class: "panel-detail", "aria-live": "polite" });
  #snapshot: Snapshot | null = null;
  #shown = "";
  #port = "";

  constructor(
    readonly shell: Shell,
    /** Whose it is: its questions supersede one another. */
    readonly owner: string,
  ) {
    this.element.append(this.#list, this.#detail);
  }

  show(connections: readonly Connection[], snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    const first = connections[0];
    if (!first) return;
    if (connections.length === 1) {
      put(this.#list);
      this.#one(first);
      return;
    }
    const chosen = connections.find((c) => key(c) === this.#shown) ?? null;
    put(
      this.#list,
      el("h2", {}, `${connections.length} connections`),
      el(
        "ul",
        { class: "connections" },
        connections.map((c) =>
          el(
            "li",
            {},
            el(
              "button",
              { type: "button", class: "rule", "aria-pressed": key(c) === this.#shown, onclick: () => this.#pick(connections, c) },
              el("span", { class: "rule-name" }, `${nameOf(c.from)} → ${nameOf(c.to)}`),
              el("span", { class: "rule-path" }, c.allowed.length > 0 ? shortPorts(c.allowed) : "one side denies it"),
            ),
          ),
        ),
      ),
    );
    if (chosen) this.#one(chosen);
    else put(this.#detail);
  }

  #pick(connections: readonly Connection[], c: Connection): void {
    this.#shown = key(c);
    if (this.#snapshot) this.show(connections, this.#snapshot);
  }

  #one(c: Connection): void {
    if (this.#shown !== key(c)) {
      this.#shown = key(c);
      this.#port = "";
      put(this.#detail);
    }
    const all = c.allowed.length > 0 ? [...new Set(samples(c.allowed))] : this.#declared(c.to);
    if (!all.includes(this.#port)) this.#port = all[0] ?? "";
    const port = this.#port;
    const question: FlowQuestion = { from: asked(c.from), to: asked(c.to), port: port === "" ? "80/TCP" : port };
    this.shell.engine.latest(`${this.owner} panel`, "explain", question).then(
      (flow) => this.#shown === key(c) && this.#fill(c, all, flow),
      (e: unknown) => {
        if (this.#shown === key(c) && !(e instanceof Superseded)) this.#fill(c, all, null);
      },
    );
  }

  /** Where nothing is open: what the receiver listens on, as far as it says so. */
  #declared(to: string): readonly string[] {
    const workload = this.#snapshot?.workloads.find((w) => w.name === nameOf(to));
    return (workload?.ports ?? []).map((p) => `${p.port}/${p.protocol}`);
  }

  #fill(c: Connection, ports: readonly string[], flow: Flow<ExplainedSide> | null): void {
    const requests = [...new Set(c.allowed.flatMap((p) => p.requests ?? []))];
    const choose = (port: string) => () => {
      this.#port = port;
      this.#one(c);
    };
    put(
      this.#detail,
      el("h2", {}, nameOf(c.from), " → ", nameOf(c.to)),
      c.allowed.length > 0
        ? el("ul", { class: "open-ports" }, c.allowed.map((p) => el("li", {}, longPorts(p), p.l7 !== null && badge(p.l7.toUpperCase(), "dim"), p.auth && badge("authenticated", "warn"))))
        : oneSided(c),
      c.unknown !== undefined && el("p", { class: "dim" }, withCode(c.unknown)),
      requests.length > 0 && [el("p", { class: "dim" }, "Requests that pass:"), el("ul", { class: "requests" }, requests.map((r) => el("li", {}, el("code", {}, r))))],
      ports.length > 1 &&
        el(
          "div",
          { class: "port-choice", role: "group", "aria-label": "Explain for" },
          ports.slice(0, 12).map((p) => el("button", { type: "button", class: "chip", "aria-pressed": p === this.#port, onclick: choose(p) }, p)),
        ),
      flow && answerLine(flow),
      flow ? sides(flow, this.shell) : el("p", { class: "dim" }, "There is no single flow to explain here: one end is a pattern."),
      el(
        "div",
        { class: "panel-actions" },
        el("button", { type: "button", onclick: () => this.shell.select({ from: c.from, to: c.to, port: this.#port }, "flow") }, "Test a flow"),
      ),
    );
  }
}

function oneSided(c: Connection): HTMLElement {
  if (c.egress === c.ingress) return el("p", {}, badge("nothing is open", "bad"));
  const text = c.egress === "denied" ? "The receiver's policy allows it, the sender's does not." : "The sender's policy allows it, the receiver's does not.";
  return el("p", {}, badge("one-sided", "warn"), ` ${text}`);
}

function key(c: Connection): string {
  return `${c.from}>${c.to}`;
}
