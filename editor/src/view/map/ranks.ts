// A map of moderate size in, places and ways out: ranks from left to right, lines around what is between their ends.

import { Graph, layout as dagre } from "@dagrejs/dagre";
import { apart, boundsOf, CHARACTER, GAP, grid, HEAD, PADDING, sizeOf, type Box, type Inner } from "./box";
import type { Layout } from "./layout";
import { labelOf, type MapEdge, type MapModel } from "./model";
import type { Route, Spot } from "./route";

/** With more edges labels get no room of their own. */
const LABELS_ARRANGED = 60;
/** With more boxes it is not seen to that one stands wholly left of another. */
const BOXES_IN_ORDER = 8;

function boxId(namespace: string): string {
  return `box:${namespace}`;
}

/** Workloads without edges stand in a grid, which is one node for the arrangement. */
interface Idle {
  readonly namespace: string;
  readonly inner: Inner;
}

/** `down`: ranks from top to bottom, else from left to right. */
export function ranked(model: MapModel, edges: readonly MapEdge[], down: boolean): Layout {
  const linked = new Set(edges.filter((e) => e.from !== e.to).flatMap((e) => [e.from, e.to]));
  const graph = new Graph({ compound: true });
  const few = edges.length <= LABELS_ARRANGED;
  graph.setGraph({ rankdir: down ? "TB" : "LR", nodesep: 24, ranksep: down ? 60 : few ? 44 : 90, edgesep: 10, marginx: 0, marginy: 0 });
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
  return read(model, graph, idle, edges, down);
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

function read(model: MapModel, graph: Graph, idle: ReadonlyMap<string, Idle>, edges: readonly MapEdge[], down: boolean): Layout {
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
  return { nodes, boxes, routes: routed(ways, down), edges: edges.length, bounds: boundsOf([...nodes.values(), ...boxes.values(), ...ways.flatMap(room)]) };
}

/** What a line and its label take. */
function room({ inner, label }: Way): readonly Box[] {
  return [...inner.map(({ x, y }) => ({ x: x - 4, y: y - 4, width: 8, height: 8 })), { x: label.x - 40, y: label.y - 8, width: 80, height: 16 }];
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
function routed(ways: readonly Way[], down: boolean): Map<string, Route> {
  const sides = new Map<Box, { readonly way: Way; readonly start: boolean; readonly far: boolean; readonly toward: Spot }[]>();
  for (const way of ways) {
    for (const start of [true, false]) {
      const box = start ? way.from : way.to;
      const toward = (start ? way.inner[0] : way.inner[way.inner.length - 1]) as Spot;
      const far = down ? toward.y > box.y + box.height / 2 : toward.x > box.x + box.width / 2;
      const list = sides.get(box);
      const end = { way, start, far, toward };
      if (list) list.push(end);
      else sides.set(box, [end]);
    }
  }
  const ends = new Map<string, Spot>();
  for (const [box, all] of sides) {
    for (const far of [true, false]) {
      const side = all.filter((e) => e.far === far).sort((a, b) => (down ? a.toward.x - b.toward.x : a.toward.y - b.toward.y));
      const step = Math.min(down ? 14 : 7, ((down ? box.width : box.height) - 12) / Math.max(1, side.length - 1));
      side.forEach((end, i) => {
        const by = (i - (side.length - 1) / 2) * step;
        const spot = down
          ? { x: box.x + box.width / 2 + by, y: far ? box.y + box.height : box.y }
          : { x: far ? box.x + box.width : box.x, y: box.y + box.height / 2 + by };
        ends.set(`${end.start} ${end.way.id}`, spot);
      });
    }
  }
  return new Map(
    ways.map((way) => {
      const [first, last] = [ends.get(`true ${way.id}`) as Spot, ends.get(`false ${way.id}`) as Spot];
      return [way.id, { path: through([first, ...way.inner, last], down), ...way.label }];
    }),
  );
}

/** A smooth line through points, along the ranks' direction at each. */
function through(points: readonly Spot[], down: boolean): string {
  const first = points[0] as Spot;
  let path = `M${round(first.x)} ${round(first.y)}`;
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1] as Spot, points[i] as Spot];
    const [x, y] = down ? [0, (b.y - a.y) / 2] : [(b.x - a.x) / 2, 0];
    path += `C${round(a.x + x)} ${round(a.y + y)} ${round(b.x - x)} ${round(b.y - y)} ${round(b.x)} ${round(b.y)}`;
  }
  return path;
}

function round(n: number): number {
  return Math.round(n * 10) / 10;
}
