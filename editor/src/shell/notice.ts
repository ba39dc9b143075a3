// What the editor has to say to a person: a line that goes by itself, a bar
// that stays.

import { make } from "./element";

const SHOWN_MS = 5000;

const line = make("div", { class: "notice", role: "status", "aria-live": "polite" });
const bar = make("div", { class: "bar-of-trouble", role: "alert" });
let timer = 0;

export const noticeElements: readonly HTMLElement[] = [bar, line];

/** Says something for a few seconds. */
export function say(text: string, action?: { readonly title: string; readonly run: () => void }): void {
  clearTimeout(timer);
  line.replaceChildren(make("span", {}, text));
  if (action) line.append(make("button", { onclick: () => (line.replaceChildren(), action.run()) }, action.title));
  timer = window.setTimeout(() => line.replaceChildren(), action ? 2 * SHOWN_MS : SHOWN_MS);
}

/** Says something until it is put away. */
export function warn(text: string, actions: readonly { readonly title: string; readonly run: () => void }[] = []): void {
  const close = (): void => bar.replaceChildren();
  bar.replaceChildren(
    make("span", {}, text),
    ...actions.map(({ title, run }) => make("button", { onclick: run }, title)),
    make("button", { class: "quiet", "aria-label": "Close", onclick: close }, "✕"),
  );
}
