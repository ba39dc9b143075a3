// A map's nodes and edges in, places out.
//
// What has a place keeps it as long as not much comes or goes, so that nothing moves under the hand of a person who types.

import { apart, boundsOf, GAP, grid, HEAD, PADDING, sizeOf, widthOf, type Box } from "./box";
import type { MapEdge, MapModel, MapNode } from "./model";
import { packed } from "./packed";
import { ranked } from "./ranks";
import type { Route } from "./route";

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

/** More edges or nodes than that are no picture of ranks any more, and would take seconds to arrange as one. */
const EDGES_RANKED = 90;
const NODES_RANKED = 90;

/** What to arrange by: not what no rule limits, and what one side denies only where nothing else joins the two. */
function drawn(model: MapModel): readonly MapEdge[] {
  const joined = new Set(model.edges.flatMap((e) => (e.kind === "allowed" ? [`${e.from}>${e.to}`, `${e.to}>${e.from}`] : [])));
  return model.edges.filter((e) => e.kind !== "unrestricted" && (e.kind !== "one-sided" || !joined.has(`${e.from}>${e.to}`)));
}

/** Where there is room, what is larger in it is taken: ranks from left to right, or from top to bottom. */
export function layOut(model: MapModel, room: { readonly width: number; readonly height: number } = { width: 16, height: 9 }): Layout {
  const edges = drawn(model);
  const aspect = Math.min(3, Math.max(0.5, room.width / room.height));
  if (edges.length > EDGES_RANKED || model.nodes.length > NODES_RANKED) return packed(model, edges, aspect);
  try {
    const [across, down] = [ranked(model, edges, false), ranked(model, edges, true)];
    const scale = ({ bounds }: Layout): number => Math.min(room.width / bounds.width, room.height / bounds.height);
    return scale(down) > scale(across) * 1.1 ? down : across;
  } catch {
    // Some graphs are beyond the library.
    return packed(model, edges, aspect);
  }
}

/** A layout for what is there now, in which what was there stays where it was; `null` when too much is different. */
export function kept(model: MapModel, before: Layout): Layout | null {
  const here = new Set(model.nodes.map((n) => n.id));
  const gone = [...before.nodes.keys()].filter((id) => !here.has(id)).length;
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
