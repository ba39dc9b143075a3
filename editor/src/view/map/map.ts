// The map: who reaches whom as a picture. Snapshots in; selections, explanations and places of rules out.

import type { Selection, Shell, Snapshot, View } from "../../contract";
import { el, put, svg } from "../element";
import { endOf, nameOf } from "../end";
import { ConnectionPanel } from "../panel/connection";
import { WorkloadPanel } from "../panel/workload";
import "./map.css";
import { arrows, Drawing, legend } from "./drawing";
import { kept, layOut, type Layout } from "./layout";
import { closedAtFirst, closedId, isOneSided, mapModel, type Connection, type MapModel } from "./model";
import { nearest } from "./nearest";
import { Viewport } from "./viewport";

/** With so many workloads or fewer, what one side alone allows is asked for without being wished. */
const ONE_SIDED_UNASKED = 80;
/** With more nodes nothing moves softly: it would be neither soft nor soon. */
const CALM = 120;
const PANEL = 360;

type Chosen = { readonly node: string } | { readonly edge: string } | null;

export class MapView implements View {
  readonly id = "map";
  readonly title = "Map";
  readonly element: HTMLElement;

  readonly #drawing = new Drawing();
  readonly #svg = svg("svg", { class: "map-svg", role: "group", "aria-label": "Map of connections: arrows move, Enter opens" });
  readonly #viewport: Viewport;
  readonly #panel = el("aside", { class: "map-panel", "aria-label": "Details", hidden: true });
  readonly #empty = el("div", { class: "empty map-empty", hidden: true });
  readonly #hint = el("p", { class: "map-hint", hidden: true });
  readonly #connection: ConnectionPanel;
  readonly #workload: WorkloadPanel;
  readonly #unrestricted: HTMLInputElement;
  readonly #oneSided: HTMLInputElement;
  readonly #unrestrictedCount = el("span", { class: "dim" });
  readonly #fold: HTMLButtonElement;

  #snapshot: Snapshot | null = null;
  #sided: readonly Connection[] = [];
  #sidedWished: boolean | null = null;
  #model: MapModel | null = null;
  #layout: Layout | null = null;
  /** What a person closed or opened; `null` as long as nobody did. */
  #closed: Set<string> | null = null;
  #chosen: Chosen = null;
  #current: string | null = null;
  #roving: SVGGElement | undefined;
  #pending: Selection | null = null;
  #fitted = false;

