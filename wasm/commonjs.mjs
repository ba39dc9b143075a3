// `node commonjs.mjs ENTRY OUT`: the ES modules of the package as one CommonJS
// file, for `require`. Knows the ways in which these modules import and export,
// and fails on others.

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

const [entry, out] = process.argv.slice(2).map((path) => resolve(path));
const done = new Map();
let text = "// Made of the ES modules of this package.\n\"use strict\";\nconst $ = {};\n";

function names(list) {
  return list.split(",").map((n) => n.trim()).filter(Boolean).map((n) => n.split(/\s+as\s+/));
}

function add(path) {
  if (done.has(path)) return done.get(path);
  const number = done.size;
  done.set(path, number);
  const exported = [];
  const from = (source) => `$[${add(resolve(dirname(path), source))}]`;
  let body = readFileSync(path, "utf8")
    .replace(/^import \{([^}]*)\} from "node:([^"]+)";$/gm, (_, list, module) => `const {${list}} = require("node:${module}");`)
    .replace(/^import \{([^}]*)\} from "(\.[^"]+)";$/gm, (_, list, source) => `const {${list.replace(/\bas\b/g, ":")}} = ${from(source)};`)
    .replace(/^export \{([^}]*)\} from "(\.[^"]+)";$/gm, (_, list, source) => {
      const there = from(source);
      for (const [name, as = name] of names(list)) exported.push(`${as}: ${there}.${name}`);
      return "";
    })
    .replace(/^export \{([^}]*)\};?$/gm, (_, list) => {
      for (const [name, as = name] of names(list)) if (as !== "default") exported.push(`${as}: ${name}`);
      return "";
    })
    .replace(/^export (async function|function|class|const|let) (\w+)/gm, (_, kind, name) => {
      exported.push(name);
      return `${kind} ${name}`;
    })
    .replaceAll("import.meta.url", "require(\"node:url\").pathToFileURL(__filename)");
  const left = body.match(/^(import|export)\b.*$/m);
  if (left) throw new Error(`${path}: ${left[0]}`);
  text += `$[${number}] = (() => {\n${body}\nreturn { ${exported.join(", ")} };\n})();\n`;
  return number;
}

const last = add(entry);
writeFileSync(out, `${text}module.exports = $[${last}];\n`);
