// A model with places in, the SVG out. What stays is kept and only changed: focus, hover and soft moves hold.

import { attribute, el, svg } from "../element";
import { nameOf } from "../end";
import type { Box } from "./box";
import type { Layout } from "./layout";
import { edgeName, labelOf, type MapEdge, type MapModel, type MapNode } from "./model";
import { curve, type Route } from "./route";

export interface Marked {
  readonly nodes: ReadonlySet<string>;
  readonly edges: ReadonlySet<string>;
}

/** Beyond so many, labels of edges show only when they are pointed at. */
const LABELLED = 70;

export class Drawing {
  readonly backs = svg("g", { class: "map-backs" });
  readonly heads = svg("g", { class: "map-heads" });
  readonly edges = svg("g", { class: "map-edges" });
  readonly nodes = svg("g", { class: "map-nodes" });
  readonly content = svg("g", { class: "map-content" }, this.backs, this.edges, this.heads, this.nodes);
  readonly #byId = new Map<string, SVGGElement>();
  readonly #states = new WeakMap<SVGGElement, string>();
  readonly #spots = new WeakMap<SVGGElement, Box>();
  #marked = false;
  #backs = "";
  /** Middles of all that can have focus. */
  readonly middles = new Map<string, { readonly x: number; readonly y: number }>();

  draw(model: MapModel, layout: Layout): void {
    const seen = new Set<string>();
    this.middles.clear();
    for (const namespace of model.boxes) {
      const box = layout.boxes.get(namespace);
      if (!box) continue;
      const id = `box:${namespace}`;
      seen.add(id);
      this.middles.set(id, { x: box.x + 40, y: box.y + 14 });
      this.#keep(id, this.heads, `${namespace} ${box.width}`, (g) => drawHead(g, namespace, box), box);
    }
    for (const node of model.nodes) {
      const box = layout.nodes.get(node.id);
      if (!box) continue;
      seen.add(node.id);
      this.middles.set(node.id, { x: box.x + box.width / 2, y: box.y + box.height / 2 });
      const state = [node.label, node.sort, node.kind, node.open.ingress, node.open.egress, box.width, box.height].join("\n");
      this.#keep(node.id, this.nodes, state, (g) => drawNode(g, node, box), box);
    }
    const backs = model.boxes.flatMap((namespace) => layout.boxes.get(namespace) ?? []);
    const state = backs.map((b) => `${b.x} ${b.y} ${b.width} ${b.height}`).join();
    if (state !== this.#backs) {
      this.#backs = state;
      this.backs.replaceChildren(...backs.map((b) => svg("rect", { class: "map-back", x: b.x, y: b.y, width: b.width, height: b.height, rx: 8 })));
    }
    const pairs = new Set(model.edges.map((e) => `${e.from}>${e.to}`));
    this.edges.classList.toggle("map-many", model.edges.length > LABELLED);
    for (const edge of model.edges) {
      const [from, to] = [layout.nodes.get(edge.from), layout.nodes.get(edge.to)];
      if (!from || !to) continue;
      const id = `edge:${edge.id}`;
      seen.add(id);
      // Two that go opposite ways go beside each other.
      const bend = pairs.has(`${edge.to}>${edge.from}`) ? (edge.from < edge.to ? -6 : 6) : 0;
      const line = layout.routes.get(edge.id) ?? curve(from, to, edge.kind === "one-sided" ? bend + 8 : bend);
      this.middles.set(id, line);
      const state = `${line.path} ${edge.kind} ${edge.label} ${edge.proxies.join()} ${edge.deniedBy ?? ""}`;
      this.#keep(id, this.edges, state, (g) => drawEdge(g, edge, line), null);
    }
    for (const [id, g] of this.#byId) {
      if (seen.has(id)) continue;
      g.remove();
      this.#byId.delete(id);
    }
  }

  #keep(id: string, parent: SVGGElement, state: string, fill: (g: SVGGElement) => void, at: Box | null): void {
    let g = this.#byId.get(id);
    if (!g) {
      g = svg("g", { "data-id": id, tabindex: -1, role: "button", class: "map-new" });
      this.#byId.set(id, g);
      parent.append(g);
    }
    if (this.#states.get(g) !== state) {
      this.#states.set(g, state);
      g.replaceChildren();
      fill(g);
    }
    if (!at) return;
    // Reading it back from the style would cost more than all the rest.
    const spot = this.#spots.get(g);
    if (spot?.x === at.x && spot.y === at.y) return;
    this.#spots.set(g, at);
    g.style.transform = `translate(${at.x}px, ${at.y}px)`;
  }

  element(id: string): SVGGElement | undefined {
    return this.#byId.get(id);
  }

  /** Puts all but these back; `null` puts nothing back. */
  mark(marked: Marked | null): void {
    if (marked === null && !this.#marked) return;
    this.#marked = marked !== null;
    this.content.classList.toggle("map-marking", marked !== null);
    for (const [id, g] of this.#byId) {
      const on = marked !== null && (marked.nodes.has(id) || marked.edges.has(id));
      g.classList.toggle("map-on", on);
      attribute(g, "aria-pressed", id.startsWith("box:") ? null : on ? "true" : "false");
    }
  }
}

/** The box's name, above the lines that cross it. */
function drawHead(g: SVGGElement, namespace: string, box: Box): void {
  g.setAttribute("class", "map-box");
  g.setAttribute("data-namespace", namespace);
  const shown = clipped(namespace, (box.width - 40) / 7);
  g.append(
    ...named(
      `namespace ${namespace}: close up`,
      svg("rect", { class: "map-head-room", x: 4, y: 4, width: Math.min(box.width - 8, shown.length * 7.6 + 34), height: 22, rx: 5 }),
      svg("path", { class: "map-fold", d: "M13 12l4 4 4-4" }),
      svg("text", { x: 28, y: 19 }, shown),
    ),
  );
}

