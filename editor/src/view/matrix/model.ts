// Who reaches whom in, rows and columns out: filtered, sorted, with what each cell says.

import type { Connectivity } from "netverdict";
import { compareEnds, compareText, endOf, nameOf } from "../end";
import { isEverything, openAt, proxiesOf, shortPorts, type Wanted } from "../ports";

export type Connection = Connectivity["connections"][number];

export interface MatrixWish {
  readonly from: string;
  readonly to: string;
  readonly port: Wanted | null;
  /** Rows and columns without any open cell are left out. */
  readonly onlyOpen: boolean;
  readonly order: "namespace" | "name" | "open";
  /** Rows by what this column says, columns by what this row says. */
  readonly rowsBy: string | null;
  readonly columnsBy: string | null;
}

export type CellKind = "denied" | "allowed" | "proxied" | "unrestricted" | "unknown";

export interface Cell {
  readonly kind: CellKind;
  readonly text: string;
  readonly connection: Connection | null;
}

export interface MatrixModel {
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  cell(row: string, column: string): Cell;
  /** Open pairs of those that are shown. */
  readonly open: number;
}

const DENIED: Cell = { kind: "denied", text: "", connection: null };

function isDenied(c: Connection, port: Wanted | null): boolean {
  return c.unknown === undefined && (port ? openAt(c.allowed, port) : c.allowed).length === 0;
}

function cellOf(connection: Connection, port: Wanted | null): Cell {
  if (connection.unknown !== undefined) return { kind: "unknown", text: "?", connection };
  if (isDenied(connection, port)) return { ...DENIED, connection };
  const open = port ? openAt(connection.allowed, port) : connection.allowed;
  const proxies = proxiesOf(open);
  if (proxies.length > 0) return { kind: "proxied", text: port ? proxies.join(" ") : `${shortPorts(open)} ${proxies.join(" ")}`, connection };
  const free = connection.egress === "default" && connection.ingress === "default" && isEverything(connection.allowed);
  return { kind: free ? "unrestricted" : "allowed", text: port ? "open" : shortPorts(open), connection };
}

let sorted: { readonly of: string; readonly ends: readonly string[] } = { of: "", ends: [] };

/** By namespace; the same ends come with nearly every snapshot. */
function sortedEnds(ends: readonly string[]): readonly string[] {
  const of = ends.join("\n");
  if (sorted.of !== of) sorted = { of, ends: [...ends].sort(compareEnds) };
  return sorted.ends;
}

/** Words all of which a name has to have. */
function matches(id: string, filter: string): boolean {
  const name = `${nameOf(id)} ${endOf(id).sort}`.toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => name.includes(word));
}

const RANK: Readonly<Record<CellKind, number>> = { allowed: 0, proxied: 1, unrestricted: 2, unknown: 3, denied: 4 };

export function matrixModel(connectivity: Connectivity, wish: MatrixWish): MatrixModel {
  const connections = new Map(connectivity.connections.map((c) => [`${c.from}>${c.to}`, c]));
  // Few of them are ever in sight.
  const cells = new Map<string, Cell>();
  const cell = (row: string, column: string): Cell => {
    const id = `${row}>${column}`;
    let found = cells.get(id);
    if (!found) {
      const connection = connections.get(id);
      found = connection ? cellOf(connection, wish.port) : DENIED;
      cells.set(id, found);
    }
    return found;
  };

  const all = sortedEnds([...connectivity.workloads, ...connectivity.peers]);
  let rows = all.filter((id) => matches(id, wish.from));
  let columns = all.filter((id) => matches(id, wish.to));
  const [shownRows, shownColumns] = [new Set(rows), new Set(columns)];
  const [byRow, byColumn] = [new Map<string, number>(), new Map<string, number>()];
  let open = 0;
  for (const c of connectivity.connections) {
    if (!shownRows.has(c.from) || !shownColumns.has(c.to) || isDenied(c, wish.port)) continue;
    open += 1;
    byRow.set(c.from, (byRow.get(c.from) ?? 0) + 1);
    byColumn.set(c.to, (byColumn.get(c.to) ?? 0) + 1);
  }
  if (wish.onlyOpen) {
    rows = rows.filter((id) => byRow.has(id));
    columns = columns.filter((id) => byColumn.has(id));
  }
  const order = (ids: string[], counts: ReadonlyMap<string, number>): void => {
    // They are in the order of namespaces already, and sorting keeps that where nothing else counts.
    if (wish.order === "open") ids.sort((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0));
    if (wish.order === "name") ids.sort((a, b) => compareText(endOf(a).name, endOf(b).name));
  };
  order(rows, byRow);
  order(columns, byColumn);
  const { rowsBy, columnsBy } = wish;
  if (rowsBy !== null) rows.sort((a, b) => RANK[cell(a, rowsBy).kind] - RANK[cell(b, rowsBy).kind]);
  if (columnsBy !== null) columns.sort((a, b) => RANK[cell(columnsBy, a).kind] - RANK[cell(columnsBy, b).kind]);
  return { rows, columns, cell, open };
}

export function cellName(row: string, column: string, cell: Cell): string {
  const said: Readonly<Record<CellKind, string>> = {
    denied: "denied",
    allowed: cell.text,
    proxied: cell.text,
    unrestricted: "all, no rule limits it",
    unknown: "not known",
  };
  return `${nameOf(row)} to ${nameOf(column)}: ${said[cell.kind]}`;
}