  constructor(readonly shell: Shell) {
    this.#connection = new ConnectionPanel(shell, this.id);
    this.#workload = new WorkloadPanel(shell);
    this.#svg.append(arrows(), this.#drawing.content);
    this.#unrestricted = el("input", { type: "checkbox", onchange: () => this.#redraw(true) });
    this.#oneSided = el("input", { type: "checkbox", onchange: () => this.#wishOneSided() });
    this.#fold = el("button", { type: "button", onclick: () => this.#foldAll() }, "Close namespaces");
    const zoom = (by: number) => () => this.#viewport.zoom(by);
    const toolbar = el(
      "div",
      { class: "view-bar", role: "toolbar", "aria-label": "Map" },
      el("label", { class: "check", title: "Connections that one side's policy allows and the other's denies" }, this.#oneSided, "One-sided"),
      el("label", { class: "check", title: "Connections that no rule limits" }, this.#unrestricted, "Unrestricted ", this.#unrestrictedCount),
      this.#fold,
      el("span", { class: "grow" }),
      el("button", { type: "button", title: "Arrange everything anew", onclick: () => this.#arrange() }, "Arrange"),
      el("button", { type: "button", class: "icon", "aria-label": "Zoom out", title: "Zoom out (−)", onclick: zoom(1 / 1.3) }, "−"),
      el("button", { type: "button", class: "icon", "aria-label": "Zoom in", title: "Zoom in (+)", onclick: zoom(1.3) }, "+"),
      el("button", { type: "button", title: "Show all (0)", onclick: () => this.#fit(true) }, "Fit"),
    );
    const stage = el("div", { class: "map-stage" }, this.#svg, this.#hint, this.#empty, legendBox(), this.#panel);
    this.element = el("div", { class: "view map" }, toolbar, stage);
    this.#viewport = new Viewport(this.#svg, this.#drawing.content, ({ scale }) => {
      this.#svg.classList.toggle("map-far", scale < 0.5);
    });
    this.#svg.addEventListener("click", (e) => this.#click(e));
    this.#svg.addEventListener("keydown", (e) => this.#key(e));
    this.#svg.addEventListener("focusin", (e) => this.#focused(e));
    this.#panel.addEventListener("keydown", (e) => {
      if (e.key === "Escape") this.#choose(null, true);
    });
    new ResizeObserver(() => {
      // In sight for the first time: only now is there a room to arrange for.
      if (!this.#fitted && this.#room()) {
        this.#layout = null;
        this.#redraw(false);
      }
      if (!this.#fitted || !this.#viewport.touched) this.#fit(false);
    }).observe(this.#svg);
  }

  show(snapshot: Snapshot): void {
    if (this.#snapshot?.revision === snapshot.revision) {
      this.#selectPending();
      return;
    }
    this.#snapshot = snapshot;
    const wished = this.#sidedWished ?? snapshot.workloads.length <= ONE_SIDED_UNASKED;
    this.#oneSided.checked = wished;
    if (wished) this.#askOneSided();
    else this.#sided = [];
    this.#redraw(true);
    this.#refreshPanel();
    this.#selectPending();
  }

  select(what: Selection): void {
    this.#pending = what;
    if (this.element.offsetParent !== null) this.#selectPending();
  }

  /** What was selected while this was out of sight shows when it comes into sight. */
  #selectPending(): void {
    const what = this.#pending;
    this.#pending = null;
    if (what) this.#selectNow(what);
  }

  #selectNow(what: Selection): void {
    if ("workload" in what) {
      const id = this.#model?.nodes.find((n) => nameOf(n.id) === nameOf(what.workload))?.id;
      if (id !== undefined) this.#choose({ node: id }, false);
      return;
    }
    const edge = this.#model?.edges.find((e) =>
      e.connections.some((c) => nameOf(c.from) === nameOf(what.from) && nameOf(c.to) === nameOf(what.to)),
    );
    if (edge) this.#choose({ edge: edge.id }, false);
  }

  #wishOneSided(): void {
    this.#sidedWished = this.#oneSided.checked;
    if (this.#sidedWished) this.#askOneSided();
    else {
      this.#sided = [];
      this.#redraw(true);
    }
  }

  #askOneSided(): void {
    const revision = this.#snapshot?.revision;
    this.shell.engine.latest("map", "reach", { withDenied: true }).then(
      (all) => {
        if (this.#snapshot?.revision !== revision || !this.#oneSided.checked) return;
        this.#sided = all.connections.filter(isOneSided);
        this.#redraw(true);
      },
      // A newer snapshot asks again; what is drawn stays until then.
      () => undefined,
    );
  }

  #redraw(softly: boolean): void {
    const connectivity = this.#snapshot?.connectivity;
    if (!connectivity) return;
    const start = performance.now();
    const closed = this.#closed ?? closedAtFirst(connectivity);
    this.#model = mapModel(connectivity, { unrestricted: this.#unrestricted.checked, closed, oneSided: this.#sided });
    const before = this.#layout;
    this.#layout = (before && kept(this.#model, before)) ?? layOut(this.#model, this.#room());
    const anew = before === null || !sameSpots(before, this.#layout);
    this.#drawing.content.classList.toggle("map-soft", softly && this.#model.nodes.length < CALM);
    this.#drawing.draw(this.#model, this.#layout);
    this.#unrestrictedCount.textContent = `(${this.#model.unrestricted})`;
    this.#fold.hidden = connectivity.workloads.length === 0;
    this.#fold.textContent = closed.size > 0 ? "Open namespaces" : "Close namespaces";
    this.#say();
    this.#markChosen();
    this.#rove();
    if (anew && !this.#viewport.touched) this.#fit(this.#fitted);
    performance.measure("netverdict:map", { start, detail: { nodes: this.#model.nodes.length, edges: this.#model.edges.length } });
  }

  #say(): void {
    const model = this.#model;
    if (!model) return;
    const nothing = this.#snapshot?.connectivity.workloads.length === 0;
    this.#empty.hidden = !nothing;
    this.#svg.toggleAttribute("hidden", nothing);
    if (nothing) {
      put(
        this.#empty,
        el("strong", {}, "No workloads yet"),
        el("p", {}, "The map shows Pods, Deployments and other workloads of the documents, and who of them may talk to whom. Add their manifests beside the policies, or open an example."),
      );
    }
    const idle = !nothing && model.edges.length === 0;
    this.#hint.hidden = !idle;
    if (idle) {
      this.#hint.textContent =
        model.unrestricted > 0 ? "No policy limits these workloads: each may talk to all. “Unrestricted” shows it." : "Nobody may talk to anybody here.";
    }
  }

  #room(): { readonly width: number; readonly height: number } | undefined {
    const { width, height } = this.#svg.getBoundingClientRect();
    return width > 0 && height > 0 ? { width, height } : undefined;
  }

  #arrange(): void {
    this.#layout = null;
    this.#redraw(true);
    this.#fit(true);
  }

  #fit(softly: boolean): void {
    if (!this.#layout || this.#svg.getBoundingClientRect().width === 0) return;
    this.#fitted = true;
    this.#viewport.fit(this.#layout.bounds, softly, this.#panel.hidden ? 0 : PANEL);
  }

  #foldAll(): void {
    const connectivity = this.#snapshot?.connectivity;
    if (!connectivity) return;
    const closed = this.#closed ?? closedAtFirst(connectivity);
    this.#closed = closed.size > 0 ? new Set() : new Set(connectivity.workloads.map((id) => endOf(id).namespace));
    this.#arrange();
  }

  #toggle(namespace: string): void {
    const connectivity = this.#snapshot?.connectivity;
    if (!connectivity) return;
    this.#closed ??= new Set(closedAtFirst(connectivity));
    if (!this.#closed.delete(namespace)) this.#closed.add(namespace);
    this.#layout = null;
    this.#redraw(true);
    if (!this.#viewport.touched) this.#fit(true);
    const now = this.#closed.has(namespace) ? closedId(namespace) : `box:${namespace}`;
    this.#drawing.element(now)?.focus();
  }

  #click(e: MouseEvent): void {
    const g = (e.target as Element).closest("[data-id]");
    if (g) this.#open(g.getAttribute("data-id") ?? "");
    else this.#choose(null, false);
  }

  #open(id: string): void {
    if (id.startsWith("box:")) this.#toggle(id.slice(4));
    else if (id.startsWith("edge:")) this.#choose({ edge: id.slice(5) }, false, true);
    else if (id.startsWith("namespace:")) this.#toggle(id.slice(10));
    else this.#choose({ node: id }, false, true);
  }

  #choose(chosen: Chosen, focus: boolean, tell = false): void {
    const before = this.#chosen;
    this.#chosen = chosen;
    this.#markChosen();
    this.#refreshPanel();
    if (chosen && this.#layout) {
      const box = "node" in chosen ? this.#layout.nodes.get(chosen.node) : undefined;
      if (box) this.#viewport.uncover(box, this.#panel.hidden ? 0 : PANEL);
    }
    if (focus && before) this.#drawing.element("node" in before ? before.node : `edge:${before.edge}`)?.focus();
    if (!tell || !chosen) return;
    if ("node" in chosen) {
      if (endOf(chosen.node).kind === "workload") this.shell.select({ workload: nameOf(chosen.node) });
    } else {
      const c = this.#model?.edges.find((e) => e.id === chosen.edge)?.connections[0];
      if (c) this.shell.select({ from: c.from, to: c.to });
    }
  }

