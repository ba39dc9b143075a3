// What a tab works on, kept in the browser. In: documents as they change. Out:
// the same after a reload, a crash, or in another week.
//
// Each tab has a workspace of its own, held by a lock, so that two tabs never
// write over one another. A new tab goes on with the newest that no tab has.

import type { Saved } from "../contract";
import { forget, recall, remember } from "./remember";

export interface Work {
  /** What a person would call it: an example's name, a folder's. */
  readonly title: string;
  readonly documents: ReadonlyMap<string, string>;
  readonly active: string | null;
  /** DNS names and their addresses, as somebody wrote them. */
  readonly names?: string;
}

interface Stored extends Work {
  readonly id: string;
  readonly when: number;
}

export interface Earlier {
  readonly id: string;
  readonly title: string;
  readonly when: number;
  readonly count: number;
}

const WAIT_MS = 150;
/** Workspaces that are kept beside the ones that are open. */
const KEPT = 50;
const TAB = "netverdict.workspace";
const FLUSHED = "netverdict.flushed.";

const result = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error ?? new Error("the browser's storage failed"));
  });

async function database(): Promise<IDBDatabase> {
  const request = indexedDB.open("netverdict", 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("work", { keyPath: "id" });
    request.result.createObjectStore("saved");
  };
  return result(request);
}

export class Workspace {
  #id = "";
  #release: () => void = () => {};
  #pending: Work | undefined;
  /** On its way to the database, which may not be done when the page goes. */
  #writing: { readonly id: string; readonly work: Work } | undefined;
  #timer = 0;
  /** What was left in a hurry is newer than what is being written. */
  #left = false;
  #failed: (error: unknown) => void;

  private constructor(
    readonly database: IDBDatabase | undefined,
    failed: (error: unknown) => void,
  ) {
    this.#failed = failed;
    addEventListener("pagehide", () => this.#leave());
    document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && this.#leave());
  }

  /** `failed` hears when texts could not be kept. */
  static async open(failed: (error: unknown) => void): Promise<Workspace> {
    try {
      return new Workspace(await database(), failed);
    } catch (error) {
      failed(error);
      return new Workspace(undefined, failed);
    }
  }

  /** What this tab had, or the newest work that no tab has. */
  async resume(): Promise<(Work & { readonly saved: readonly Saved[] }) | undefined> {
    const own = recall(TAB, "tab");
    if (own !== null && (await this.#hold(own))) return this.#read(own);
    for (const { id } of await this.earlier()) if (await this.#hold(id)) return this.#read(id);
    await this.fresh();
    return undefined;
  }

  /** Goes on with another one. */
  async adopt(id: string): Promise<(Work & { readonly saved: readonly Saved[] }) | undefined> {
    await this.#write();
    return (await this.#hold(id)) ? this.#read(id) : undefined;
  }

  /** Begins an empty one; the old one is kept. */
  async fresh(): Promise<void> {
    await this.#write();
    await this.#hold(newId());
    await this.#prune();
  }

  /** Newest first, without this one. */
  async earlier(): Promise<Earlier[]> {
    if (!this.database) return [];
    const all: Stored[] = await result(this.database.transaction("work").objectStore("work").getAll());
    return all
      .filter(({ id, documents }) => id !== this.#id && documents.size > 0)
      .sort((a, b) => b.when - a.when)
      .map(({ id, title, when, documents }) => ({ id, title, when, count: documents.size }));
  }

  /** Keeps this, soon. */
  keep(work: Work): void {
    this.#pending = work;
    this.#left = false;
    this.#timer ||= window.setTimeout(() => void this.#write(), WAIT_MS);
  }

  async keepSaved(saved: readonly Saved[]): Promise<void> {
    await this.#put("saved", saved, this.#id);
  }

  async #hold(id: string): Promise<boolean> {
    // Where there are no locks a tab has what it had, and nothing else.
    if (navigator.locks) {
      const got = await new Promise<(() => void) | undefined>((done) => {
        const held = (lock: Lock | null): Promise<void> | undefined => {
          if (lock) return new Promise((release) => done(release));
          done(undefined);
          return undefined;
        };
        navigator.locks.request(`netverdict ${id}`, { ifAvailable: true }, held).catch(() => done(undefined));
      });
      if (!got) return false;
      this.#release();
      this.#release = got;
    } else if (this.#id === "" && recall(TAB, "tab") !== id && (await this.#read(id))) {
      return false;
    }
    this.#id = id;
    remember(TAB, id, "tab");
    return true;
  }

  async #read(id: string): Promise<(Work & { readonly saved: readonly Saved[] }) | undefined> {
    if (!this.database) return undefined;
    const stores = this.database.transaction(["work", "saved"]);
    const [work, saved]: [Stored | undefined, Saved[] | undefined] = await Promise.all([
      result(stores.objectStore("work").get(id)),
      result(stores.objectStore("saved").get(id)),
    ]);
    // What a page had to leave in a hurry is newer.
    const left = recall(FLUSHED + id);
    const flushed = left === null ? undefined : parsed(left);
    const newest = flushed && flushed.when > (work?.when ?? 0) ? flushed : work;
    return newest && { ...newest, saved: saved ?? [] };
  }

  async #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const work = this.#pending;
    this.#pending = undefined;
    if (!work) return;
    const id = this.#id;
    const writing = { id, work };
    this.#writing = writing;
    const { title, active, names } = work;
    await this.#put("work", { id, when: Date.now(), title, active, names, documents: new Map(work.documents) });
    if (this.#writing === writing) this.#writing = undefined;
    if (!this.#left) forget(FLUSHED + id);
  }

  async #put(store: "work" | "saved", value: unknown, key?: string): Promise<void> {
    if (!this.database) return;
    try {
      await result(this.database.transaction(store, "readwrite").objectStore(store).put(value, key));
    } catch (error) {
      this.#failed(error);
    }
  }

  async #prune(): Promise<void> {
    if (!this.database) return;
    for (const { id } of (await this.earlier()).slice(KEPT)) {
      const stores = this.database.transaction(["work", "saved"], "readwrite");
      stores.objectStore("work").delete(id);
      stores.objectStore("saved").delete(id);
    }
  }

  /** The page may be gone in a moment: the database may not be done by then. */
  #leave(): void {
    const { id, work } = this.#pending ? { id: this.#id, work: this.#pending } : (this.#writing ?? {});
    if (!work) return;
    const { title, active, names } = work;
    this.#left = true;
    // Where it is too large for this, the database has it, or nearly.
    remember(FLUSHED + id, JSON.stringify({ title, active, names, when: Date.now(), documents: [...work.documents] }));
    void this.#write();
  }
}

/** `crypto.randomUUID` is only there where a connection is safe. */
const newId = (): string => [...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(36)).join("");

function parsed(text: string): Stored | undefined {
  try {
    const { documents, ...work } = JSON.parse(text) as Omit<Stored, "documents"> & { documents: [string, string][] };
    return { ...work, id: "", documents: new Map(documents) };
  } catch {
    return undefined;
  }
}
