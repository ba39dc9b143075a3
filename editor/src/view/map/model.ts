// Who reaches whom in, what the map shows out: boxes of namespaces with workloads, peers, and edges between them.
//
// What says nothing is left out, unless it is wished for: connections that no rule limits, what nodes may always do, and what
// an address or name may do because all the world may.

import type { Connectivity } from "netverdict";
import { compareEnds, endOf, type EndKind } from "../end";
import { isEverything, proxiesOf, sameOpen, shortPorts } from "../ports";

export type Connection = Connectivity["connections"][number];

export interface MapNode {
  readonly id: string;
  readonly kind: EndKind | "namespace";
  /** The box it is in; empty for peers. */
  readonly namespace: string;
  readonly label: string;
  readonly sort: string;
  /** No rule limits what comes in, or goes out. */
  readonly open: { readonly ingress: boolean; readonly egress: boolean };
  /** Of a namespace that is closed up: its workloads. */
  readonly members: number;
}

export type EdgeKind = "allowed" | "unrestricted" | "one-sided" | "unknown";

export interface MapEdge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly kind: EdgeKind;
  /** `80, 443`; for many connections how many. */
  readonly label: string;
  /** `http`, `dns`. */
  readonly proxies: readonly string[];
  /** More than one when an end is a namespace. */
  readonly connections: readonly Connection[];
  /** Of one-sided ones: whose policy says no. */
  readonly deniedBy: "egress" | "ingress" | null;
}

export interface MapModel {
  /** Namespaces whose workloads are shown one by one. */
  readonly boxes: readonly string[];
  readonly nodes: readonly MapNode[];
  readonly edges: readonly MapEdge[];
  /** Connections left out because no rule limits them. */
  readonly unrestricted: number;
}

export interface MapWish {
  readonly unrestricted: boolean;
  /** Namespaces to close up. */
  readonly closed: ReadonlySet<string>;
  /** Connections that one side allows and the other denies. */
  readonly oneSided: readonly Connection[];
}

/** What no rule limits, and what the own node may always do. */
function isUnrestricted(c: Connection): boolean {
  if (c.unknown !== undefined) return false;
  if (c.egress === "default" && c.ingress === "default") return true;
  return c.from === "entity:host" && c.egress === "default" && isEverything(c.allowed);
}

export function isOneSided(c: Connection): boolean {
  return (
    c.allowed.length === 0 &&
    c.unknown === undefined &&
    c.from !== "entity:host" &&
    ((c.egress === "allowed" && c.ingress === "denied") || (c.egress === "denied" && c.ingress === "allowed"))
  );
}

/** Addresses and names are part of the world: what it may they may, too. */
function impliedByWorld(c: Connection, world: ReadonlyMap<string, Connection>): boolean {
  if (world.size === 0) return false;
  const [from, to] = [endOf(c.from).kind, endOf(c.to).kind];
  const outer =
    from === "cidr" || from === "fqdn"
      ? world.get(`entity:world>${c.to}`)
      : to === "cidr" || to === "fqdn"
        ? world.get(`${c.from}>entity:world`)
        : undefined;
  return (
    outer !== undefined &&
    outer.unknown === c.unknown &&
    sameOpen(outer.allowed, c.allowed) &&
    outer.egress === c.egress &&
    outer.ingress === c.ingress
  );
}

function worldOf(connections: readonly Connection[]): ReadonlyMap<string, Connection> {
  const world = new Map<string, Connection>();
  for (const c of connections) if (c.from === "entity:world" || c.to === "entity:world") world.set(`${c.from}>${c.to}`, c);
  return world;
}

export function mapModel(connectivity: Connectivity, wish: MapWish): MapModel {
  const open = new Map<string, { ingress: boolean; egress: boolean }>();
  for (const id of connectivity.workloads) open.set(id, { ingress: false, egress: false });
  for (const c of connectivity.connections) {
    if (c.egress === "default") (open.get(c.from) ?? { egress: false }).egress = true;
    if (c.ingress === "default") (open.get(c.to) ?? { ingress: false }).ingress = true;
  }

  const shown: { readonly connection: Connection; readonly kind: EdgeKind }[] = [];
  const world = worldOf(connectivity.connections);
  let unrestricted = 0;
  for (const connection of connectivity.connections) {
    const free = isUnrestricted(connection);
    if (free) unrestricted += 1;
    if ((free && !wish.unrestricted) || impliedByWorld(connection, world)) continue;
    shown.push({ connection, kind: connection.unknown !== undefined ? "unknown" : free ? "unrestricted" : "allowed" });
  }
  const sidedWorld = worldOf(wish.oneSided);
  for (const connection of wish.oneSided) {
    if (isOneSided(connection) && !impliedByWorld(connection, sidedWorld)) shown.push({ connection, kind: "one-sided" });
  }

  const place = (id: string): string => {
    const end = endOf(id);
    return end.kind === "workload" && wish.closed.has(end.namespace) ? closedId(end.namespace) : id;
  };
  const gathered = new Map<string, { kind: EdgeKind; connections: Connection[] }>();
  for (const { connection, kind } of shown) {
    const [from, to] = [place(connection.from), place(connection.to)];
    // Within a namespace that is closed up there is nothing to draw.
    if (from === to && from !== connection.from) continue;
    const id = `${from}>${to}${kind === "one-sided" ? ">one-sided" : ""}`;
    const edge = gathered.get(id);
    if (edge) {
      edge.connections.push(connection);
      if (edge.kind === "unrestricted") edge.kind = kind;
    } else gathered.set(id, { kind, connections: [connection] });
  }

  const edges = [...gathered].map(([id, { kind, connections }]) => edgeOf(id, place, kind, connections));
  return { ...nodesOf(connectivity, edges, open, wish.closed), edges, unrestricted };
}

