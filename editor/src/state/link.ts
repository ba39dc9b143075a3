// All documents in a link, and back. The state is in the fragment, which
// browsers keep to themselves: no server sees it.

const KEY = "state=";
/** What a link may hold once unpacked. */
const MOST = 32 << 20;

export interface Linked {
  readonly documents: ReadonlyMap<string, string>;
  readonly active: string | null;
  readonly names?: string;
}

export async function fragmentOf({ documents, active, names }: Linked): Promise<string> {
  const json = new TextEncoder().encode(JSON.stringify({ v: 1, active, names, documents: [...documents] }));
  const packed = await through(json, new CompressionStream("deflate-raw"));
  let binary = "";
  for (const byte of packed) binary += String.fromCharCode(byte);
  return `#${KEY}${btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/** `undefined` when the fragment holds no state; throws when it is damaged. */
export async function readFragment(fragment: string): Promise<Linked | undefined> {
  if (!fragment.startsWith(`#${KEY}`)) return undefined;
  const binary = atob(fragment.slice(KEY.length + 1).replaceAll("-", "+").replaceAll("_", "/"));
  const packed = Uint8Array.from(binary, (c) => c.charCodeAt(0));
  const json = await through(packed, new DecompressionStream("deflate-raw"));
  const state: unknown = JSON.parse(new TextDecoder().decode(json));
  if (typeof state !== "object" || state === null || !("documents" in state) || !Array.isArray(state.documents)) {
    throw new Error("it holds no documents");
  }
  const documents = new Map<string, string>();
  for (const entry of state.documents as readonly unknown[]) {
    const [name, text]: readonly unknown[] = Array.isArray(entry) ? entry : [];
    if (typeof name !== "string" || typeof text !== "string") throw new Error("a document is no text");
    documents.set(name, text);
  }
  const active = "active" in state && typeof state.active === "string" ? state.active : null;
  const names = "names" in state && typeof state.names === "string" ? state.names : "";
  return { documents, active, names };
}

async function through(bytes: Uint8Array<ArrayBuffer>, transform: CompressionStream | DecompressionStream): Promise<Uint8Array> {
  const reader = new Blob([bytes]).stream().pipeThrough(transform).getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > MOST) throw new Error("it is too large");
    parts.push(value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
