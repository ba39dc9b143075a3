import { readFileSync } from "node:fs";
import { Engine, init } from "netverdict";

await init();
const engine = new Engine();
engine.set("shop.yaml", readFileSync("shop.yaml", "utf8"));
for (const d of engine.diagnostics()) console.error(d.range?.start.line, d.code, d.message);
for (const from of ["shop/api", "shop/web"]) {
  const why = engine.explain({ from, to: "shop/db", port: "5432/TCP" });
  console.log(`${from} -> shop/db 5432/TCP: ${why.verdict}`);
}
engine.free();
