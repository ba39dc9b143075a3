// How long the engine takes per keystroke, for a thousand policies at once, and
// for a verdict from a table: `node speed.mjs [WORKLOADS POLICIES [KEYSTROKES]]`,
// with NETVERDICT_PACKAGE. Reports; it judges nothing.

import { Engine } from "./package.mjs";
import { city, dice, typing } from "./city.mjs";

const [workloads, policies, keystrokes = 300] = process.argv.slice(2).map(Number);
const KEYSTROKES = keystrokes;
const WORLDS = workloads ? [[workloads, policies]] : [[100, 200], [200, 200], [300, 200], [300, 500]];

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
const show = (times) => {
  const sorted = [...times].sort((a, b) => a - b);
  return `${at(sorted, 0.5).toFixed(1).padStart(7)} ${at(sorted, 0.95).toFixed(1).padStart(7)} ${sorted.at(-1).toFixed(1).padStart(7)}`;
};

// Processor time: what else the machine does counts little.
const now = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

console.log("workloads policies | ms of processor time     p50     p95     max");
for (const [workloads, policies] of WORLDS) {
  const documents = city(workloads, policies);
  const engine = new Engine();
  const begin = now();
  for (const [name, text] of documents) engine.set(name, text);
  engine.diagnostics();
  engine.reach();
  const first = now() - begin;
  const times = { set: [], diagnostics: [], reach: [], all: [] };
  for (const [name, text] of typing(documents, KEYSTROKES)) {
    const marks = [now()];
    engine.set(name, text);
    marks.push(now());
    engine.diagnostics();
    marks.push(now());
    engine.reach();
    marks.push(now());
    times.set.push(marks[1] - marks[0]);
    times.diagnostics.push(marks[2] - marks[1]);
    times.reach.push(marks[3] - marks[2]);
    times.all.push(marks[3] - marks[0]);
  }
  for (const [what, list] of Object.entries(times)) {
    console.log(`${String(workloads).padStart(9)} ${String(policies).padStart(8)} | ${what.padEnd(17)} ${show(list)}`);
  }
  console.log(`${String(workloads).padStart(9)} ${String(policies).padStart(8)} | opened in ${first.toFixed(0)} ms, memory ${(engine.memory / 2 ** 20).toFixed(0)} MiB`);
  engine.free();
}

const best = (times) => Math.min(...times);

// A thousand policies in one text, into an engine that has their workloads.
{
  const documents = [...city(100, 1000)];
  const apps = documents.filter(([name]) => name.startsWith("apps/"));
  const text = documents.filter(([name]) => !name.startsWith("apps/")).map(([, text]) => text).join("---\n");
  const times = [];
  for (let round = 0; round < 9; round += 1) {
    const engine = new Engine();
    for (const [name, app] of apps) engine.set(name, app);
    const begin = now();
    engine.set("policies.yaml", text);
    times.push(now() - begin);
    engine.free();
  }
  console.log(`1,000 policies from ${(text.length / 1024).toFixed(0)} KiB of YAML, best of ${times.length}: ${best(times).toFixed(1)} ms`);
}

// Verdicts that have nothing to do with each other.
{
  const engine = new Engine();
  for (const [name, text] of city(100, 200)) engine.set(name, text);
  const identities = engine.identities().map((identity) => identity.id);
  const table = engine.compile();
  const COUNT = 1 << 20;
  const roll = dice(3);
  const column = (Kind, one) => Kind.from({ length: COUNT }, one);
  const questions = {
    subjects: column(Uint32Array, () => roll(table.subjects)),
    directions: column(Uint8Array, () => roll(2)),
    identities: column(Uint32Array, () => identities[roll(identities.length)]),
    protocols: column(Uint8Array, () => 6),
    ports: column(Uint16Array, () => [8080, 9090, 5432, 6379, 443, 80][roll(6)]),
  };
  const answers = new Uint8Array(COUNT * 16);
  const times = [];
  for (let round = 0; round < 15; round += 1) {
    const begin = now();
    table.batch(questions, answers);
    times.push(((now() - begin) * 1e6) / COUNT);
  }
  console.log(`a verdict of a table, ${COUNT} in a batch, best of ${times.length}: ${best(times).toFixed(1)} ns`);
  table.free();
  engine.free();
}
