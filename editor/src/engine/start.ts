// Starts the engine's worker. Browsers that guard addresses of scripts let
// this one pass, and no other.

import address from "./worker?worker&url";

interface Policy {
  createScriptURL(address: string): string;
}
interface Guard {
  createPolicy(name: string, rules: { createScriptURL(address: string): string }): Policy;
}

const OWN = new Set([address, "./sw.js"]);
const guard = (globalThis as { trustedTypes?: Guard }).trustedTypes;
const own = (wanted: string): string => {
  if (!OWN.has(wanted)) throw new TypeError(`no script of the editor: ${wanted}`);
  return wanted;
};

/** The address of a script of the editor's own. */
export const scriptAddress: (wanted: string) => string = guard
  ? ((policy) => (wanted: string) => policy.createScriptURL(wanted))(guard.createPolicy("netverdict", { createScriptURL: own }))
  : own;

export const startWorker = (): Worker => new Worker(scriptAddress(address), { type: "module", name: "engine" });
