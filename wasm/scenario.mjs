// Answers scenarios, one a line: `node scenario.mjs PACKAGE < scenarios`.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { join, resolve } from "node:path";

const { answerScenario } = await import(pathToFileURL(join(resolve(process.argv[2]), "node.js")).href);
for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim()) process.stdout.write(`${JSON.stringify(answerScenario(JSON.parse(line)))}\n`);
}
