// For pages that can load nothing else: the module is part of this file.

import { load } from "./lib/module.js";

export { NetverdictError } from "./lib/module.js";
export { Engine, answerScenario, compileScenario } from "./lib/engine.js";
export { Table, readAnswer } from "./lib/table.js";

const MODULE = "@module@";

export async function init() {
  await load(Uint8Array.from(atob(MODULE), (c) => c.charCodeAt(0)));
}
