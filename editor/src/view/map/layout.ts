// A map's nodes and edges in, places out.
//
// What has a place keeps it as long as not much comes or goes, so that nothing moves under the hand of a person who types.

import { Graph, layout as dagre } from "@dagrejs/dagre";
import { labelOf, type MapEdge, type MapModel, type MapNode } from "./model";

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Layout {
  /** Left upper corners and sizes. */
  readonly nodes: ReadonlyMap<string, Box>;
  readonly boxes: ReadonlyMap<string, Box>;
  /** Ways of edges around what is between their ends, as long as nothing of it moved. */
  readonly routes: ReadonlyMap<string, Route>;
  /** How many edges it was made for. */
  readonly edges: number;
  readonly bounds: Box;
}

/** A line, and where its label is. */
export interface Route {
  readonly path: string;
  readonly x: number;
  readonly y: number;
}

interface Spot {
  readonly x: number;
  readonly y: number;
}

/** With more edges labels get no room of their own. */
const LABELS_ARRANGED = 60;
/** With more boxes it is not seen to that one stands wholly left of another. */
const BOXES_IN_ORDER = 8;

const HEIGHT = 36;
const GAP = 18;
const PADDING = 16;
const HEAD = 30;

/** A character is about this wide in the map's font. */
const CHARACTER = 7.1;

export function sizeOf(node: MapNode): { readonly width: number; readonly height: number } {
  const chars = Math.max(node.label.length, node.sort.length * 0.8);
  return { width: Math.round(Math.min(240, Math.max(104, chars * CHARACTER + 38))), height: node.kind === "namespace" ? 46 : HEIGHT };
}

interface Inner {
  readonly nodes: Map<string, Box>;
  width: number;
  height: number;
}

