// DNS names and their addresses, as a person writes them: lines of names and
// addresses, in any order, so that lines of a hosts file count as well. In:
// text. Out: what the engine takes, or what is wrong with it.

export type Names = Readonly<Record<string, readonly string[]>>;

export function parseNames(text: string): { readonly names: Names } | { readonly problem: string } {
  const names: Record<string, string[]> = {};
  for (const line of text.split("\n")) {
    const words = (line.split("#")[0] ?? "").split(/[\s,=]+/).filter((word) => word !== "");
    if (words.length === 0) continue;
    const addresses = words.filter(isAddress);
    const said = words.filter((word) => !isAddress(word));
    const wrong = said.find((word) => !/^[\w-]+(\.[\w-]+)*\.?$/.test(word) || /^[\d.]+$/.test(word));
    if (wrong !== undefined) return { problem: `“${wrong}” is neither a name nor an address.` };
    if (said.length === 0 || addresses.length === 0) return { problem: `“${line.trim()}”: a line has a name and its addresses.` };
    for (const word of said) {
      const name = word.toLowerCase().replace(/\.$/, "");
      names[name] = [...new Set([...(names[name] ?? []), ...addresses])];
    }
  }
  return { names };
}

function isAddress(word: string): boolean {
  const parts = word.split(".");
  if (parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) return true;
  return word.includes(":") && URL.canParse(`http://[${word}]/`);
}
