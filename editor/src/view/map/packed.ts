// A large map in, places out: boxes in rows, what reaches in from outside on the left, what is reached on the right.

import { boundsOf, GAP, grid, HEAD, PADDING, sizeOf, widthOf, type Box, type Size } from "./box";
import type { Layout } from "./layout";
import type { MapEdge, MapModel } from "./model";

const APART = 34;

export function packed(model: MapModel, edges: readonly MapEdge[], aspect: number): Layout {
  const nodes = new Map<string, Box>();
  const boxes = new Map<string, Box>();
  const sending = new Set(edges.map((e) => e.from));
  const columns = { left: [] as Size[], right: [] as Size[] };
  const items: (Size & { readonly place: (x: number, y: number) => void })[] = [];

  for (const namespace of model.boxes) {
    const members = model.nodes.filter((n) => n.namespace === namespace).map((n) => ({ id: n.id, ...sizeOf(n) }));
    const inner = grid({ nodes: new Map(), width: 0, height: 0 }, members, GAP + 6);
    const size = { id: namespace, width: widthOf(namespace, inner), height: inner.height + HEAD + PADDING };
    items.push({
      ...size,
      place: (x, y) => {
        boxes.set(namespace, { x, y, width: size.width, height: size.height });
        for (const [id, at] of inner.nodes) nodes.set(id, { ...at, x: x + PADDING + at.x, y: y + HEAD + at.y });
      },
    });
  }
  for (const node of model.nodes) {
    const size = { id: node.id, ...sizeOf(node) };
    if (node.kind === "namespace") items.push({ ...size, place: (x, y) => nodes.set(node.id, { x, y, width: size.width, height: size.height }) });
    else if (node.namespace === "") columns[sending.has(node.id) ? "left" : "right"].push(size);
  }
  const area = items.reduce((sum, i) => sum + (i.width + APART) * (i.height + APART), 0);
  const most = Math.max(Math.sqrt(area * aspect), ...items.map((i) => i.width));
  let [x, y, tallest] = [0, 0, 0];
  for (const item of items) {
    if (x > 0 && x + item.width > most) [x, y, tallest] = [0, y + tallest + APART, 0];
    item.place(x, y);
    x += item.width + APART;
    tallest = Math.max(tallest, item.height);
  }
  const middle = boundsOf([...boxes.values(), ...nodes.values()]);
  const column = (all: readonly Size[], at: (width: number) => number): void => {
    let top = middle.y + (middle.height - all.reduce((sum, s) => sum + s.height + GAP, -GAP)) / 2;
    for (const { id, width, height } of all) {
      nodes.set(id, { x: at(width), y: Math.round(top), width, height });
      top += height + GAP;
    }
  };
  column(columns.left, (width) => middle.x - 110 - width);
  column(columns.right, () => middle.x + middle.width + 110);
  return { nodes, boxes, routes: new Map(), edges: edges.length, bounds: boundsOf([...nodes.values(), ...boxes.values()]) };
}