interface Size {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

/** Puts more below what is there, in as many columns as look square. */
function grid(inner: Inner, items: readonly Size[], gap: number): Inner {
  if (items.length === 0) return inner;
  const widest = Math.max(...items.map((i) => i.width));
  const tallest = Math.max(...items.map((i) => i.height));
  const square = Math.ceil(Math.sqrt((items.length * (tallest + gap) * 1.6) / (widest + gap)));
  const columns = Math.max(1, Math.min(items.length, Math.max(square, Math.floor((inner.width + gap) / (widest + gap)))));
  const top = inner.height === 0 ? 0 : inner.height + gap;
  items.forEach((item, i) => {
    const x = (i % columns) * (widest + gap);
    const y = top + Math.floor(i / columns) * (tallest + gap);
    inner.nodes.set(item.id, { x, y, width: item.width, height: item.height });
    inner.width = Math.max(inner.width, x + item.width);
    inner.height = Math.max(inner.height, y + item.height);
  });
  return inner;
}

function boxId(namespace: string): string {
  return `box:${namespace}`;
}

/** What to arrange by: not what no rule limits, and what one side denies only where nothing else joins the two. */
function drawn(model: MapModel): readonly MapEdge[] {
  const joined = new Set(model.edges.flatMap((e) => (e.kind === "allowed" ? [`${e.from}>${e.to}`, `${e.to}>${e.from}`] : [])));
  return model.edges.filter((e) => e.kind !== "unrestricted" && (e.kind !== "one-sided" || !joined.has(`${e.from}>${e.to}`)));
}

/** Workloads without edges stand in a grid, which is one node for the arrangement. */
interface Idle {
  readonly namespace: string;
  readonly inner: Inner;
}

export function layOut(model: MapModel): Layout {
  const edges = drawn(model);
  const linked = new Set(edges.filter((e) => e.from !== e.to).flatMap((e) => [e.from, e.to]));
  const graph = new Graph({ compound: true });
  const few = edges.length <= LABELS_ARRANGED;
  graph.setGraph({ rankdir: "LR", nodesep: 24, ranksep: few ? 44 : 90, edgesep: 10, marginx: 0, marginy: 0 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const namespace of model.boxes) graph.setNode(boxId(namespace), {});
  const idle = new Map<string, Idle>();
  for (const namespace of ["", ...model.boxes]) {
    const members = model.nodes.filter((n) => n.namespace === namespace);
    const alone = members.filter((n) => !linked.has(n.id));
    for (const node of members) if (linked.has(node.id)) put(graph, node.id, sizeOf(node), namespace);
    if (alone.length === 0) continue;
    const inner = grid({ nodes: new Map(), width: 0, height: 0 }, alone.map((n) => ({ id: n.id, ...sizeOf(n) })), GAP);
    idle.set(`idle:${namespace}`, { namespace, inner });
    put(graph, `idle:${namespace}`, inner, namespace);
  }
  for (const edge of edges) {
    if (edge.from === edge.to || graph.hasEdge(edge.from, edge.to)) continue;
    const text = labelOf(edge).length;
    // Within a namespace first: its workloads stay together.
    const weight = graph.parent(edge.from) !== undefined && graph.parent(edge.from) === graph.parent(edge.to) ? 3 : 1;
    graph.setEdge(edge.from, edge.to, few && text > 0 ? { weight, width: Math.min(30, text) * 6 + 10, height: 12, labelpos: "c" } : { weight });
  }
  if (model.boxes.length <= BOXES_IN_ORDER) order(model, edges, graph);
  dagre(graph);
  return read(model, graph, idle, edges);
}

/** What is outside of a box and reaches into it stands left of the whole box, what is reached from it right. */
function order(model: MapModel, edges: readonly MapEdge[], graph: Graph): void {
  const unit = new Map(model.nodes.map((n) => [n.id, n.namespace === "" ? n.id : boxId(n.namespace)]));
  const after = new Map<string, Set<string>>();
  const ends = new Map<string, { readonly roots: Set<string>; readonly leaves: Set<string> }>();
  for (const node of model.nodes) {
    if (!graph.hasNode(node.id)) continue;
    const of = unit.get(node.id) ?? node.id;
    const both = ends.get(of) ?? { roots: new Set<string>(), leaves: new Set<string>() };
    ends.set(of, both);
    both.roots.add(node.id);
    both.leaves.add(node.id);
  }
  for (const { from, to } of edges) {
    const [a, b] = [unit.get(from), unit.get(to)];
    if (a === undefined || b === undefined || from === to) continue;
    if (a === b) {
      ends.get(a)?.leaves.delete(from);
      ends.get(a)?.roots.delete(to);
    } else if (!reaches(after, b, a)) {
      const next = after.get(a) ?? new Set();
      after.set(a, next.add(b));
    }
  }
  for (const [a, all] of after) {
    for (const b of all) {
      const leaves = ends.get(a)?.leaves ?? new Set<string>();
      const roots = ends.get(b)?.roots ?? new Set<string>();
      if (leaves.size * roots.size > 24) continue;
      for (const from of leaves) for (const to of roots) if (!graph.hasEdge(from, to)) graph.setEdge(from, to, { weight: 0 });
    }
  }
}

function reaches(after: ReadonlyMap<string, ReadonlySet<string>>, from: string, to: string): boolean {
  const seen = new Set([from]);
  for (const at of seen) {
    if (at === to) return true;
    for (const next of after.get(at) ?? []) seen.add(next);
  }
  return false;
}

function put(graph: Graph, id: string, { width, height }: { readonly width: number; readonly height: number }, namespace: string): void {
  graph.setNode(id, { width, height });
  if (namespace !== "") graph.setParent(id, boxId(namespace));
}

function read(model: MapModel, graph: Graph, idle: ReadonlyMap<string, Idle>, edges: readonly MapEdge[]): Layout {
  const corner = (id: string): Box | null => {
    const at = graph.node(id) as { x?: number; y?: number; width?: number; height?: number } | undefined;
    if (at?.x === undefined || at.y === undefined) return null;
    const [width, height] = [at.width ?? 0, at.height ?? 0];
    return { x: Math.round(at.x - width / 2), y: Math.round(at.y - height / 2), width, height };
  };
  const nodes = new Map<string, Box>();
  for (const node of model.nodes) {
    const box = graph.hasNode(node.id) ? corner(node.id) : null;
    if (box) nodes.set(node.id, box);
  }
  for (const [id, { inner }] of idle) {
    const box = corner(id);
    if (box) for (const [member, at] of inner.nodes) nodes.set(member, { ...at, x: box.x + at.x, y: box.y + at.y });
  }
  const boxes = new Map<string, Box>();
  for (const namespace of model.boxes) {
    const around = boundsOf(model.nodes.flatMap((n) => (n.namespace === namespace ? (nodes.get(n.id) ?? []) : [])));
    boxes.set(namespace, {
      x: around.x - PADDING,
      y: around.y - HEAD,
      width: Math.max(around.width + 2 * PADDING, namespace.length * CHARACTER + 60),
      height: around.height + HEAD + PADDING,
    });
  }
  apart(boxes, nodes, model);
  const ways: Way[] = [];
  const seen = new Set<string>();
  for (const edge of edges) {
    const pair = `${edge.from}>${edge.to}`;
    const [from, to] = [nodes.get(edge.from), nodes.get(edge.to)];
    if (edge.from === edge.to || seen.has(pair) || !from || !to) continue;
    seen.add(pair);
    const found = graph.edge(edge.from, edge.to) as { points?: readonly Spot[]; x?: number; y?: number } | undefined;
    if (!found?.points || found.points.length < 3) continue;
    const inner = found.points.slice(1, -1);
    const middle = inner[Math.floor(inner.length / 2)] as Spot;
    ways.push({ id: edge.id, from, to, inner, label: { x: found.x ?? middle.x, y: found.y ?? middle.y } });
  }
  return { nodes, boxes, routes: routed(ways), edges: edges.length, bounds: boundsOf([...nodes.values(), ...boxes.values()]) };
}

interface Way {
  readonly id: string;
  readonly from: Box;
  readonly to: Box;
  /** Between its ends, never empty. */
  readonly inner: readonly Spot[];
  readonly label: Spot;
}

/** Ends of lines side by side along their nodes' sides, in the order in which they leave. */
function routed(ways: readonly Way[]): Map<string, Route> {
  const sides = new Map<Box, { readonly way: Way; readonly start: boolean; readonly right: boolean; readonly toward: Spot }[]>();
  for (const way of ways) {
    for (const start of [true, false]) {
      const box = start ? way.from : way.to;
      const toward = (start ? way.inner[0] : way.inner[way.inner.length - 1]) as Spot;
      const end = { way, start, right: toward.x > box.x + box.width / 2, toward };
      const list = sides.get(box);
      if (list) list.push(end);
      else sides.set(box, [end]);
    }
  }
  const ends = new Map<string, Spot>();
  for (const [box, all] of sides) {
    for (const right of [true, false]) {
      const side = all.filter((e) => e.right === right).sort((a, b) => a.toward.y - b.toward.y);
      const step = Math.min(7, (box.height - 12) / Math.max(1, side.length - 1));
      side.forEach((end, i) => {
        const y = box.y + box.height / 2 + (i - (side.length - 1) / 2) * step;
        ends.set(`${end.start} ${end.way.id}`, { x: right ? box.x + box.width : box.x, y });
      });
    }
  }
  return new Map(
    ways.map((way) => {
      const [first, last] = [ends.get(`true ${way.id}`) as Spot, ends.get(`false ${way.id}`) as Spot];
      return [way.id, { path: through([first, ...way.inner, last]), ...way.label }];
    }),
  );
}

/** A smooth line through points, level at each. */
function through(points: readonly Spot[]): string {
  const first = points[0] as Spot;
  let path = `M${round(first.x)} ${round(first.y)}`;
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1] as Spot, points[i] as Spot];
    const pull = (b.x - a.x) / 2;
    path += `C${round(a.x + pull)} ${round(a.y)} ${round(b.x - pull)} ${round(b.y)} ${round(b.x)} ${round(b.y)}`;
  }
  return path;
}

