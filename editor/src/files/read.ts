// Files from a person's disk: dropped, chosen, or pasted. Out: texts by name.
// They stay in the page.

/** More than that is no manifest. */
const MOST_BYTES = 16 << 20;
const MOST_FILES = 5000;
const MANIFEST = /\.(ya?ml|json)$/i;
/** Folders that hold no manifests of one's own. */
const PASSED_OVER = new Set([".git", "node_modules", ".terraform", "vendor"]);

export interface Brought {
  readonly documents: ReadonlyMap<string, string>;
  /** What was left out, and why. */
  readonly leftOut: readonly string[];
}

/** Everything in what was dropped. */
export async function dropped(data: DataTransfer): Promise<Brought> {
  // The list is gone after the first pause.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((e) => e !== null);
  const files: [string, File][] = [];
  if (entries.length === 0) for (const file of data.files) files.push([file.name, file]);
  const whole = entries.length === 1 && entries[0]?.isDirectory ? `${entries[0].name}/` : "";
  for (const entry of entries) await walk(entry, files);
  return read(files.map(([path, file]) => [path.startsWith(whole) ? path.slice(whole.length) : path, file]));
}

/** What a file or folder dialog gave. */
export function chosen(files: FileList): Promise<Brought> {
  return read(
    [...files].map((file): [string, File] => {
      const path = file.webkitRelativePath;
      return [path === "" ? file.name : path.slice(path.indexOf("/") + 1), file];
    }),
  );
}

async function walk(entry: FileSystemEntry, files: [string, File][]): Promise<void> {
  if (files.length >= MOST_FILES) return;
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
    files.push([entry.fullPath.replace(/^\//, ""), file]);
  } else if (!PASSED_OVER.has(entry.name)) {
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      // It gives a hundred at a time.
      const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
      if (some.length === 0) break;
      for (const child of some) await walk(child, files);
    }
  }
}

async function read(files: readonly (readonly [string, File])[]): Promise<Brought> {
  const documents = new Map<string, string>();
  const leftOut: string[] = [];
  const alone = files.length === 1;
  for (const [path, file] of files) {
    if (!MANIFEST.test(path) && !alone) continue;
    if (file.size > MOST_BYTES) leftOut.push(`${path} is larger than 16 MiB`);
    else if (documents.size >= MOST_FILES) leftOut.push(`${path} is one too many`);
    else {
      const text = await file.text();
      if (text.includes("\0")) leftOut.push(`${path} is no text`);
      else documents.set(path, lineFeeds(text));
    }
  }
  return { documents, leftOut };
}

/** Line ends as the editor keeps them. */
export const lineFeeds = (text: string): string => text.replace(/^\ufeff/, "").replace(/\r\n/g, "\n");

/** Gives the browser a file to save. */
export function download(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name.slice(name.lastIndexOf("/") + 1);
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** All documents as one file of YAML, a comment with its name before each. */
export function bundle(documents: ReadonlyMap<string, string>): Blob {
  const parts: string[] = [];
  for (const [name, text] of documents) {
    const body = text.replace(/^---[ \t]*\n/, "");
    parts.push(`---\n# ${name}\n${body}${body.endsWith("\n") ? "" : "\n"}`);
  }
  return new Blob(parts, { type: "application/yaml" });
}
