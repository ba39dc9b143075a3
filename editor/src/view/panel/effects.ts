// What a change opens, closes or puts on other terms, as a list.

import type { Effect } from "netverdict";
import { el } from "../element";
import { nameOf } from "../end";
import { badge } from "../explanation";
import { changeWords } from "../wording";

const SHOWN = 40;

export function effectList(effects: readonly Effect[]): HTMLElement {
  return el(
    "ul",
    { class: "effects" },
    effects.slice(0, SHOWN).map((e) => el("li", {}, badge(...changeWords(e.kind)), `${nameOf(e.from)} → ${nameOf(e.to)}`, el("span", { class: "dim" }, e.ports))),
    effects.length > SHOWN && el("li", { class: "dim" }, `and ${effects.length - SHOWN} more`),
  );
}
