// The examples of the repository as a module of the editor: their files, and
// what their READMEs begin with.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

const ID = "virtual:examples";

/** Folders that are no cluster to look at. */
const LEFT_OUT = new Set(["recorded", "expectations"]);

function manifests(folder: string, under = ""): [string, string][] {
  return readdirSync(join(folder, under))
    .sort()
    .flatMap((name): [string, string][] => {
      const path = under === "" ? name : `${under}/${name}`;
      if (statSync(join(folder, path)).isDirectory()) return manifests(folder, path);
      if (!name.endsWith(".yaml") || name === "expect.yaml") return [];
      return [[path, readFileSync(join(folder, path), "utf8")]];
    });
}

/** The heading and the first paragraph. */
function story(folder: string): { title: string; about: string } {
  let text: string;
  try {
    text = readFileSync(join(folder, "README.md"), "utf8");
  } catch {
    return { title: folder.split("/").at(-1) ?? "", about: "" };
  }
  const [heading = "", about = ""] = text.split(/\n\s*\n/);
  const plain = about.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[`*]/g, "").replace(/\s+/g, " ");
  return { title: heading.replace(/^#+\s*/, ""), about: plain.trim() };
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
        .map((name) => ({ name, ...story(join(root, name)), documents: manifests(join(root, name)) }))
        .filter(({ documents }) => documents.length > 0);
      return `export const examples = ${JSON.stringify(all)};`;
    },
  };
}
