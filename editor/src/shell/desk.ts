// What somebody works on: documents, which one is open, versions kept, what the
// engine says. In: what a person does. Out: one event when anything is to be
// drawn anew, and the shell that views ask.

import type { Diagnostic, Edit, Range } from "netverdict";
import type { Example } from "virtual:examples";
import type { Saved, Selection, Shell, Snapshot } from "../contract";
import type { EngineClient } from "../engine/client";
import { ordered } from "../files/list";
import type { Brought } from "../files/read";
import { DocumentStore } from "../state/documents";
import type { Folder } from "../state/folder";
import type { Linked } from "../state/link";
import { parseNames } from "../state/names";
import type { Work, Workspace } from "../state/workspace";
import { applyEdits } from "../text/change";
import { say } from "./notice";

export interface Surface {
  /** Shows a document; `null` shows none. */
  open(name: string | null, text: string): void;
  replace(text: string): void;
  reveal(from: number, to: number, mark: boolean): void;
  renamed(from: string, to: string): void;
  select(what: Selection, view: string | undefined): void;
  /** Something changed: names, problems, what is open. */
  draw(): void;
}

export class Desk implements Shell {
  readonly store = new DocumentStore();
  diagnostics: readonly Diagnostic[] = [];
  snapshot: Snapshot | undefined;
  title = "";
  story: Example["story"] = [];
  #active: string | null = null;
  #saved: readonly Saved[] = [];
  #names = "";
  #revision = 0;

  constructor(
    readonly engine: EngineClient,
    readonly workspace: Workspace,
    readonly folder: Folder | undefined,
    readonly surface: Surface,
  ) {
    this.store.onChange(({ differences, origin }) => {
      this.#asked(engine.change(differences.map(({ name, after }) => [name, after] as const)));
      if (origin !== "typing") {
        const touched = differences.find(({ name }) => name === this.#active);
        if (touched && touched.after !== null) surface.replace(touched.after);
        else if (touched) this.open(differences.find(({ after }) => after !== null)?.name ?? this.files[0] ?? null);
      }
      this.#keep();
      surface.draw();
    });
  }

  #asked(revision: number): void {
    this.#revision = revision;
    // For whoever watches the page: which state its answers have to be about.
    document.documentElement.dataset.revision = String(revision);
  }

  get active(): string | null {
    return this.#active;
  }

  get files(): string[] {
    return ordered(this.store.all.keys());
  }

