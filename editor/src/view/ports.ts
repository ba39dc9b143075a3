// Open ports as the engine groups them in, short texts and the ports worth asking about out.

import type { OpenPorts } from "netverdict";

type Ranges = readonly (readonly [number, number])[];

/** Everything a flow could be: no rule limits ports. */
export function isEverything(open: readonly OpenPorts[]): boolean {
  return open.some((p) => p.protocol === "other") && open.every((p) => p.l7 === null && !p.auth && isWhole(p));
}

function isWhole(open: { readonly protocol: string; readonly ports: Ranges }): boolean {
  if (open.protocol === "other") return true;
  const last = open.protocol.startsWith("ICMP") ? 255 : 65535;
  return open.ports.length === 1 && (open.ports[0]?.[0] ?? 2) <= 1 && open.ports[0]?.[1] === last;
}

export function rangesText(ranges: Ranges): string {
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}–${last}`)).join(", ");
}

function portsOf(open: { readonly protocol: string; readonly ports: Ranges }): string {
  if (open.protocol === "other") return "others";
  return isWhole(open) ? "" : rangesText(open.ports);
}

/** `80, 443`; `53 TCP UDP`; `all ports`: as short as it stays clear. TCP is what nobody says. */
export function shortPorts(open: readonly OpenPorts[]): string {
  if (open.length === 0) return "none";
  if (isEverything(open)) return "all";
  const byPorts = new Map<string, string[]>();
  for (const p of open) {
    // A rule for any protocol names SCTP, too, where hardly anybody has it: the rest says it.
    const ports = portsOf(p);
    const protocols = byPorts.get(ports);
    if (protocols) {
      if (!protocols.includes(p.protocol)) protocols.push(p.protocol);
    } else byPorts.set(ports, [p.protocol]);
  }
  const parts: string[] = [];
  for (const [ports, protocols] of byPorts) {
    const any = protocols.includes("TCP") && protocols.includes("UDP") && protocols.includes("SCTP");
    const named = any ? ["any", ...protocols.filter((p) => !/^(TCP|UDP|SCTP)$/.test(p))] : protocols;
    const only = named.length === 1 && named[0] === "TCP";
    if (ports === "") parts.push(`all ${named.join(" ")}`);
    else if (only) parts.push(ports);
    else parts.push(`${ports} ${named.join("/")}`);
  }
  return parts.join(" · ");
}

/** For a list: `TCP 80, 443`, what proxies let through apart. */
export function longPorts(open: { readonly protocol: string; readonly ports: Ranges }): string {
  if (open.protocol === "other") return "other protocols";
  return isWhole(open) ? `${open.protocol}, all` : `${open.protocol} ${rangesText(open.ports)}`;
}

/** The kinds of proxies in the way: `http`, `dns`. */
export function proxiesOf(open: readonly OpenPorts[]): readonly string[] {
  return [...new Set(open.flatMap((p) => (p.l7 === null ? [] : [p.l7])))].sort();
}

/** One port of each group, as a question wants it: `8080/TCP`, `8/ICMP`. */
export function samples(open: readonly OpenPorts[]): readonly string[] {
  if (isEverything(open)) return ["80/TCP"];
  return open.flatMap((p) => p.ports.map(([first]) => `${first}/${p.protocol}`));
}

/** Whether what is open says the same: by its text, which has all there is. */
export function sameOpen(a: readonly OpenPorts[], b: readonly OpenPorts[]): boolean {
  return a.length === b.length && JSON.stringify(a) === JSON.stringify(b);
}

/** What a filter such as `443`, `53/UDP` or `icmp` leaves of what is open. */
export function openAt(open: readonly OpenPorts[], wanted: Wanted): readonly OpenPorts[] {
  return open.filter(
    (p) =>
      (wanted.protocol === null || p.protocol === wanted.protocol) &&
      (wanted.port === null || p.ports.some(([first, last]) => first <= (wanted.port ?? 0) && (wanted.port ?? 0) <= last)) &&
      (wanted.port === null || !p.protocol.startsWith("ICMP") || wanted.protocol !== null),
  );
}

export interface Wanted {
  readonly port: number | null;
  readonly protocol: string | null;
}

/** `443`, `443/tcp`, `udp`, `icmp` typed by a person; `null` when it is none of them. */
export function wantedPort(text: string): Wanted | null {
  const parts = /^(?:(\d{1,5})\s*\/?\s*)?([a-z][a-z0-9]*)?$/i.exec(text.trim());
  if (!parts || (parts[1] === undefined && parts[2] === undefined)) return null;
  const port = parts[1] === undefined ? null : Number(parts[1]);
  if (port !== null && port > 65535) return null;
  const name = parts[2]?.toUpperCase() ?? null;
  const protocol = name === "ICMPV6" ? "ICMPv6" : name;
  if (protocol !== null && !["TCP", "UDP", "SCTP", "ICMP", "ICMPv6"].includes(protocol)) return null;
  return { port, protocol };
}
