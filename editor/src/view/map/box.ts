// Rectangles of the map: how large nodes are, grids, what keeps boxes apart.

import type { MapModel, MapNode } from "./model";

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Inner {
  readonly nodes: Map<string, Box>;
  width: number;
  height: number;
}

export interface Size {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

export const HEIGHT = 36;
export const GAP = 18;
export const PADDING = 16;
export const HEAD = 30;

/** A character is about this wide in the map's font. */
export const CHARACTER = 7.1;

export function sizeOf(node: MapNode): { readonly width: number; readonly height: number } {
  const chars = Math.max(node.label.length, node.sort.length * 0.8);
  return { width: Math.round(Math.min(240, Math.max(104, chars * CHARACTER + 38))), height: node.kind === "namespace" ? 46 : HEIGHT };
}

/** Puts more below what is there, in as many columns as look square. */
export function grid(inner: Inner, items: readonly Size[], gap: number): Inner {
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

export function widthOf(namespace: string, inner: Inner): number {
  return Math.max(inner.width + 2 * PADDING, namespace.length * CHARACTER + 70);
}

export function boundsOf(all: readonly Box[]): Box {
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

/** Pushes down what a box that grew would cover. */
export function apart(boxes: Map<string, Box>, nodes: Map<string, Box>, model: MapModel): void {
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
