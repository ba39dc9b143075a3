// The folder that `netverdict edit` serves. In: its files. Out: files written,
// when somebody saves. Without that server there is none.

import { lineFeeds } from "../files/read";
import { recall, remember } from "./remember";

/** What a tab had not saved yet; another folder's page has another address. */
const UNSAVED = `netverdict.unsaved ${location.pathname}`;

interface Disk {
  /** With line feeds, as the editor has it; whether the file has others. */
  readonly text: string;
  readonly returns: boolean;
  /** What the server calls this state of the file. */
  readonly version: string;
}

/** Somebody else wrote the file meanwhile. */
export class Conflict extends Error {
  constructor(readonly file: string) {
    super(`${file} was changed on the disk meanwhile`);
  }
}

export class Folder {
  readonly #disk = new Map<string, Disk>();

  private constructor(readonly title: string) {}

  /** The folder, when the page comes from `netverdict edit`. */
  static here(): Folder | undefined {
    const meta = document.querySelector<HTMLMetaElement>("meta[name=netverdict-folder]");
    return meta ? new Folder(meta.content) : undefined;
  }

  /** Reads it all; texts with line feeds. */
  async read(): Promise<Map<string, string>> {
    const response = await fetch("api/files", { cache: "no-store" });
    if (!response.ok) throw new Error(await response.text());
    const files = (await response.json()) as readonly { readonly name: string; readonly text: string; readonly version: string }[];
    this.#disk.clear();
    for (const { name, text, version } of files) this.#disk.set(name, { text: lineFeeds(text), returns: text.includes("\r\n"), version });
    return new Map([...this.#disk].map(([name, { text }]) => [name, text]));
  }

  /** What of it has another text than the disk, or is not on it, or only there. */
  unsaved(documents: ReadonlyMap<string, string>): string[] {
    const names = new Set([...documents.keys(), ...this.#disk.keys()]);
    return [...names].filter((name) => this.isUnsaved(name, documents.get(name)));
  }

  isUnsaved(name: string, text: string | undefined): boolean {
    return this.#disk.get(name)?.text !== text;
  }

  /** Writes a file, or with `undefined` takes it away. */
  async save(name: string, text: string | undefined, force = false): Promise<void> {
    const disk = this.#disk.get(name);
    const body = text !== undefined && disk?.returns ? text.replaceAll("\n", "\r\n") : text;
    const address = `api/file/${name.split("/").map(encodeURIComponent).join("/")}`;
    const headers: Record<string, string> = { "content-type": "text/plain; charset=utf-8" };
    if (!force) headers["if-match"] = disk?.version ?? "none";
    const response = await fetch(address, { method: body === undefined ? "DELETE" : "PUT", body, headers });
    if (response.status === 409 || response.status === 412) throw new Conflict(name);
    if (!response.ok) throw new Error(`${name}: ${await response.text()}`);
    if (body === undefined) this.#disk.delete(name);
    else this.#disk.set(name, { text: lineFeeds(body), returns: body.includes("\r\n"), version: await response.text() });
  }

  /** Remembers what is not saved, for when the page is loaded anew. */
  leave(documents: ReadonlyMap<string, string>): void {
    const unsaved = this.unsaved(documents).map((name) => [name, this.#disk.get(name)?.version ?? ""]);
    remember(UNSAVED, JSON.stringify(unsaved), "tab");
  }

  /** The folder as it is now, with what was not saved when the page was left. A
   * file that was written meanwhile is a conflict when it is saved, as before. */
  return(disk: ReadonlyMap<string, string>, left: ReadonlyMap<string, string>): Map<string, string> {
    const documents = new Map(disk);
    for (const [name, version] of JSON.parse(recall(UNSAVED, "tab") ?? "[]") as [string, string][]) {
      const text = left.get(name);
      if (text === undefined) documents.delete(name);
      else documents.set(name, text);
      const now = this.#disk.get(name);
      if (version === "") this.#disk.delete(name);
      else if (now) this.#disk.set(name, { ...now, version });
    }
    return documents;
  }
}
