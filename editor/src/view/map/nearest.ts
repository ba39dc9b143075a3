// What is next in a direction: for arrow keys.

interface At {
  readonly x: number;
  readonly y: number;
}

/** The nearest in the half that (dx, dy) points to; what lies aside counts as farther. */
export function nearest(places: ReadonlyMap<string, At>, from: string, dx: number, dy: number): string | null {
  const start = places.get(from);
  if (!start) return null;
  let best: string | null = null;
  let least = Infinity;
  for (const [id, at] of places) {
    const along = (at.x - start.x) * dx + (at.y - start.y) * dy;
    if (id === from || along <= 1) continue;
    const aside = Math.abs((at.x - start.x) * dy) + Math.abs((at.y - start.y) * dx);
    const distance = along + 2.2 * aside;
    if (distance < least) [best, least] = [id, distance];
  }
  return best;
}
