// The engine: documents in, answers out.

import { call, memory } from "./module.js";
import { RawEngine } from "./raw.js";
import { Table } from "./table.js";

const dispose = Symbol.dispose ?? Symbol.for("Symbol.dispose");

export class Engine {
  #raw;

  constructor(settings = {}) {
    this.#raw = call("settings", () => new RawEngine(JSON.stringify(settings)));
  }

  #ask(code, f) {
    return JSON.parse(call(code, () => f(this.#raw)));
  }

  set(name, text) {
    call("", () => this.#raw.set(name, text));
  }

  remove(name) {
    return call("", () => this.#raw.remove(name));
  }

  documents() {
    return this.#ask("", (raw) => raw.documents());
  }

  text(name) {
    return call("", () => this.#raw.text(name)) ?? null;
  }

  diagnostics(document) {
    const all = this.#ask("", (raw) => raw.diagnostics());
    return document === undefined ? all : all.filter((d) => d.range?.document === document);
  }

  workloads() {
    return this.#ask("", (raw) => raw.workloads());
  }

  identities() {
    return this.#ask("", (raw) => raw.identities());
  }

  verdict(flow) {
    return this.#ask("question", (raw) => raw.verdict(JSON.stringify(flow), false));
  }

  explain(flow) {
    return this.#ask("question", (raw) => raw.verdict(JSON.stringify(flow), true));
  }

  reach({ byPod = false, withDenied = false } = {}) {
    return this.#ask("", (raw) => raw.reach(byPod, withDenied));
  }

  diff(old, { byPod = false } = {}) {
    return this.#ask("", (raw) => raw.diff(old.#raw, byPod));
  }

  entries(workload) {
    return this.#ask("question", (raw) => raw.entries(workload));
  }

  compile() {
    return new Table(call("compile", () => this.#raw.compile()));
  }

  get memory() {
    return call("", memory);
  }

  free() {
    this.#raw.free();
  }

  [dispose]() {
    this.free();
  }
}

export { answerScenario, compileScenario } from "./scenario.js";
