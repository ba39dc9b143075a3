// What travels from the worker to the page is what changed. In: diagnostics and
// connections of one state after the other. Out, on the worker's side, what the
// page does not have; on the page's, all of it, the same objects where nothing
// changed.

import type { Connection, Connectivity, ConnectivityChange, Diagnostic } from "netverdict";

/** All diagnostics by number, and those that were not among the last ones. */
export interface DiagnosticsChange {
  readonly all: readonly number[];
  readonly fresh: readonly (readonly [number, Diagnostic])[];
}

/** The worker's side. */
export class DiagnosticsTold {
  #numbers = new Map<Diagnostic, number>();
  #next = 0;

  /** `diagnostics`: those of `Engine.diagnostics()`, same objects where nothing changed. */
  change(diagnostics: readonly Diagnostic[]): DiagnosticsChange {
    const fresh: [number, Diagnostic][] = [];
    const numbers = new Map<Diagnostic, number>();
    const all = diagnostics.map((diagnostic) => {
      const known = numbers.get(diagnostic) ?? this.#numbers.get(diagnostic);
      const number = known ?? this.#next++;
      if (known === undefined) fresh.push([number, diagnostic]);
      numbers.set(diagnostic, number);
      return number;
    });
    this.#numbers = numbers;
    return { all, fresh };
  }
}

/** The page's side. */
export class KnownDiagnostics {
  #known = new Map<number, Diagnostic>();

  after({ all, fresh }: DiagnosticsChange): readonly Diagnostic[] {
    const news = new Map(fresh);
    const known = new Map<number, Diagnostic>();
    for (const number of all) {
      const diagnostic = news.get(number) ?? this.#known.get(number);
      if (diagnostic) known.set(number, diagnostic);
    }
    this.#known = known;
    return all.flatMap((number) => known.get(number) ?? []);
  }
}

/** The page's side of `Engine.reachSince`. */
export class KnownConnections {
  #places = new Map<string, number>();
  #rows = new Map<string, Map<string, Connection>>();
  #lists = new Map<string, readonly Connection[]>();
  #all: Connectivity = { workloads: [], peers: [], connections: [] };

  /** `anew`: of an engine that told nothing before. */
  after(change: ConnectivityChange, anew: boolean): Connectivity {
    const { peers, connections, closed } = change;
    if (anew) this.#rows.clear();
    if (anew || peers) this.#lists.clear();
    if (peers) this.#rename([...peers.workloads, ...peers.peers]);
    for (const connection of connections) this.#row(connection.from).set(connection.to, connection);
    for (const { from, to } of closed) this.#row(from).delete(to);
    if (!anew && !peers && connections.length === 0 && closed.length === 0) return this.#all;
    const { workloads, peers: others } = peers ?? this.#all;
    this.#all = { workloads, peers: others, connections: this.#gather() };
    return this.#all;
  }

  /** In the engine's order; connections of those that went go with them. */
  #rename(names: readonly string[]): void {
    this.#places = new Map([...names].sort().map((name, place) => [name, place]));
    for (const [from, row] of this.#rows) {
      if (!this.#places.has(from)) this.#rows.delete(from);
      for (const to of row.keys()) if (!this.#places.has(to)) row.delete(to);
    }
  }

  /** A sender's connections, which are to change. */
  #row(from: string): Map<string, Connection> {
    this.#lists.delete(from);
    const known = this.#rows.get(from);
    if (known) return known;
    const row = new Map<string, Connection>();
    this.#rows.set(from, row);
    return row;
  }

  #gather(): Connection[] {
    const place = (name: string): number => this.#places.get(name) ?? -1;
    return [...this.#places.keys()].flatMap((from) => {
      const known = this.#lists.get(from);
      if (known) return known;
      const row = this.#rows.get(from)?.values() ?? [];
      const list = [...row].sort((a, b) => place(a.to) - place(b.to));
      this.#lists.set(from, list);
      return list;
    });
  }
}
