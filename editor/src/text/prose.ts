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
