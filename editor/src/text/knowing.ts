// What the engine knows about a place in a text: shown where the pointer is,
// proposed where somebody types.

import type { Extension } from "@codemirror/state";
import type { Range } from "netverdict";
import type { EngineClient } from "../engine/client";

export function knowing(_engine: EngineClient, _name: string, _go: (range: Range) => void): Extension {
  return [];
}