  /** The diagnostics are about the documents as they are. */
  diagnosed(revision: number, diagnostics: readonly Diagnostic[]): boolean {
    if (revision !== this.#revision) return false;
    this.diagnostics = diagnostics;
    this.surface.draw();
    return true;
  }

  open(name: string | null): void {
    if (name !== null && !this.store.all.has(name)) return;
    this.#active = name;
    this.surface.open(name, name === null ? "" : (this.store.all.get(name) ?? ""));
    this.#keep();
    this.surface.draw();
  }

  select(what: Selection, view?: string): void {
    this.surface.select(what, view);
  }

  reveal(range: Range, mark = false): void {
    if (!this.store.all.has(range.document)) return;
    this.open(range.document);
    this.surface.reveal(range.start.offset, range.end.offset, mark);
  }

  edit(edits: readonly Edit[], title: string): void {
    const changed = applyEdits(this.store.all, edits);
    if (!changed) return say("The text has changed meanwhile; try again.");
    const first = edits[0]?.range.document;
    if (first !== undefined && first !== this.#active) this.open(first);
    this.store.step(title, changed);
  }

  create(name: string, text: string): void {
    const unused = this.store.unused(name);
    this.store.step(`new ${unused}`, [[unused, text]]);
    this.open(unused);
  }

  documents(): ReadonlyMap<string, string> {
    return this.store.all;
  }

  saved(): readonly Saved[] {
    return this.#saved;
  }

  names(): string {
    return this.#names;
  }

  setNames(text: string): void {
    this.#resolve(text);
    this.#keep();
  }

  #resolve(text: string): void {
    const had = parseNames(this.#names);
    const read = parseNames(text);
    this.#names = text;
    if ("names" in read && JSON.stringify(read) !== JSON.stringify(had)) this.#asked(this.engine.resolve(read.names));
  }

  rename(from: string, to: string): void {
    const text = this.store.all.get(from);
    if (text === undefined) return;
    if (this.store.all.has(to)) return say(`There is a ${to} already.`);
    this.surface.renamed(from, to);
    this.store.step(`rename ${from}`, [
      [from, null],
      [to, text],
    ]);
    this.open(to);
  }

  remove(name: string): void {
    this.store.step(`delete ${name}`, [[name, null]]);
    say(`${name} is deleted.`, { title: "Undo", run: () => this.undo() });
  }

  undo(): void {
    this.#show(this.store.undo());
  }

  redo(): void {
    this.#show(this.store.redo());
  }

  /** What an undone step touched is to be seen. */
  #show(differences: readonly { readonly name: string; readonly after: string | null }[]): void {
    const seen = differences.find(({ name, after }) => name === this.#active && after !== null);
    const other = seen ?? differences.find(({ after }) => after !== null);
    if (other && other.name !== this.#active) this.open(other.name);
  }

  /** Files come: a folder as work of its own, others beside what is there. */
  async bring({ documents, leftOut }: Brought, title: string): Promise<void> {
    if (leftOut.length > 0) say(`Left out: ${leftOut.slice(0, 3).join("; ")}${leftOut.length > 3 ? "…" : ""}`);
    else if (documents.size === 0) say("There are no manifests (.yaml, .yml, .json) in it.");
    if (documents.size === 0) return;
    if (title !== "" && !this.folder) return this.begin({ title, documents, active: null });
    this.store.step(`add ${documents.size} files`, documents);
    this.open(ordered(documents.keys())[0] ?? null);
    if (this.title === "") this.title = ordered(documents.keys())[0] ?? "";
  }

  /** Other work; what was here is kept. */
  async begin(work: Work, story: Example["story"] = []): Promise<void> {
    const had = this.store.all.size > 0;
    await this.workspace.fresh();
    this.#saved = [];
    this.load(work, story);
    if (had) say("What was open before is under Open, earlier work.");
  }

  async beginExample({ title, name, documents, story }: Example): Promise<void> {
    const policy = documents.find(([file]) => !file.includes("/")) ?? documents.find(([file]) => !file.startsWith("app/")) ?? documents[0];
    await this.begin({ title: title || name, documents: new Map(documents), active: policy?.[0] ?? null }, story);
  }

  beginLinked(linked: Linked): Promise<void> {
    return this.begin({ title: "From a link", ...linked });
  }

  async resume(id: string): Promise<void> {
    const work = await this.workspace.adopt(id);
    if (!work) return say("It is open in another tab.");
    this.restore(work);
  }

  /** Work from the browser's storage. */
  restore({ saved, ...work }: Work & { readonly saved: readonly Saved[] }): void {
    this.#saved = saved;
    this.load(work);
  }

  load({ title, documents, active, names = "" }: Work, story: Example["story"] = []): void {
    this.title = title;
    // Unreadable names of this work leave none of the work before.
    this.#resolve("");
    this.#resolve(names);
    this.story = story;
    this.#active = null;
    this.surface.open(null, "");
    this.store.load(documents);
    this.open(active !== null && documents.has(active) ? active : (this.files[0] ?? null));
  }

  /** Keeps the documents as they are under a name. */
  async keepVersion(name: string): Promise<void> {
    this.#saved = [...this.#saved, { name, when: Date.now(), documents: new Map(this.store.all) }];
    await this.workspace.keepSaved(this.#saved);
    this.surface.draw();
  }

  async dropVersion(version: Saved): Promise<void> {
    this.#saved = this.#saved.filter((one) => one !== version);
    await this.workspace.keepSaved(this.#saved);
    this.surface.draw();
  }

  /** All documents as they were then: one step. */
  goBack({ name, documents }: Saved): void {
    const gone = this.files.filter((now) => !documents.has(now)).map((now) => [now, null] as const);
    this.store.step(`back to ${name}`, [...documents, ...gone]);
  }

  #keep(): void {
    this.folder?.leave(this.store.all);
    this.workspace.keep({ title: this.title || this.files[0] || "", documents: this.store.all, active: this.#active, names: this.#names });
  }
}