  #refreshPanel(): void {
    const chosen = this.#chosen;
    const model = this.#model;
    if (!chosen || !model || !this.#snapshot) {
      this.#panel.hidden = true;
      return;
    }
    const close = el("button", { type: "button", class: "icon quiet panel-close", "aria-label": "Close details", onclick: () => this.#choose(null, true) }, "×");
    if ("edge" in chosen) {
      const edge = model.edges.find((e) => e.id === chosen.edge);
      if (!edge) {
        const ends = chosen.edge.split(">");
        if (!ends.slice(0, 2).every((end) => model.nodes.some((n) => n.id === end))) {
          this.#chosen = null;
          this.#panel.hidden = true;
          return;
        }
        put(this.#panel, close, el("p", { class: "dim panel-gone" }, "This connection is gone with the last change."));
      } else {
        this.#connection.show(edge.connections, this.#snapshot);
        put(this.#panel, close, this.#connection.element);
      }
    } else {
      this.#workload.show(chosen.node, this.#snapshot, [...this.#snapshot.connectivity.connections, ...this.#sided]);
      put(this.#panel, close, this.#workload.element);
    }
    this.#panel.hidden = false;
  }

  #markChosen(): void {
    const model = this.#model;
    const chosen = this.#chosen;
    if (!chosen || !model) {
      this.#drawing.mark(null);
      return;
    }
    const edges = model.edges.filter((e) => ("edge" in chosen ? e.id === chosen.edge : e.from === chosen.node || e.to === chosen.node));
    const nodes = new Set(edges.flatMap((e) => [e.from, e.to]));
    if ("node" in chosen) nodes.add(chosen.node);
    this.#drawing.mark(nodes.size === 0 ? null : { nodes, edges: new Set(edges.map((e) => `edge:${e.id}`)) });
  }

  /** One of all takes part when Tab is pressed; arrows go on from there. */
  #rove(): void {
    if (this.#current === null || !this.#drawing.element(this.#current)) this.#current = this.#model?.nodes[0]?.id ?? null;
    const now = this.#current === null ? undefined : this.#drawing.element(this.#current);
    if (now === this.#roving) return;
    this.#roving?.setAttribute("tabindex", "-1");
    now?.setAttribute("tabindex", "0");
    this.#roving = now;
  }

  #focused(e: FocusEvent): void {
    const id = (e.target as Element).getAttribute("data-id");
    if (id === null) return;
    this.#current = id;
    this.#rove();
    const middle = this.#drawing.middles.get(id);
    const pointed = (e.target as Element).matches(":focus-visible");
    if (middle && pointed) this.#viewport.uncover({ x: middle.x - 60, y: middle.y - 20, width: 120, height: 40 }, this.#panel.hidden ? 0 : PANEL);
  }

  #key(e: KeyboardEvent): void {
    const id = (e.target as Element).getAttribute("data-id");
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const arrows: Readonly<Record<string, readonly [number, number]>> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const arrow = arrows[e.key];
    if (arrow && (e.shiftKey || id === null)) this.#viewport.pan(arrow[0] * -60, arrow[1] * -60);
    else if (arrow && id !== null) {
      const next = nearest(this.#drawing.middles, id, arrow[0], arrow[1]);
      if (next !== null) this.#drawing.element(next)?.focus();
    } else if (e.key === "+" || e.key === "=") this.#viewport.zoom(1.3);
    else if (e.key === "-") this.#viewport.zoom(1 / 1.3);
    else if (e.key === "0") this.#fit(true);
    else if ((e.key === "Enter" || e.key === " ") && id !== null) this.#open(id);
    else if (e.key === "Escape") this.#choose(null, false);
    else return;
    e.preventDefault();
  }
}

/** Nothing came, went or moved. */
function sameSpots(a: Layout, b: Layout): boolean {
  return a.nodes.size === b.nodes.size && [...a.nodes].every(([id, box]) => b.nodes.get(id)?.x === box.x && b.nodes.get(id)?.y === box.y);
}

function legendBox(): HTMLElement {
  return el("details", { class: "map-key" }, el("summary", {}, "Legend"), legend());
}
