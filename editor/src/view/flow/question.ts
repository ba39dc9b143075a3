// A form's fields in, a question for the engine out, or which field is missing what.

import type { FlowQuestion } from "netverdict";

export interface Fields {
  readonly from: string;
  readonly to: string;
  /** `TCP`, `UDP`, `SCTP`, `ICMP`, `ICMPv6`, `GRE`, ... */
  readonly protocol: string;
  readonly port: string;
  readonly request: "none" | "http" | "dns" | "sni";
  readonly method: string;
  readonly path: string;
  readonly host: string;
  /** One `name: value` a line. */
  readonly headers: string;
  readonly dns: string;
  readonly sni: string;
}

export type FieldName = keyof Fields;

export type Asked = { readonly question: FlowQuestion } | { readonly field: FieldName; readonly problem: string };

export const EMPTY: Fields = {
  from: "",
  to: "",
  protocol: "TCP",
  port: "",
  request: "none",
  method: "GET",
  path: "/",
  host: "",
  headers: "",
  dns: "",
  sni: "",
};

/** Protocols with ports. */
export function hasPorts(protocol: string): boolean {
  return ["TCP", "UDP", "SCTP"].includes(protocol.toUpperCase());
}

export function questionOf(fields: Fields): Asked {
  const [from, to] = [fields.from.trim(), fields.to.trim()];
  if (from === "") return { field: "from", problem: "Who sends? A workload such as shop/web, an address, world, a DNS name." };
  if (to === "") return { field: "to", problem: "To whom? A workload such as shop/web, an address, world, a DNS name." };
  const ends = { from, to };
  const port = fields.port.trim();
  if (fields.protocol === "ICMP" || fields.protocol === "ICMPv6") {
    if (!/^(\d{1,3}(\/\d{1,3})?|[A-Za-z]+)?$/.test(port)) return { field: "port", problem: "A type, such as 8 or EchoRequest, or type/code." };
    const type = port === "" ? (fields.protocol === "ICMP" ? "8" : "128") : port;
    return { question: fields.protocol === "ICMP" ? { ...ends, icmp: type } : { ...ends, icmpv6: type } };
  }
  if (!hasPorts(fields.protocol)) return { question: { ...ends, port: fields.protocol } };
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) return { field: "port", problem: "A port from 1 to 65535." };
  const base = { ...ends, port: `${port}/${fields.protocol}` };
  switch (fields.request) {
    case "none":
      return { question: base };
    case "http": {
      if (!/^\S+$/.test(fields.method.trim())) return { field: "method", problem: "A method, such as GET." };
      if (!fields.path.startsWith("/")) return { field: "path", problem: "A path begins with a slash." };
      const headers: [string, string][] = [];
      for (const line of fields.headers.split("\n")) {
        if (line.trim() === "") continue;
        const colon = line.indexOf(":");
        if (colon < 1) return { field: "headers", problem: `“${line.trim()}” is no header: write name: value.` };
        headers.push([line.slice(0, colon).trim(), line.slice(colon + 1).trim()]);
      }
      const host = fields.host.trim();
      return {
        question: {
          ...base,
          http: { method: fields.method.trim(), path: fields.path.trim(), ...(host === "" ? {} : { host }), ...(headers.length === 0 ? {} : { headers }) },
        },
      };
    }
    case "dns":
      return fields.dns.trim() === "" ? { field: "dns", problem: "The name that is asked for." } : { question: { ...base, dns: fields.dns.trim() } };
    case "sni":
      return fields.sni.trim() === "" ? { field: "sni", problem: "The server name of the handshake." } : { question: { ...base, sni: fields.sni.trim() } };
  }
}

/** A selection's port, `443/TCP`, as fields. */
export function portFields(port: string): Pick<Fields, "port" | "protocol"> {
  const [number, protocol] = port.split("/");
  return { port: number ?? "", protocol: protocol ?? "TCP" };
}
