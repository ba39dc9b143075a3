// YAML laid out evenly. In: a text. Out: the same values and comments with even
// indentation, or why it stays as it is.

export type Formatted = { readonly text: string } | { readonly why: string };

export async function format(text: string): Promise<Formatted> {
  // It is large, and seldom asked for.
  const { Lexer, parseAllDocuments } = await import("yaml");
  const read = (source: string) => {
    const documents = parseAllDocuments(source, { version: "1.1", keepSourceTokens: false, uniqueKeys: false });
    return Array.isArray(documents) ? documents : [];
  };
  const comments = (source: string): string => [...new Lexer().lex(source)].filter((token) => token.startsWith("#")).join("\n");
  const values = (source: string): string => JSON.stringify(read(source).map((d) => d.toJS() as unknown));

  const documents = read(text);
  const broken = documents.flatMap((d) => d.errors)[0];
  if (broken) return { why: `Line ${broken.linePos?.[0].line ?? 1} cannot be read: ${broken.message.split("\n")[0] ?? ""}` };
  // Lists under a key: as most of the text has them.
  const indented = [...text.matchAll(/^( *)[^\s#-][^#\n]*:[ \t]*\n( *)- /gm)];
  const deeper = indented.filter(([, key = "", dash = ""]) => dash.length > key.length).length;
  const options = { lineWidth: 0, indentSeq: deeper * 2 > indented.length, flowCollectionPadding: false };
  const parts = documents.map((d) => d.toString(options));
  const begins = /^---/m.exec(text)?.index === 0 && !parts[0]?.startsWith("---");
  const joined = parts.map((part, i) => (i === 0 || part.startsWith("---") ? part : `---\n${part}`)).join("");
  const whole = (begins ? `---\n${joined}` : joined).replace(/^\.\.\.\n---/gm, "---");
  if (values(whole) !== values(text) || comments(whole) !== comments(text)) return { why: "Formatting would lose something of this text." };
  return { text: whole };
}
