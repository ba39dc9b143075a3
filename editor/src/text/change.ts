// Edits of texts. In: a text and what is to change. Out: the new text, or the
// smallest change that makes one text the other.

import type { Edit } from "netverdict";

/** What makes `before` become `after`. */
export function smallestChange(before: string, after: string): { from: number; to: number; insert: string } {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < most - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  return { from: start, to: before.length - end, insert: after.slice(start, after.length - end) };
}

/** The documents that edits change; `undefined` when an edit does not fit. */
export function applyEdits(documents: ReadonlyMap<string, string>, edits: readonly Edit[]): Map<string, string> | undefined {
  const changed = new Map<string, string>();
  const last = new Map<string, number>();
  const ordered = edits.toSorted((a, b) => b.range.start.offset - a.range.start.offset || b.range.end.offset - a.range.end.offset);
  for (const { range, text } of ordered) {
    const old = changed.get(range.document) ?? documents.get(range.document);
    const [start, end] = [range.start.offset, range.end.offset];
    if (old === undefined || start > end || end > (last.get(range.document) ?? old.length)) return undefined;
    changed.set(range.document, old.slice(0, start) + text + old.slice(end));
    last.set(range.document, start);
  }
  return changed;
}