function round(n: number): number {
  return Math.round(n * 10) / 10;
}

function widthOf(namespace: string, inner: Inner): number {
  return Math.max(inner.width + 2 * PADDING, namespace.length * CHARACTER + 70);
}

function boundsOf(all: readonly Box[]): Box {
  if (all.length === 0) return { x: 0, y: 0, width: 1, height: 1 };
  const x = Math.min(...all.map((b) => b.x));
  const y = Math.min(...all.map((b) => b.y));
  return {
    x,
    y,
    width: Math.max(...all.map((b) => b.x + b.width)) - x,
    height: Math.max(...all.map((b) => b.y + b.height)) - y,
  };
}

/** A layout for what is there now, in which what was there stays where it was; `null` when too much is different. */
export function kept(model: MapModel, before: Layout): Layout | null {
  const gone = [...before.nodes.keys()].filter((id) => !model.nodes.some((n) => n.id === id)).length;
  const come = model.nodes.filter((n) => !before.nodes.has(n.id));
  if (before.nodes.size === 0 || come.length + gone > Math.max(3, before.nodes.size * 0.3)) return null;
  // It was made before there was anything to arrange by.
  if (before.edges === 0 && drawn(model).length > 0) return null;

  const nodes = new Map<string, Box>();
  for (const node of model.nodes) {
    const box = before.nodes.get(node.id);
    if (box) nodes.set(node.id, box);
  }
  const boxes = new Map<string, Box>();
  for (const namespace of model.boxes) {
    const old = before.boxes.get(namespace);
    const fresh = come.filter((n) => n.namespace === namespace);
    if (old) boxes.set(namespace, fresh.length === 0 ? old : grown(old, fresh, nodes));
    else boxes.set(namespace, added(namespace, fresh, nodes, [...before.boxes.values(), ...boxes.values(), ...nodes.values()]));
  }
  const peers = come.filter((n) => n.namespace === "");
  if (peers.length > 0) {
    const bounds = boundsOf([...nodes.values(), ...boxes.values()]);
    const below = grid({ nodes: new Map(), width: 0, height: 0 }, peers.map((n) => ({ id: n.id, ...sizeOf(n) })), GAP);
    for (const [id, at] of below.nodes) nodes.set(id, { ...at, x: bounds.x + at.x, y: bounds.y + bounds.height + 26 + at.y });
  }
  apart(boxes, nodes, model);
  const stays = (id: string): boolean => {
    const [old, now] = [before.nodes.get(id), nodes.get(id)];
    return old !== undefined && old.x === now?.x && old.y === now.y;
  };
  const routes = new Map(model.edges.flatMap((e) => {
    const route = before.routes.get(e.id);
    return route && stays(e.from) && stays(e.to) ? [[e.id, route] as const] : [];
  }));
  return { nodes, boxes, routes, edges: before.edges, bounds: boundsOf([...nodes.values(), ...boxes.values()]) };
}

