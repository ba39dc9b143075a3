// All about one node of the map: labels, identity, whom it may talk to.

import type { Connectivity, Shell, Snapshot } from "../../contract";
import { el, put } from "../element";
import { compareEnds, endOf, nameOf } from "../end";
import { shortPorts } from "../ports";

type Connection = Connectivity["connections"][number];

export class WorkloadPanel {
  readonly element = el("div", { class: "panel-body" });

  constructor(readonly shell: Shell) {}

  show(id: string, snapshot: Snapshot, connections: readonly Connection[]): void {
    const end = endOf(id);
    const workload = snapshot.workloads.find((w) => w.name === nameOf(id) && (w.kind === end.sort || end.sort === ""));
    const range = workload?.range;
    put(
      this.element,
      el("h2", {}, nameOf(id)),
      el("p", { class: "dim" }, end.sort, workload ? `, identity ${workload.identity}` : "", workload?.hostNetwork ? ", in the node's network" : ""),
      range && el("div", { class: "panel-actions" }, el("button", { type: "button", onclick: () => this.shell.reveal(range, true) }, "Show in YAML"), el("button", { type: "button", onclick: () => this.shell.select({ workload: nameOf(id) }, "create") }, "Allow something")),
      talks("May be reached by", connections.filter((c) => c.to === id), (c) => c.from, this.shell),
      talks("May reach", connections.filter((c) => c.from === id), (c) => c.to, this.shell),
      workload &&
        el("details", { class: "candidates" }, el("summary", {}, "Labels and ports"), el("ul", { class: "labels" }, workload.labels.map((l) => el("li", {}, el("code", {}, l))), workload.ports.map((p) => el("li", {}, el("code", {}, `${p.port}/${p.protocol}`), ` ${p.name}`)))),
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
