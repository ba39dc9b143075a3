// Messages as a page shows them.

/** Text in which what stands between backticks is code. */
export function withCode(text: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  text.split("`").forEach((part, i, all) => {
    if (part === "") return;
    if (i % 2 === 1 && i < all.length - 1) {
      const code = document.createElement("code");
      code.textContent = part;
      fragment.append(code);
    } else {
      fragment.append(part);
    }
  });
  return fragment;
}

/** A fix's title as the text of a button. */
export const sentence = (title: string): string => {
  const plain = title.replaceAll("`", "");
  return plain.charAt(0).toUpperCase() + plain.slice(1);
};

/** The engine's Markdown: paragraphs, lists, `code` and **strong** words. */
export function markdown(text: string): HTMLElement[] {
  return text
    .trim()
    .split(/\n{2,}/)
    .map((block) => {
      const lines = block.split("\n");
      if (!lines.every((line) => line.startsWith("- "))) return filled("p", block);
      const list = document.createElement("ul");
      list.append(...lines.map((line) => filled("li", line.slice(2))));
      return list;
    });
}

function filled(tag: "p" | "li", text: string): HTMLElement {
  const element = document.createElement(tag);
  // What is code is no place for stars.
  text.split(/(`[^`]*`)/).forEach((part) => {
    if (part.startsWith("`")) return element.append(withCode(part));
    part.split("**").forEach((words, i, all) => {
      if (words === "") return;
      if (i % 2 === 0 || i === all.length - 1) return element.append(words);
      const strong = document.createElement("strong");
      strong.textContent = words;
      element.append(strong);
    });
  });
  return element;
}
