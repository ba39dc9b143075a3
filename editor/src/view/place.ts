// Places of rules in, ranges of documents out: for `shell.reveal`.

import type { Point, Range, RulePlace } from "netverdict";

/** `policies/web.yaml:12:5` in its parts; names of documents may have colons. */
export function partsOf(at: string): { readonly document: string; readonly line: number; readonly column: number } | null {
  const parts = /^(.*):(\d+):(\d+)$/s.exec(at);
  return parts ? { document: parts[1] ?? "", line: Number(parts[2]), column: Number(parts[3]) } : null;
}

/**
 * What is written at a place and below it: the line, and those that follow and are indented deeper. An item of a list begins
 * with its dash.
 */
export function rangeAt(at: string, documents: ReadonlyMap<string, string>): Range | null {
  const place = partsOf(at);
  const text = place && documents.get(place.document);
  if (!place || text === undefined || text === null) return null;
  const lines = text.split("\n");
  const first = lines[place.line - 1];
  if (first === undefined) return null;
  let offset = 0;
  for (let i = 0; i < place.line - 1; i++) offset += (lines[i]?.length ?? 0) + 1;
  const dash = /^(\s*)-\s/.exec(first);
  const indent = dash ? (dash[1]?.length ?? 0) : place.column - 1;
  const start: Point = { offset: offset + indent, line: place.line, column: indent + 1 };
  let end: Point = { offset: offset + first.trimEnd().length, line: place.line, column: first.trimEnd().length + 1 };
  offset += first.length + 1;
  for (let i = place.line; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const text = line.trimEnd();
    if (text !== "" && line.length - line.trimStart().length <= indent) break;
    if (text !== "") end = { offset: offset + text.length, line: i + 1, column: text.length + 1 };
    offset += line.length + 1;
  }
  return { document: place.document, start, end };
}

/** `web.yaml:12`, for a button. */
export function shortPlace(at: string): string {
  const place = partsOf(at);
  return place ? `${place.document.split("/").pop() ?? ""}:${place.line}` : at;
}

/** Rules that the engine has by itself: nothing shows where they are written. */
export function isReserved(rule: RulePlace): boolean {
  return rule.rule.startsWith("reserved/");
}
