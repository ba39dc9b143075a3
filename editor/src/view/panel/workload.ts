// All about one node of the map: labels, identity, the rules that apply to it in their order, whom it may talk to.

import type { AppliedRule, DirectionPolicy, Policies } from "netverdict";
import type { Connectivity, Shell, Snapshot } from "../../contract";
import { el, put } from "../element";
import { compareEnds, endOf, nameOf } from "../end";
import { badge, ruleButton } from "../explanation";
import { shortPorts } from "../ports";
import { selectorText } from "../wording";

type Connection = Connectivity["connections"][number];

export class WorkloadPanel {
  readonly element = el("div", { class: "panel-body" });
  #shown = "";

  constructor(readonly shell: Shell) {}

  show(id: string, snapshot: Snapshot, connections: readonly Connection[]): void {
    const end = endOf(id);
    const policies = el("div", { class: "panel-policies" });
    const old = this.#shown === id ? this.element.querySelector(".panel-policies") : null;
    // What was there stays until the new answer: nothing jumps while a person types.
    if (old) policies.append(...old.childNodes);
    this.#shown = id;
    const workload = snapshot.workloads.find((w) => w.name === nameOf(id) && (w.kind === end.sort || end.sort === ""));
    const range = workload?.range;
    put(
      this.element,
      el("h2", {}, nameOf(id)),
      el("p", { class: "dim" }, end.sort, workload ? `, identity ${workload.identity}` : "", workload?.hostNetwork ? ", in the node's network" : ""),
      range && el("div", { class: "panel-actions" }, el("button", { type: "button", onclick: () => this.shell.reveal(range, true) }, "Show in YAML"), el("button", { type: "button", onclick: () => this.shell.select({ workload: nameOf(id) }, "create") }, "Allow something")),
      policies,
      talks("May be reached by", connections.filter((c) => c.to === id), (c) => c.from, this.shell),
      talks("May reach", connections.filter((c) => c.from === id), (c) => c.to, this.shell),
      workload &&
        el("details", { class: "candidates" }, el("summary", {}, "Labels and ports"), el("ul", { class: "labels" }, workload.labels.map((l) => el("li", {}, el("code", {}, l))), workload.ports.map((p) => el("li", {}, el("code", {}, `${p.port}/${p.protocol}`), ` ${p.name}`)))),
    );
    if (end.kind !== "workload") return;
    this.shell.engine.latest("workload", "policies", nameOf(id)).then(
      (answer) => this.#shown === id && put(policies, directions(answer, this.shell)),
      () => undefined,
    );
  }
}

function talks(title: string, connections: readonly Connection[], other: (c: Connection) => string, shell: Shell): HTMLElement {
  const open = connections.filter((c) => c.allowed.length > 0);
  const sorted = [...open].sort((a, b) => compareEnds(other(a), other(b)));
  return el(
    "details",
    { class: "candidates", open: open.length <= 12 },
    el("summary", {}, `${title} (${open.length})`),
    sorted.length === 0
      ? el("p", { class: "dim" }, "Nobody.")
      : el(
          "ul",
          { class: "connections" },
          sorted.map((c) =>
            el(
              "li",
              {},
              el("button", { type: "button", class: "rule", onclick: () => shell.select({ from: c.from, to: c.to }, "map") }, el("span", { class: "rule-name" }, nameOf(other(c))), el("span", { class: "rule-path" }, shortPorts(c.allowed))),
            ),
          ),
        ),
  );
}

function directions(policies: Policies, shell: Shell): readonly HTMLElement[] {
  return [direction("Ingress", policies.ingress, shell), direction("Egress", policies.egress, shell)];
}

function direction(title: string, policy: DirectionPolicy, shell: Shell): HTMLElement {
  const [text, tone] = !policy.enforced
    ? (["no policy: everything passes", "dim"] as const)
    : policy.defaultDeny
      ? (["only what rules allow", "good"] as const)
      : (["all that no rule denies", "warn"] as const);
  return el("section", { class: "side" }, el("h3", {}, title), badge(text, tone), policy.enforced && policy.rules.length > 0 && el("ul", { class: "rules" }, policy.rules.map((r) => ruleItem(r, shell))));
}

function ruleItem(rule: AppliedRule, shell: Shell): HTMLElement {
  const peers = rule.peers === null ? "nobody" : rule.peers.length === 0 ? "everybody" : rule.peers.map(selectorText).join("; or ");
  const ports = rule.ports.length === 0 ? "all ports" : rule.ports.join(", ");
  return el("li", {}, ruleButton(rule, shell), el("span", { class: "reason" }, `${rule.verdict === "allow" ? "" : `${rule.verdict}: `}${peers}; ${ports}`));
}
