// For whoever brings the module's bytes: init(bytes).

import { NetverdictError, load } from "./lib/module.js";

export { NetverdictError } from "./lib/module.js";
export { Engine, answerScenario, compileScenario } from "./lib/engine.js";
export { Table, readAnswer } from "./lib/table.js";

export async function init(source) {
  if (source === undefined) throw new NetverdictError("load", "netverdict/slim wants the module: init(bytes)");
  await load(source);
}
