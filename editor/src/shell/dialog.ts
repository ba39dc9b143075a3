// Questions to a person, in a window of their own.

import { make } from "./element";

function show(dialog: HTMLDialogElement): void {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

/** Asks for a line of text; `null` when nothing was said. */
export function askText(title: string, label: string, value: string, yes: string): Promise<string | null> {
  return new Promise((done) => {
    const input = make("input", { type: "text", value, id: "dialog-text", autocomplete: "off" });
    const dialog = make("dialog", { class: "dialog", "aria-labelledby": "dialog-title" });
    const form = make(
      "form",
      { method: "dialog" },
      make("h2", { id: "dialog-title" }, title),
      make("label", { for: "dialog-text" }, label),
      input,
      make("div", { class: "dialog-buttons" }, make("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), make("button", { class: "primary", value: "yes" }, yes)),
    );
    dialog.append(form);
    dialog.addEventListener("close", () => done(dialog.returnValue === "yes" && input.value.trim() !== "" ? input.value.trim() : null));
    show(dialog);
    input.select();
  });
}

/** Shows something, with buttons that act and close. */
export function tell(title: string, body: readonly (Node | string)[], actions: readonly { readonly title: string; readonly run: () => void; readonly primary?: boolean }[] = []): void {
  const dialog = make("dialog", { class: "dialog", "aria-labelledby": "dialog-title" });
  const buttons = actions.map(({ title, run, primary }) => make("button", { class: primary ? "primary" : "", onclick: () => (dialog.close(), run()) }, title));
  const close = make("button", { onclick: () => dialog.close() }, actions.length > 0 ? "Cancel" : "Close");
  dialog.append(make("h2", { id: "dialog-title" }, title), ...body, make("div", { class: "dialog-buttons" }, close, ...buttons));
  show(dialog);
}
