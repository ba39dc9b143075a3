// The documents, and every step by which they changed. In: edits. Out: events
// with what changed, undo and redo across all of them.

/** What a step did to a document: `null` is no document. */
export interface Difference {
  readonly name: string;
  readonly before: string | null;
  readonly after: string | null;
}

interface Step {
  readonly title: string;
  differences: Difference[];
  /** Typing joins what was typed just before. */
  readonly typed: boolean;
  at: number;
}

export interface Changed {
  readonly differences: readonly Difference[];
  /** Where it came from: the text under the cursor has changed already. */
  readonly origin: "typing" | "step" | "undo" | "redo" | "load";
}

/** Keys within this time are one step. */
const JOIN_MS = 800;
const STEPS = 1000;
/** Characters that steps may hold. */
const HELD = 64 << 20;

export class DocumentStore {
  #documents = new Map<string, string>();
  #done: Step[] = [];
  #undone: Step[] = [];
  #listeners: ((changed: Changed) => void)[] = [];

  onChange(listener: (changed: Changed) => void): void {
    this.#listeners.push(listener);
  }

  get all(): ReadonlyMap<string, string> {
    return this.#documents;
  }

  /** All documents anew; there is nothing to undo. */
  load(documents: ReadonlyMap<string, string>): void {
    const names = new Set([...this.#documents.keys(), ...documents.keys()]);
    const differences: Difference[] = [];
    for (const name of names) {
      const difference = this.#difference(name, documents.get(name) ?? null);
      if (difference) differences.push(difference);
    }
    this.#done = [];
    this.#undone = [];
    this.#put(differences, "load");
  }

  /** Somebody types in a document. */
  type(name: string, text: string): void {
    const difference = this.#difference(name, text);
    if (!difference) return;
    const last = this.#done.at(-1);
    const now = Date.now();
    if (last?.typed && last.differences[0]?.name === name && now - last.at < JOIN_MS) {
      last.differences = [{ name, before: last.differences[0].before, after: text }];
      last.at = now;
      this.#undone = [];
    } else {
      this.#push({ title: "typing", differences: [difference], typed: true, at: now });
    }
    this.#put([difference], "typing");
  }

  /** One step: documents come (or change), and with `null` go. */
  step(title: string, changes: Iterable<readonly [name: string, text: string | null]>): void {
    const differences: Difference[] = [];
    for (const [name, text] of changes) {
      const difference = this.#difference(name, text);
      if (difference) differences.push(difference);
    }
    if (differences.length === 0) return;
    this.#push({ title, differences, typed: false, at: Date.now() });
    this.#put(differences, "step");
  }

  /** What undo would take back. */
  get undoes(): string | undefined {
    return this.#done.at(-1)?.title;
  }

  get redoes(): string | undefined {
    return this.#undone.at(-1)?.title;
  }

  undo(): readonly Difference[] {
    const step = this.#done.pop();
    if (!step) return [];
    this.#undone.push(step);
    const back = step.differences.map(({ name, before, after }) => ({ name, before: after, after: before }));
    this.#put(back, "undo");
    return back;
  }

  redo(): readonly Difference[] {
    const step = this.#undone.pop();
    if (!step) return [];
    this.#done.push(step);
    this.#put(step.differences, "redo");
    return step.differences;
  }

  /** A name that no document has: `policy.yaml`, `policy-2.yaml`… */
  unused(wanted: string): string {
    if (!this.#documents.has(wanted)) return wanted;
    const dot = wanted.lastIndexOf(".");
    const [stem, end] = dot > wanted.lastIndexOf("/") + 1 ? [wanted.slice(0, dot), wanted.slice(dot)] : [wanted, ""];
    let n = 2;
    while (this.#documents.has(`${stem}-${n}${end}`)) n += 1;
    return `${stem}-${n}${end}`;
  }

  #difference(name: string, after: string | null): Difference | undefined {
    const before = this.#documents.get(name) ?? null;
    return before === after ? undefined : { name, before, after };
  }

  #push(step: Step): void {
    this.#undone = [];
    this.#done.push(step);
    let held = 0;
    let from = this.#done.length;
    while (from > 0 && this.#done.length - from < STEPS) {
      for (const d of this.#done[from - 1]?.differences ?? []) held += (d.before?.length ?? 0) + (d.after?.length ?? 0);
      if (held > HELD) break;
      from -= 1;
    }
    this.#done.splice(0, from);
  }

  #put(differences: readonly Difference[], origin: Changed["origin"]): void {
    for (const { name, after } of differences) {
      if (after === null) this.#documents.delete(name);
      else this.#documents.set(name, after);
    }
    for (const listener of this.#listeners) listener({ differences, origin });
  }
}