/** A box with more below. */
function grown(box: Box, fresh: readonly MapNode[], nodes: Map<string, Box>): Box {
  let [width, y] = [box.width, box.y + box.height - PADDING + GAP];
  for (const node of fresh) {
    const size = sizeOf(node);
    nodes.set(node.id, { x: box.x + PADDING, y, ...size });
    width = Math.max(width, size.width + 2 * PADDING);
    y += size.height + GAP;
  }
  return { ...box, width, height: y - GAP + PADDING - box.y };
}

/** A new box, right of all. */
function added(namespace: string, fresh: readonly MapNode[], nodes: Map<string, Box>, all: readonly Box[]): Box {
  const bounds = boundsOf(all);
  const inner = grid({ nodes: new Map(), width: 0, height: 0 }, fresh.map((n) => ({ id: n.id, ...sizeOf(n) })), GAP);
  const box = {
    x: bounds.x + bounds.width + 40,
    y: bounds.y,
    width: widthOf(namespace, inner),
    height: inner.height + HEAD + PADDING,
  };
  for (const [id, at] of inner.nodes) nodes.set(id, { ...at, x: box.x + PADDING + at.x, y: box.y + HEAD + at.y });
  return box;
}

/** Pushes down what a box that grew would cover. */
function apart(boxes: Map<string, Box>, nodes: Map<string, Box>, model: MapModel): void {
  const solid = [
    ...[...boxes].map(([id, box]) => ({ id, box, isBox: true })),
    ...model.nodes.filter((n) => n.namespace === "").map((n) => ({ id: n.id, box: nodes.get(n.id) as Box, isBox: false })),
  ].sort((a, b) => a.box.y - b.box.y);
  const settled: Box[] = [];
  for (const item of solid) {
    let box = item.box;
    for (const other of settled) {
      const covers = box.x < other.x + other.width && other.x < box.x + box.width && box.y < other.y + other.height && other.y < box.y + box.height;
      if (covers) box = { ...box, y: other.y + other.height + GAP };
    }
    const by = box.y - item.box.y;
    if (by !== 0) {
      if (item.isBox) {
        boxes.set(item.id, box);
        for (const node of model.nodes) {
          const at = node.namespace === item.id ? nodes.get(node.id) : undefined;
          if (at) nodes.set(node.id, { ...at, y: at.y + by });
        }
      } else nodes.set(item.id, box);
    }
    settled.push(box);
  }
}

/** A curve between two nodes, and where its label is. */
export function curve(from: Box, to: Box, bend: number): Route {
  if (from === to) {
    const [x, y] = [from.x + from.width - 22, from.y];
    return { path: `M${x - 12} ${y}C${x - 16} ${y - 26} ${x + 16} ${y - 26} ${x + 12} ${y}`, x, y: y - 20 };
  }
  const right = to.x - (from.x + from.width);
  const left = from.x - (to.x + to.width);
  if (right >= 20 || left >= 20) {
    const sign = right >= 20 ? 1 : -1;
    const x1 = sign > 0 ? from.x + from.width : from.x;
    const x2 = sign > 0 ? to.x : to.x + to.width;
    const y1 = from.y + from.height / 2 + bend;
    const y2 = to.y + to.height / 2 + bend;
    const pull = sign * Math.min(120, Math.max(24, Math.abs(x2 - x1) * 0.5));
    return {
      path: `M${x1} ${y1}C${x1 + pull} ${y1} ${x2 - pull} ${y2} ${x2} ${y2}`,
      x: (x1 + x2) / 2,
      y: (y1 + y2) / 2,
    };
  }
  const sign = to.y > from.y ? 1 : -1;
  const x1 = from.x + from.width / 2 + bend * 3;
  const x2 = to.x + to.width / 2 + bend * 3;
  const y1 = sign > 0 ? from.y + from.height : from.y;
  const y2 = sign > 0 ? to.y : to.y + to.height;
  const pull = sign * Math.min(80, Math.max(12, Math.abs(y2 - y1) * 0.5));
  return { path: `M${x1} ${y1}C${x1} ${y1 + pull} ${x2} ${y2 - pull} ${x2} ${y2}`, x: (x1 + x2) / 2, y: (y1 + y2) / 2 };
}
