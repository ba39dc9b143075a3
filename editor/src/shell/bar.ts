// The bar on top: what can be done with all of it.

import { choose } from "../files/choose";
import { bundle, download } from "../files/read";
import { Conflict } from "../state/folder";
import { fragmentOf } from "../state/link";
import { format } from "../text/format";
import type { Desk } from "./desk";
import { askText, tell } from "./dialog";
import { make } from "./element";
import { type Item, menuButton } from "./menu";
import { say, warn } from "./notice";
import { files, orderedExamples } from "./start";

/** Links that are longer are cut off by some programs. */
const LONG_LINK = 8000;

export class Bar {
  readonly element: HTMLElement;
  readonly #desk: Desk;
  readonly #undo = make("button", { class: "quiet", "aria-label": "Undo" }, "↶");
  readonly #redo = make("button", { class: "quiet", "aria-label": "Redo" }, "↷");
  readonly #save = make("button", { class: "primary" }, "Save");
  readonly #title = make("span", { class: "work-title" });
  readonly #status = make("span", { class: "status", role: "status" });

  constructor(desk: Desk) {
    this.#desk = desk;
    this.#undo.addEventListener("click", () => desk.undo());
    this.#redo.addEventListener("click", () => desk.redo());
    this.#save.addEventListener("click", () => void this.save());
    this.#save.hidden = desk.folder === undefined;
    this.element = make(
      "header",
      { class: "top" },
      make("h1", { class: "brand" }, "netverdict"),
      menuButton("Open", () => this.#openItems()),
      make("button", { class: "quiet", onclick: () => void this.blank() }, "New file"),
      this.#save,
      this.#undo,
      this.#redo,
      make("button", { class: "quiet", onclick: () => void this.format(), title: "Even indentation (Shift+Alt+F)" }, "Format"),
      menuButton("Versions", () => this.#versionItems(), { class: "quiet" }),
      menuButton("Share", () => this.#shareItems(), { class: "quiet" }),
      make("span", { class: "grow" }),
      this.#title,
      this.#status,
    );
    this.#earlierItems();
  }

  draw(): void {
    const { store, folder, title, snapshot } = this.#desk;
    this.#undo.disabled = store.undoes === undefined;
    this.#undo.title = store.undoes === undefined ? "Nothing to undo" : `Undo: ${store.undoes}`;
    this.#redo.disabled = store.redoes === undefined;
    this.#redo.title = store.redoes === undefined ? "Nothing to redo" : `Redo: ${store.redoes}`;
    if (folder) {
      const unsaved = folder.unsaved(store.all).length;
      this.#save.disabled = unsaved === 0;
      this.#save.textContent = unsaved === 0 ? "Saved" : `Save ${files(unsaved)}`;
    }
    this.#title.textContent = folder?.title ?? title;
    const count = snapshot?.workloads.length ?? 0;
    this.#status.textContent = store.all.size === 0 || !snapshot ? "" : `${files(store.all.size)}, ${count} workload${count === 1 ? "" : "s"}`;
    this.#status.title = snapshot ? `The engine took ${snapshot.engineMs.toFixed(1)} ms` : "";
  }

  async openFolder(): Promise<void> {
    const brought = await choose(true);
    if (brought) await this.#desk.bring(brought, brought.title);
  }

  async openFiles(): Promise<void> {
    const brought = await choose(false);
    if (brought) await this.#desk.bring(brought, "");
  }

  async blank(): Promise<void> {
    const name = await askText("New file", "Name", this.#desk.store.unused("policy.yaml"), "Create");
    if (name !== null) this.#desk.create(name, "");
  }

  async format(): Promise<void> {
    const { active, store } = this.#desk;
    const text = active === null ? undefined : store.all.get(active);
    if (active === null || text === undefined) return;
    // Its program comes when it is first asked for; a newer editor has another.
    const formatted = await format(text).catch(() => ({ why: "The program that formats could not be loaded: load the page anew." }));
    if ("why" in formatted) say(formatted.why);
    else if (formatted.text === text) say("It is formatted already.");
    else if (store.all.get(active) === text) store.step("format", [[active, formatted.text]]);
  }

  /** Writes what changed to the folder; elsewhere there is nothing to do. */
  async save(): Promise<void> {
    const { folder, store } = this.#desk;
    if (!folder) return say("Every change is kept in this browser already. Share has downloads.");
    let written = 0;
    for (const name of folder.unsaved(store.all)) {
      try {
        await folder.save(name, store.all.get(name));
        written += 1;
      } catch (error) {
        if (error instanceof Conflict) this.#conflict(error.file);
        else warn(`Not saved: ${error instanceof Error ? error.message : String(error)}`);
        break;
      }
    }
    if (written > 0) say(`${files(written)} saved.`);
    this.#desk.surface.draw();
  }

  #conflict(name: string): void {
    const { folder, store } = this.#desk;
    const overwrite = async (): Promise<void> => {
      await folder?.save(name, store.all.get(name), true);
      await this.save();
    };
    const take = async (): Promise<void> => {
      const disk = await folder?.read();
      store.step(`${name} from the disk`, [[name, disk?.get(name) ?? null]]);
    };
    tell(`${name} was changed on the disk`, [make("p", {}, "Another program wrote it since it was opened here.")], [
      { title: "Take the disk's", run: () => void take() },
      { title: "Overwrite it", run: () => void overwrite(), primary: true },
    ]);
  }

  #earlier: readonly Item[] = [];

  /** They are read beforehand: a menu opens at once. */
  #earlierItems(): void {
    void this.#desk.workspace.earlier().then((all) => {
      this.#earlier = all.slice(0, 8).map(({ id, title, when, count }, i) => ({
        title,
        about: `${files(count)}, ${new Date(when).toLocaleString()}`,
        chosen: () => void this.#desk.resume(id),
        ...(i === 0 ? { group: "Earlier work" } : {}),
      }));
    });
  }

  #openItems(): readonly Item[] {
    this.#earlierItems();
    const own: Item[] = [
      { title: "Folder…", chosen: () => void this.openFolder() },
      { title: "Files…", chosen: () => void this.openFiles() },
    ];
    if (this.#desk.folder) return own.slice(1);
    const examples = orderedExamples.map((example, i) => ({
      title: example.title,
      chosen: () => void this.#desk.beginExample(example),
      ...(i === 0 ? { group: "Examples" } : {}),
    }));
    return [...own, { title: "Nothing: begin anew", chosen: () => void this.#desk.begin({ title: "", documents: new Map(), active: null }) }, ...this.#earlier, ...examples];
  }

  #versionItems(): readonly Item[] {
    const desk = this.#desk;
    const keep = async (): Promise<void> => {
      const name = await askText("Keep this version", "Name", `Version ${desk.saved().length + 1}`, "Keep");
      if (name === null) return;
      await desk.keepVersion(name);
      say(`${name} is kept; Compare shows what has changed since.`);
    };
    const versions = desk.saved().toReversed().map((version, i) => ({
      title: version.name,
      about: `${files(version.documents.size)}, ${new Date(version.when).toLocaleString()}`,
      chosen: () =>
        tell(version.name, [make("p", {}, `Kept ${new Date(version.when).toLocaleString()}.`)], [
          { title: "Forget it", run: () => void desk.dropVersion(version) },
          { title: "Go back to it", run: () => desk.goBack(version), primary: true },
        ]),
      ...(i === 0 ? { group: "Kept" } : {}),
    }));
    return [{ title: "Keep this version…", disabled: desk.store.all.size === 0, chosen: () => void keep() }, ...versions];
  }

  #shareItems(): readonly Item[] {
    const { store, active, title } = this.#desk;
    const none = store.all.size === 0;
    const text = active === null ? undefined : store.all.get(active);
    return [
      { title: "Link to all of it…", disabled: none, chosen: () => void this.#link() },
      {
        title: "Download this file",
        disabled: text === undefined,
        chosen: () => download(active ?? "", new Blob([text ?? ""], { type: "application/yaml" })),
      },
      { title: "Download all as one file", disabled: none, chosen: () => download(`${title || "policies"}.yaml`, bundle(store.all)) },
    ];
  }

  async #link(): Promise<void> {
    const { store, active } = this.#desk;
    const fragment = await fragmentOf({ documents: store.all, active, names: this.#desk.names() });
    const link = location.href.split("#")[0] + fragment;
    const field = make("input", { type: "text", readonly: true, value: link, "aria-label": "Link" });
    field.addEventListener("focus", () => field.select());
    const long = link.length > LONG_LINK ? [make("p", { class: "dim" }, `It has ${link.length} characters: some programs cut such links off.`)] : [];
    const copy = (): void => void navigator.clipboard.writeText(link).then(() => say("The link is copied."), () => say("The browser did not let it be copied."));
    tell("A link to all files", [make("p", {}, "The link itself holds every file; nothing is uploaded. Whoever has it can read them."), field, ...long], [
      { title: "Copy", run: copy, primary: true },
    ]);
  }
}
