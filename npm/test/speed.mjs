// How long the engine takes per keystroke: `node speed.mjs [WORKLOADS POLICIES
// [KEYSTROKES]]`, with NETVERDICT_PACKAGE. Reports; it judges nothing.

import { Engine } from "./package.mjs";
import { city, typing } from "./city.mjs";

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
