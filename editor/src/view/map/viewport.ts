// A drawing that can be moved and zoomed: by wheel, drag, two fingers and keys.

import type { Box } from "./box";

const LEAST = 0.08;
const MOST = 2.5;

export interface Window {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

/** What shows all of `bounds` in the middle, not larger than it is. */
export function fitting(bounds: Box, width: number, height: number, margin = 28): Window {
  const scale = Math.max(LEAST, Math.min(1.1, (width - 2 * margin) / bounds.width, (height - 2 * margin) / bounds.height));
  return {
    scale,
    x: (width - bounds.width * scale) / 2 - bounds.x * scale,
    y: (height - bounds.height * scale) / 2 - bounds.y * scale,
  };
}

/** Another scale, with what is under (x, y) staying there. */
export function zoomed(window: Window, factor: number, x: number, y: number): Window {
  const scale = Math.max(LEAST, Math.min(MOST, window.scale * factor));
  const by = scale / window.scale;
  return { scale, x: x - (x - window.x) * by, y: y - (y - window.y) * by };
}

export class Viewport {
  #window: Window = { x: 0, y: 0, scale: 1 };
  readonly #pointers = new Map<number, { x: number; y: number }>();
  #moved = 0;
  /** The person has moved it: it is not to be fitted unasked. */
  touched = false;

  constructor(
    readonly element: SVGSVGElement,
    readonly content: SVGGElement,
    readonly changed: (window: Window) => void,
  ) {
    element.addEventListener("wheel", (e) => this.#wheel(e), { passive: false });
    element.addEventListener("pointerdown", (e) => this.#down(e));
    element.addEventListener("pointermove", (e) => this.#move(e));
    for (const type of ["pointerup", "pointercancel", "lostpointercapture"] as const) {
      element.addEventListener(type, (e) => this.#pointers.delete(e.pointerId));
    }
    // A drag is no click.
    element.addEventListener("click", (e) => this.#moved > 4 && e.stopPropagation(), { capture: true });
  }

  get window(): Window {
    return this.#window;
  }

  set(window: Window, softly = false): void {
    this.#window = window;
    this.content.classList.toggle("map-soft", softly);
    this.content.style.transform = `translate(${window.x.toFixed(2)}px, ${window.y.toFixed(2)}px) scale(${window.scale.toFixed(4)})`;
    this.changed(window);
  }

  /** Shows all, left of what covers `right`. */
  fit(bounds: Box, softly: boolean, right = 0): void {
    const { width, height } = this.element.getBoundingClientRect();
    if (width === 0 || height === 0) return;
    this.touched = false;
    this.set(fitting(bounds, Math.max(width - right, width / 3), height), softly);
  }

  zoom(factor: number): void {
    const { width, height } = this.element.getBoundingClientRect();
    this.touched = true;
    this.set(zoomed(this.#window, factor, width / 2, height / 2), true);
  }

  pan(x: number, y: number): void {
    this.touched = true;
    this.set({ ...this.#window, x: this.#window.x + x, y: this.#window.y + y }, true);
  }

  /** Moves it as far as needed for a box to be seen; `right` is covered by something. */
  uncover(box: Box, right: number): void {
    const { width, height } = this.element.getBoundingClientRect();
    const { x, y, scale } = this.#window;
    const [left, top] = [x + box.x * scale, y + box.y * scale];
    const dx = shift(left, box.width * scale, width - right);
    const dy = shift(top, box.height * scale, height);
    if (dx !== 0 || dy !== 0) this.set({ scale, x: x + dx, y: y + dy }, true);
  }

  #wheel(e: WheelEvent): void {
    e.preventDefault();
    this.touched = true;
    const lines = e.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    // A pinch on a touchpad comes as a wheel with Control; two fingers that slide come as a wheel with both axes.
    if (!e.ctrlKey && !e.metaKey && e.deltaX !== 0) {
      this.set({ ...this.#window, x: this.#window.x - e.deltaX * lines, y: this.#window.y - e.deltaY * lines });
      return;
    }
    const at = this.element.getBoundingClientRect();
    const speed = e.ctrlKey ? 0.01 : 0.0015;
    this.set(zoomed(this.#window, Math.exp(-e.deltaY * lines * speed), e.clientX - at.x, e.clientY - at.y));
  }

  #down(e: PointerEvent): void {
    if (e.pointerType === "mouse" && e.button !== 0) return;
    if (this.#pointers.size === 0) this.#moved = 0;
    this.#pointers.set(e.pointerId, { x: e.clientX, y: e.clientY });
  }

  #move(e: PointerEvent): void {
    const before = this.#pointers.get(e.pointerId);
    if (!before) return;
    const now = { x: e.clientX, y: e.clientY };
    this.#moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    if (this.#moved > 4 && !this.element.hasPointerCapture(e.pointerId)) this.element.setPointerCapture(e.pointerId);
    const other = [...this.#pointers].find(([id]) => id !== e.pointerId)?.[1];
    this.#pointers.set(e.pointerId, now);
    this.touched ||= this.#moved > 4;
    if (!other) {
      if (this.#moved > 4) this.set({ ...this.#window, x: this.#window.x + now.x - before.x, y: this.#window.y + now.y - before.y });
      return;
    }
    const at = this.element.getBoundingClientRect();
    const factor = Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
    const next = zoomed(this.#window, factor, (now.x + other.x) / 2 - at.x, (now.y + other.y) / 2 - at.y);
    this.set({ ...next, x: next.x + (now.x - before.x) / 2, y: next.y + (now.y - before.y) / 2 });
  }
}

function shift(start: number, size: number, room: number): number {
  const margin = 24;
  if (size + 2 * margin > room) return margin - start;
  if (start < margin) return margin - start;
  return start + size > room - margin ? room - margin - start - size : 0;
}
