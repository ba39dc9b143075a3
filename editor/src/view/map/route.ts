// Lines between nodes.

import type { Box } from "./box";

/** A line, and where its label is. */
export interface Route {
  readonly path: string;
  readonly x: number;
  readonly y: number;
}

export interface Spot {
  readonly x: number;
  readonly y: number;
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
