// For Node: the module is loaded with the package.

import { readFileSync } from "node:fs";
import { load, loadSync } from "./lib/module.js";

export { NetverdictError } from "./lib/module.js";
export { Engine, answerScenario, compileScenario } from "./lib/engine.js";
export { Table, readAnswer } from "./lib/table.js";

loadSync(readFileSync(new URL("./netverdict.wasm", import.meta.url)));

export const init = async (source) => load(source);
