// A line between two panes that can be moved, by pointer and by keys. Its
// place is a custom property, in per cent of what holds it.

import { recall, remember } from "../state/remember";
import { make } from "./element";

export function splitter(label: string, property: string, axis: "x" | "y", start: number, least: number, most: number): HTMLElement {
  const stored = Number(recall(property) ?? "");
  let at = stored >= least && stored <= most ? stored : start;
  const bar = make("div", {
    role: "separator",
    tabindex: 0,
    class: `splitter splitter-${axis}`,
    "aria-label": label,
    "aria-orientation": axis === "x" ? "vertical" : "horizontal",
    "aria-valuemin": least,
    "aria-valuemax": most,
  });
  const put = (to: number): void => {
    at = Math.min(most, Math.max(least, to));
    bar.setAttribute("aria-valuenow", String(Math.round(at)));
    bar.parentElement?.style.setProperty(property, `${at}%`);
    remember(property, String(at));
  };
  bar.addEventListener("pointerdown", (event) => {
    bar.setPointerCapture(event.pointerId);
    event.preventDefault();
    bar.focus();
  });
  bar.addEventListener("pointermove", (event) => {
    if (!bar.hasPointerCapture(event.pointerId)) return;
    const room = bar.parentElement?.getBoundingClientRect();
    if (!room) return;
    put(axis === "x" ? ((event.clientX - room.left) / room.width) * 100 : ((event.clientY - room.top) / room.height) * 100);
  });
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -2, ArrowUp: -2, ArrowRight: 2, ArrowDown: 2 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    put(at + step);
  });
  queueMicrotask(() => put(at));
  return bar;
}