export function closedId(namespace: string): string {
  return `namespace:${namespace}`;
}

function edgeOf(id: string, place: (id: string) => string, kind: EdgeKind, connections: readonly Connection[]): MapEdge {
  const first = connections[0] as Connection;
  const labels = [...new Set(connections.map((c) => (c.unknown === undefined ? shortPorts(c.allowed) : "unknown")))];
  const label = kind === "one-sided" ? "" : labels.length === 1 ? (labels[0] ?? "") : `${connections.length} connections`;
  return {
    id,
    from: place(first.from),
    to: place(first.to),
    kind,
    label,
    proxies: [...new Set(connections.flatMap((c) => proxiesOf(c.allowed)))].sort(),
    connections,
    deniedBy: kind === "one-sided" ? (first.egress === "denied" ? "egress" : "ingress") : null,
  };
}

function nodesOf(
  connectivity: Connectivity,
  edges: readonly MapEdge[],
  open: ReadonlyMap<string, { readonly ingress: boolean; readonly egress: boolean }>,
  closed: ReadonlySet<string>,
): { readonly boxes: readonly string[]; readonly nodes: readonly MapNode[] } {
  const boxes = new Set<string>();
  const members = new Map<string, string[]>();
  const nodes: MapNode[] = [];
  for (const id of [...connectivity.workloads].sort(compareEnds)) {
    const end = endOf(id);
    if (closed.has(end.namespace)) {
      const list = members.get(end.namespace);
      if (list) list.push(id);
      else members.set(end.namespace, [id]);
      continue;
    }
    boxes.add(end.namespace);
    nodes.push({
      id,
      kind: "workload",
      namespace: end.namespace,
      label: end.name,
      sort: end.sort,
      open: open.get(id) ?? { ingress: false, egress: false },
      members: 1,
    });
  }
  for (const [namespace, ids] of members) {
    const all = (side: "ingress" | "egress"): boolean => ids.every((id) => open.get(id)?.[side] === true);
    nodes.push({
      id: closedId(namespace),
      kind: "namespace",
      namespace: "",
      label: namespace,
      sort: ids.length === 1 ? "1 workload" : `${ids.length} workloads`,
      open: { ingress: all("ingress"), egress: all("egress") },
      members: ids.length,
    });
  }
  const used = new Set(edges.flatMap((e) => [e.from, e.to]));
  for (const id of [...connectivity.peers].sort(compareEnds)) {
    if (!used.has(id)) continue;
    const end = endOf(id);
    nodes.push({ id, kind: end.kind, namespace: "", label: end.name, sort: end.sort, open: { ingress: true, egress: true }, members: 1 });
  }
  return { boxes: [...boxes], nodes };
}

/** Namespaces to close up so that a person can see the whole: all of many, when there are many workloads. */
export function closedAtFirst(connectivity: Connectivity, threshold = 60): ReadonlySet<string> {
  if (connectivity.workloads.length <= threshold) return new Set();
  return new Set(connectivity.workloads.map((id) => endOf(id).namespace));
}

/** Ports, and what proxies look at. */
export function labelOf(edge: MapEdge): string {
  return [edge.label, ...edge.proxies.map((p) => p.toUpperCase())].filter((t) => t !== "").join(" ");
}

/** What a screen reader says, and a tooltip. */
export function edgeName(edge: MapEdge, name: (id: string) => string): string {
  const what =
    edge.kind === "one-sided"
      ? `allowed by one side only, denied by the ${edge.deniedBy === "egress" ? "sender's" : "receiver's"} policy`
      : edge.kind === "unrestricted"
        ? "everything, no rule limits it"
        : edge.kind === "unknown"
          ? "not known"
          : edge.label;
  const proxies = edge.proxies.length > 0 ? `, ${edge.proxies.map((p) => p.toUpperCase()).join(" and ")} rules` : "";
  return `${name(edge.from)} to ${name(edge.to)}: ${what}${proxies}`;
}

