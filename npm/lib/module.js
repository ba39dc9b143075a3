// The WebAssembly module: loaded once, and not used any more after a fault.

import { initSync } from "./raw.js";

let state = "unloaded";
let exports;

/** Why a call failed, for programs: `code`. */
export class NetverdictError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "NetverdictError";
    this.code = code;
  }
}

/** Loads the module from its bytes, a response, or a compiled module. */
export async function load(source) {
  if (state === "loaded") return;
  let from = await source;
  if (typeof Response === "function" && from instanceof Response) {
    if (!from.ok) throw new NetverdictError("load", `${from.url}: ${from.status} ${from.statusText}`);
    from = await from.arrayBuffer();
  }
  if (!(from instanceof WebAssembly.Module)) from = await WebAssembly.compile(from);
  loadSync(from);
}

/** The same at once; browsers' main threads refuse that for large modules. */
export function loadSync(source) {
  if (state === "loaded") return;
  const module = source instanceof WebAssembly.Module ? source : new WebAssembly.Module(source);
  exports = initSync({ module });
  state = "loaded";
}

/** Calls into the module; `code` is that of refusals, which are strings. */
export function call(code, f) {
  if (state !== "loaded") {
    const why =
      state === "broken"
        ? "an earlier call failed inside of the engine; load the page or worker anew"
        : "call and await init() first";
    throw new NetverdictError(state, why);
  }
  try {
    return f();
  } catch (error) {
    if (typeof error === "string") throw new NetverdictError(code, error);
    if (error instanceof WebAssembly.RuntimeError) {
      // Its memory may be in any state.
      state = "broken";
      throw new NetverdictError("broken", `the engine failed: ${error.message}`);
    }
    throw error;
  }
}

/** Bytes of memory that the module has; it never shrinks. */
export const memory = () => exports.memory.buffer.byteLength;
