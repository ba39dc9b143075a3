// Ends of connections: `shop/web[Deployment]`, `entity:world`, `cidr:10.0.0.0/8`, `fqdn:*.example.com` in, what a person
// reads and what the engine is asked out.

export type EndKind = "workload" | "entity" | "cidr" | "fqdn";

export interface End {
  /** As `Connectivity` names it. */
  readonly id: string;
  readonly kind: EndKind;
  /** Of a workload; else empty. */
  readonly namespace: string;
  /** Without namespace, kind and prefix. */
  readonly name: string;
  /** `Deployment`; of others what they are. */
  readonly sort: string;
}

const PEER = /^(entity|cidr|fqdn):(.*)$/s;
const WORKLOAD = /^([^/[\]]*)\/(.*?)(?:\[([^\]]*)\])?$/s;
const SORT: Readonly<Record<Exclude<EndKind, "workload">, string>> = { entity: "entity", cidr: "addresses", fqdn: "DNS name" };

/** Every snapshot asks for the same few hundred ends, many times each. */
const known = new Map<string, End>();
const KNOWN = 20_000;

export function endOf(id: string): End {
  let end = known.get(id);
  if (!end) {
    if (known.size >= KNOWN) known.clear();
    end = parse(id);
    known.set(id, end);
  }
  return end;
}

function parse(id: string): End {
  const peer = PEER.exec(id);
  if (peer) {
    const kind = peer[1] as Exclude<EndKind, "workload">;
    return { id, kind, namespace: "", name: peer[2] ?? "", sort: SORT[kind] };
  }
  const workload = WORKLOAD.exec(id);
  if (!workload) return { id, kind: "entity", namespace: "", name: id, sort: SORT.entity };
  return { id, kind: "workload", namespace: workload[1] ?? "", name: workload[2] ?? "", sort: workload[3] ?? "" };
}

/** As a person names it: `shop/web`, `world`, `10.0.0.0/8`. */
export function nameOf(id: string): string {
  const end = endOf(id);
  return end.kind === "workload" ? `${end.namespace}/${end.name}` : end.name;
}

/** As a question names it. A pattern of DNS names is nobody: one of the names that it matches stands for it. */
export function asked(id: string): string {
  const end = endOf(id);
  return end.kind === "fqdn" ? end.name.replace(/^\*\*?(?=\.)/, "any").replaceAll("*", "any") : nameOf(id);
}

const ORDER: Readonly<Record<EndKind, number>> = { workload: 0, entity: 1, fqdn: 2, cidr: 3 };

/** Workloads by namespace and name, then entities, names, addresses. */
export function compareEnds(a: string, b: string): number {
  const [x, y] = [endOf(a), endOf(b)];
  return ORDER[x.kind] - ORDER[y.kind] || compareText(x.namespace, y.namespace) || compareText(x.name, y.name);
}

const collator = new Intl.Collator("en", { numeric: true });
export function compareText(a: string, b: string): number {
  return a === b ? 0 : collator.compare(a, b);
}
