// The engine: documents in, answers out.

import { Diagnostics } from "./diagnostics.js";
import { call, memory } from "./module.js";
import { RawEngine } from "./raw.js";
import { Reach } from "./reach.js";
import { Table } from "./table.js";

const dispose = Symbol.dispose ?? Symbol.for("Symbol.dispose");

export class Engine {
  #raw;
  #diagnostics = new Diagnostics();
  #reach = new Reach();
  #workloads = { told: "", all: [] };

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
    const all = this.#diagnostics.after(this.#ask("", (raw) => raw.diagnostics()));
    return document === undefined ? all : all.filter((d) => d.range?.document === document);
  }

  workloads() {
    const told = call("", () => this.#raw.workloads());
    if (told !== this.#workloads.told) this.#workloads = { told, all: JSON.parse(told) };
    return this.#workloads.all;
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

  hover(document, offset) {
    return this.#ask("", (raw) => raw.hover(document, offset));
  }

  complete(document, offset) {
    return this.#ask("", (raw) => raw.complete(document, offset));
  }

  definition(document, offset) {
    return this.definitions(document, offset)[0] ?? null;
  }

  definitions(document, offset) {
    return this.#ask("", (raw) => raw.definitions(document, offset));
  }

  locate(place) {
    return this.#ask("", (raw) => raw.locate(place.at ?? ""));
  }

  policies(workload) {
    return this.#ask("question", (raw) => raw.policies(workload));
  }

  remedies(flow) {
    return this.#ask("question", (raw) => raw.remedies(JSON.stringify(flow)));
  }

  replay(recording, name = "recording") {
    return this.#ask("", (raw) => raw.replay(recording, name));
  }

  generate(request) {
    return this.#ask("question", (raw) => raw.generate(JSON.stringify(request)));
  }

  reach({ byPod = false, withDenied = false, exposure = false } = {}) {
    if (byPod || withDenied || exposure) return this.#ask("", (raw) => raw.reach(byPod, withDenied, exposure));
    this.#follow();
    return this.#reach.all();
  }

  /** What changed since this was asked before. */
  #follow() {
    const told = this.#ask("", (raw) => raw.reach_since(this.#reach.revision));
    this.#reach.after(told);
    return told;
  }

  reachSince(revision) {
    const known = this.#reach.revision;
    const last = this.#follow();
    const told = revision === known ? last : this.#ask("", (raw) => raw.reach_since(revision));
    const { names, workloads, cells, revision: now } = told;
    const all = this.#reach.names;
    const named = (is) => all.filter((_, i) => workloads[i] === is);
    return {
      revision: now,
      peers: names ? { workloads: named(true), peers: named(false) } : null,
      connections: cells.filter((cell) => cell[2]).map((cell) => cell[2]),
      closed: cells.filter((cell) => !cell[2]).map(([from, to]) => ({ from: all[from], to: all[to] })),
    };
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
