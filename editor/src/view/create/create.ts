// Policies by clicking: a workload, whom, which ports in; YAML with all that it opens out.

import type { Selection, Shell, Snapshot, View } from "../../contract";
import { Superseded } from "../../engine/client";
import { el, put } from "../element";
import { asked, compareEnds, endOf, nameOf } from "../end";
import { badge } from "../explanation";
import { generatedPolicies } from "../panel/generated";
import "./create.css";
import { Picker, type Entry } from "./picker";
import { PortChoice } from "./ports";

const ENTITIES = ["world", "cluster", "host", "remote-node", "kube-apiserver", "all"];
const PAUSE_MS = 150;

export class CreateView implements View {
  readonly id = "create";
  readonly title = "Create";
  readonly element: HTMLElement;

  readonly #subject = new Picker("Workload", "filter", false, () => this.#soon());
  readonly #peer = new Picker("May reach", "filter, address or DNS name", true, () => this.#soon());
  readonly #ports = new PortChoice(() => this.#soon());
  readonly #direction = el("select", { "aria-label": "Direction" }, el("option", { value: "egress" }, "may reach"), el("option", { value: "ingress" }, "may be reached by"));
  readonly #kind = el("select", { "aria-label": "Kind of policy" }, el("option", { value: "CiliumNetworkPolicy" }, "CiliumNetworkPolicy"), el("option", { value: "NetworkPolicy" }, "NetworkPolicy"));
  readonly #result = el("div", { class: "create-result", "aria-live": "polite" });
  #snapshot: Snapshot | null = null;
  #timer = 0;
  #asked = "";
  #added = "";

  constructor(readonly shell: Shell) {
    for (const select of [this.#direction, this.#kind]) select.addEventListener("change", () => this.#soon());
    this.element = el(
      "div",
      { class: "view create" },
      el("div", { class: "view-bar", role: "toolbar", "aria-label": "Create" }, el("label", { class: "check" }, "Chosen workload", this.#direction), el("label", { class: "check" }, "as", this.#kind)),
      el("div", { class: "view-body" }, el("div", { class: "create-choice" }, this.#subject.element, this.#peer.element, this.#ports.element), this.#result),
    );
  }

  show(snapshot: Snapshot): void {
    const news = this.#snapshot?.revision !== snapshot.revision;
    this.#snapshot = snapshot;
    if (news) this.#offer();
    this.#ask();
  }

  select(what: Selection): void {
    if ("workload" in what) {
      this.#subject.value = nameOf(what.workload);
      return;
    }
    const from = endOf(what.from).kind === "workload";
    this.#direction.value = from ? "egress" : "ingress";
    this.#subject.value = nameOf(from ? what.from : what.to);
    this.#peer.value = asked(from ? what.to : what.from);
  }

  #offer(): void {
    const connectivity = this.#snapshot?.connectivity;
    if (!connectivity) return;
    const entry = (id: string): Entry => {
      const end = endOf(id);
      return end.kind === "workload" ? { value: nameOf(id), name: end.name, group: end.namespace } : { value: end.name, name: end.name, group: end.sort };
    };
    const workloads = [...connectivity.workloads].sort(compareEnds).map(entry);
    const peers = [...connectivity.peers, ...ENTITIES.map((e) => `entity:${e}`)];
    this.#subject.offer(workloads);
    this.#peer.offer([...workloads, ...[...new Set(peers)].sort(compareEnds).map(entry)]);
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#ask(), PAUSE_MS);
  }

  #ask(): void {
    const [subject, peer, outward] = [this.#subject.value, this.#peer.value, this.#direction.value === "egress"];
    this.#peer.title(outward ? "May reach" : "May be reached by");
    const [from, to] = outward ? [subject, peer] : [peer, subject];
    this.#ports.offer(this.#snapshot?.workloads.find((w) => w.name === to));
    const ports = this.#ports.value;
    const missing =
      this.#snapshot?.workloads.length === 0
        ? "No workloads yet: policies are written for Pods, Deployments and the like. Add their manifests."
        : subject === ""
          ? "Choose the workload that the policy is about."
          : peer === ""
            ? `Choose whom it ${outward ? "may reach" : "may be reached by"}; an address or a DNS name can be typed.`
            : ports.length === 0
              ? "Choose at least one port."
              : null;
    if (missing !== null) {
      this.#asked = "";
      put(this.#result, this.#added !== "" && el("p", {}, badge("added", "good"), ` ${this.#added}`), el("p", { class: "dim" }, missing));
      return;
    }
    const kind = this.#kind.value === "NetworkPolicy" ? "NetworkPolicy" : "CiliumNetworkPolicy";
    const mine = JSON.stringify([kind, from, to, ports, this.#snapshot?.revision]);
    if (mine === this.#asked) return;
    this.#asked = mine;
    this.#added = "";
    this.shell.engine.latest("create", "generate", { kind, from, to, ports }).then(
      (generated) => {
        if (mine === this.#asked) put(this.#result, generatedPolicies(generated, this.shell, () => this.#done(from, to)));
      },
      (e: unknown) => {
        if (mine === this.#asked && !(e instanceof Superseded)) put(this.#result, el("p", { class: "refusal" }, e instanceof Error ? e.message : String(e)));
      },
    );
  }

  /** The next one is for the same workload, most likely. */
  #done(from: string, to: string): void {
    this.#peer.value = "";
    this.#asked = "";
    this.#added = `${from} may reach ${to}.`;
    this.#ask();
  }
}
