// All connections, kept from one question to the next: what did not change is
// the same object.

export class Reach {
  revision = 0;
  names = [];
  #workloads = [];
  // By sender: connections by receiver, undefined where nothing is open.
  #rows = [];
  #all = null;

  /** The module told what changed. */
  after({ revision, names, workloads, cells }) {
    this.revision = revision;
    if (names !== undefined) {
      const old = new Map(this.names.map((name, i) => [name, i]));
      const places = names.map((name) => old.get(name));
      this.#rows = places.map((from) => places.map((to) => (from === undefined || to === undefined ? undefined : this.#rows[from][to])));
      this.names = names;
      this.#workloads = workloads;
    }
    for (const [from, to, connection] of cells) this.#rows[from][to] = connection ?? undefined;
    if (names !== undefined || cells.length > 0) this.#all = null;
  }

  /** The connections; the same object until something changed. */
  all() {
    this.#all ??= this.#gather();
    return this.#all;
  }

  #gather() {
    const connections = [];
    for (const row of this.#rows) {
      for (const connection of row) if (connection !== undefined) connections.push(connection);
    }
    const named = (is) => this.names.filter((_, i) => this.#workloads[i] === is);
    return { workloads: named(true), peers: named(false), connections };
  }
}
