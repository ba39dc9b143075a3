// The exchange format by which engines are compared.

import { call } from "./module.js";
import { answer_scenario, compile_scenario } from "./raw.js";
import { Table } from "./table.js";

export function answerScenario(scenario) {
  return JSON.parse(call("scenario", () => answer_scenario(JSON.stringify(scenario))));
}

export function compileScenario(scenario) {
  return new Table(call("scenario", () => compile_scenario(JSON.stringify(scenario))));
}