function drawNode(g: SVGGElement, node: MapNode, box: Box): void {
  const closed = node.kind === "namespace";
  g.setAttribute("class", `map-node map-${node.kind}`);
  g.setAttribute("data-node", node.id);
  const open = openText(node);
  const name = closed ? `namespace ${node.label}, ${node.sort}: open` : nameOf(node.id);
  const middle = box.height / 2;
  const x = closed ? 26 : node.kind === "workload" ? 12 : 16;
  const sided = node.kind === "workload" || closed;
  g.append(
    ...named(
      [name, node.sort, open].filter((t, i, all) => t !== "" && !all.slice(0, i).some((before) => before.includes(t))).join(", "),
      svg("rect", { width: box.width, height: box.height, rx: sided ? 5 : box.height / 2 }),
      closed && svg("path", { class: "map-fold", d: `M12 ${middle - 4}l4 4-4 4` }),
      svg("text", { x, y: middle - 2, class: "map-label" }, clipped(node.label, (box.width - x - 8) / 7)),
      svg("text", { x, y: middle + 11, class: "map-sort" }, clipped(node.sort, (box.width - x - 8) / 5.6)),
      // A side that a policy limits is a bar, one that none limits is a gap.
      sided && !node.open.ingress && svg("path", { class: "map-limited", d: `M1.5 6V${box.height - 6}` }),
      sided && !node.open.egress && svg("path", { class: "map-limited", d: `M${box.width - 1.5} 6V${box.height - 6}` }),
    ),
  );
}

/** The title is the name that is read out, and the tooltip. */
function named(name: string, ...children: readonly (Node | false)[]): readonly Node[] {
  return [svg("title", {}, name), ...children.filter((c) => c !== false)];
}

function openText(node: MapNode): string {
  if (node.kind !== "workload" && node.kind !== "namespace") return "";
  if (node.open.ingress && node.open.egress) return "no policy limits it";
  if (node.open.ingress) return "no policy limits what comes in";
  return node.open.egress ? "no policy limits what goes out" : "";
}

function drawEdge(g: SVGGElement, edge: MapEdge, line: Route): void {
  const l7 = edge.proxies.length > 0;
  g.setAttribute("class", `map-edge map-${edge.kind}${l7 ? " map-l7" : ""}`);
  g.setAttribute("data-from", edge.from);
  g.setAttribute("data-to", edge.to);
  const label = labelOf(edge);
  g.append(
    ...named(
      edgeName(edge, nameOf),
      svg("path", { class: "map-hit", d: line.path }),
      svg("path", { class: "map-line", d: line.path, "marker-end": `url(#map-arrow-${edge.kind === "allowed" && l7 ? "l7" : edge.kind})` }),
      label !== "" && edge.kind !== "unrestricted" && svg("text", { class: "map-ports", x: line.x, y: line.y + 3.5 }, clipped(label, 30)),
      edge.kind === "one-sided" && svg("path", { class: "map-cross", d: `M${line.x - 4} ${line.y - 4}l8 8m0-8l-8 8` }),
    ),
  );
}

function clipped(text: string, chars: number): string {
  const most = Math.max(4, Math.floor(chars));
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/** Arrows' heads, one for each colour: markers cannot take the colour of their line everywhere. */
export function arrows(): SVGDefsElement {
  const kinds = ["allowed", "l7", "unrestricted", "one-sided", "unknown"];
  return svg(
    "defs",
    {},
    kinds.map((kind) =>
      svg(
        "marker",
        { id: `map-arrow-${kind}`, viewBox: "0 0 8 8", refX: 7.5, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse", markerUnits: "userSpaceOnUse" },
        svg("path", { class: `map-head map-head-${kind}`, d: "M0 0.5L8 4 0 7.5z" }),
      ),
    ),
  );
}

export function legend(): HTMLElement {
  const line = (kind: string, text: string, cross = false): HTMLElement =>
    el(
      "li",
      {},
      svg(
        "svg",
        { width: 30, height: 10, "aria-hidden": "true", class: `map-edge map-${kind}` },
        svg("path", { class: "map-line", d: "M0 5H24" }),
        svg("path", { class: `map-head map-head-${kind === "allowed map-l7" ? "l7" : kind}`, d: "M22 1.5L29 5 22 8.5z" }),
        cross && svg("path", { class: "map-cross", d: "M8 1l8 8m0-8l-8 8" }),
      ),
      text,
    );
  const side = (limited: boolean, text: string): HTMLElement =>
    el(
      "li",
      {},
      svg(
        "svg",
        { width: 30, height: 16, "aria-hidden": "true", class: "map-node map-workload" },
        svg("rect", { x: 1, y: 1, width: 28, height: 14, rx: 3 }),
        limited && svg("path", { class: "map-limited", d: "M2.5 3V13" }),
      ),
      text,
    );
  return el(
    "ul",
    { class: "map-legend", "aria-label": "Legend" },
    line("allowed", "allowed, with ports"),
    line("allowed map-l7", "allowed, a proxy looks at requests"),
    line("one-sided", "one side allows, the other denies", true),
    line("unrestricted", "no rule limits it"),
    line("unknown", "not known"),
    side(true, "a policy limits this side"),
    side(false, "no policy on this side"),
  );
}
