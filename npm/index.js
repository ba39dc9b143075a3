// For bundlers and browsers: the module lies beside this file.

import { load } from "./lib/module.js";

export { NetverdictError } from "./lib/module.js";
export { Engine, answerScenario, compileScenario } from "./lib/engine.js";
export { Table, readAnswer } from "./lib/table.js";

export const init = (source) => load(source ?? fetch(new URL("./netverdict.wasm", import.meta.url)));
