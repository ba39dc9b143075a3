// Tables alone, for bundlers and browsers.

import { load } from "./lib/module.js";

export { NetverdictError } from "./lib/module.js";
export { Table, readAnswer } from "./lib/table.js";

export const init = (source) => load(source ?? fetch(new URL("./netverdict-table.wasm", import.meta.url)));
