// The examples of the repository as a module of the editor: their files, and
// what their READMEs begin with.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import type { Plugin } from "vite";
import { parse } from "yaml";

const ID = "virtual:examples";

/** Folders that are no cluster to look at. */
const LEFT_OUT = new Set(["recorded", "expectations"]);

/** Documents of an example: those of the case in its `expect.yaml` that has
 * most, or all there are. */
function manifests(root: string, name: string): [string, string][] {
  const cases = expected(join(root, name)).map((files) => files.flatMap((file) => found(root, posix.join(name, file))));
  const most = cases.toSorted((a, b) => b.length - a.length)[0] ?? found(root, name);
  // What is borrowed from another example keeps its place there.
  return most.map((path) => [path.slice(path.indexOf("/") + 1), readFileSync(join(root, path), "utf8")]);
}

function expected(folder: string): string[][] {
  try {
    const { cases } = parse(readFileSync(join(folder, "expect.yaml"), "utf8")) as { cases: { files?: string[] }[] };
    return cases.map(({ files }) => files ?? []).filter((files) => files.length > 0);
  } catch {
    return [];
  }
}

function found(root: string, path: string): string[] {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path))
    .sort()
    .filter((name) => name.endsWith(".yaml") || !name.includes("."))
    .filter((name) => name !== "expect.yaml")
    .flatMap((name) => found(root, posix.join(path, name)));
}

type Part = { kind: "text"; text: string } | { kind: "ask"; from: string; to: string; port?: string; sent?: string };

/** What a README says, without what commands print: prose, and flows that its
 * commands ask about. */
function story(folder: string): { title: string; about: string; story: Part[] } {
  let text: string;
  try {
    text = readFileSync(join(folder, "README.md"), "utf8");
  } catch {
    const name = folder.split("/").at(-1) ?? "";
    return { title: name.charAt(0).toUpperCase() + name.slice(1), about: "", story: [] };
  }
  let title = "";
  const parts: Part[] = [];
  let fenced = false;
  let prose: string[] = [];
  const endProse = (): void => {
    const plain = prose.join(" ").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/\*\*?([^*]+)\*\*?/g, "$1").trim();
    if (plain !== "" && !plain.startsWith("|")) parts.push({ kind: "text", text: plain });
    prose = [];
  };
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) {
      endProse();
      fenced = !fenced;
    } else if (fenced) {
      const asked = line.startsWith("$ ") ? question(line) : undefined;
      if (asked) parts.push(asked);
    } else if (line.startsWith("# ")) title = line.slice(2);
    else if (line.trim() === "" || line.startsWith("#")) endProse();
    else prose.push(line);
  }
  endProse();
  const first = parts.find((part) => part.kind === "text");
  return { title, about: first?.kind === "text" ? first.text.replaceAll("`", "") : "", story: parts };
}

/** The flow that a command asks about. */
function question(command: string): Part | undefined {
  if (!/netverdict (verdict|explain) /.test(command)) return undefined;
  const option = (name: string): string | undefined => new RegExp(`${name} (?:'([^']*)'|(\\S+))`).exec(command)?.slice(1).find(Boolean);
  const [from, to, port] = [option("--from"), option("--to"), option("-p")];
  if (from === undefined || to === undefined) return undefined;
  const sent = option("--http") ?? option("--dns") ?? option("--icmp");
  return { kind: "ask", from, to, port: port === undefined || port.includes("/") ? port : `${port}/TCP`, sent };
}

export function examples(root: string): Plugin {
  return {
    name: "examples",
    resolveId: (id) => (id === ID ? `\0${ID}` : null),
    load(id) {
      if (id !== `\0${ID}`) return null;
      const all = readdirSync(root)
        .sort()
        .filter((name) => !LEFT_OUT.has(name) && statSync(join(root, name)).isDirectory())
        .map((name) => ({ name, ...story(join(root, name)), documents: manifests(root, name) }))
        .filter(({ documents }) => documents.length > 0);
      return `export const examples = ${JSON.stringify(all)};`;
    },
  };
}
