// A button that opens a menu. Items are made when it opens.

import { make } from "./element";

export interface Item {
  readonly title: string;
  readonly about?: string;
  readonly disabled?: boolean;
  readonly chosen?: () => void;
  /** A line above it, and a heading where there is one. */
  readonly group?: string;
}

export function menuButton(title: string, items: () => readonly Item[], attributes: Readonly<Record<string, string>> = {}): HTMLElement {
  const button = make("button", { "aria-haspopup": "menu", "aria-expanded": "false", ...attributes }, title);
  const menu = make("div", { role: "menu", class: "menu", "aria-label": attributes["aria-label"] ?? title, hidden: true });
  const whole = make("div", { class: "menu-place" }, button, menu);

  const close = (focus: boolean): void => {
    menu.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (focus) button.focus();
  };
  const open = (): void => {
    menu.replaceChildren(...items().flatMap((item) => entry(item, close)));
    menu.hidden = false;
    button.setAttribute("aria-expanded", "true");
    const { right } = menu.getBoundingClientRect();
    menu.classList.toggle("menu-left", right > innerWidth && !menu.classList.contains("menu-left"));
    all(menu)[0]?.focus();
  };
  button.addEventListener("click", () => (menu.hidden ? open() : close(true)));
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" || !menu.hidden) return;
    event.preventDefault();
    open();
  });
  whole.addEventListener("focusout", ({ relatedTarget }) => {
    if (!(relatedTarget instanceof Node) || !whole.contains(relatedTarget)) close(false);
  });
  menu.addEventListener("keydown", (event) => key(event, menu, close));
  return whole;
}

const all = (menu: HTMLElement): HTMLElement[] => [...menu.querySelectorAll<HTMLElement>("[role=menuitem]")];

function entry(item: Item, close: (focus: boolean) => void): HTMLElement[] {
  const text = [make("span", {}, item.title)];
  if (item.about) text.push(make("span", { class: "menu-about" }, item.about));
  const button = make("button", { role: "menuitem", tabindex: -1, "aria-disabled": item.disabled ? "true" : null }, ...text);
  button.addEventListener("click", () => {
    if (item.disabled) return;
    close(true);
    item.chosen?.();
  });
  return item.group === undefined ? [button] : [make("div", { role: "presentation", class: "menu-group" }, item.group), button];
}

function key(event: KeyboardEvent, menu: HTMLElement, close: (focus: boolean) => void): void {
  if (event.key === "Escape") {
    event.stopPropagation();
    close(true);
    return;
  }
  const items = all(menu);
  const at = items.indexOf(document.activeElement as HTMLElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  items[to % items.length]?.focus();
}
