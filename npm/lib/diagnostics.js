// All diagnostics, kept from one question to the next: what did not change is
// the same object.

export class Diagnostics {
  #known = new Map();

  /** The diagnostics after what the module told: numbers, and those that are new. */
  after({ all, fresh }) {
    for (const [number, diagnostic] of fresh) this.#known.set(number, diagnostic);
    const known = new Map();
    for (const number of all) known.set(number, this.#known.get(number));
    this.#known = known;
    return all.map((number) => known.get(number));
  }
}
