// Verdict tables.

import { call } from "./module.js";
import { RawTable } from "./raw.js";

const MATCH = ["none", "L3-Only", "L3-L4", "L4-Only", "all", "L3-Proto", "Proto-Only"];
const PROTOCOLS = { TCP: 6, UDP: 17, SCTP: 132, ICMP: 1, ICMPv6: 58 };
const dispose = Symbol.dispose ?? Symbol.for("Symbol.dispose");

const number = (protocol) => {
  const known = typeof protocol === "number" ? protocol : PROTOCOLS[protocol];
  if (known === undefined) throw new TypeError(`${protocol} is no protocol`);
  return known;
};

/** What 16 bytes of an answer say. */
export function readAnswer(answers, at = 0) {
  const view = new DataView(answers.buffer, answers.byteOffset + at * 16, 16);
  const code = view.getInt16(4, true);
  const donor = view.getUint8(7);
  return {
    allowed: code === 0,
    code,
    denied: (view.getUint8(2) & 1) !== 0,
    match: MATCH[view.getUint8(6)] ?? "none",
    proxyPort: view.getUint16(0, false),
    authType: view.getUint8(3),
    authInheritedFrom: donor === 255 ? null : donor,
    cookie: view.getUint32(8, true),
  };
}

export class Table {
  #raw;

  constructor(image) {
    this.#raw = call("image", () => new RawTable(image));
  }

  get subjects() {
    return call("", () => this.#raw.subjects());
  }

  subjectOfEndpoint(endpoint) {
    return call("", () => this.#raw.subject_of_endpoint(endpoint)) ?? null;
  }

  subjectOfIdentity(identity) {
    return call("", () => this.#raw.subject_of_identity(identity)) ?? null;
  }

  verdict({ subject, direction, identity, protocol, port = 0 }) {
    const answers = new Uint8Array(16);
    const way = direction === "ingress" ? 0 : 1;
    const columns = [[subject], [way], [identity], [number(protocol)], [port]];
    this.#batch(columns.map((column, i) => [Uint32Array, Uint8Array, Uint32Array, Uint8Array, Uint16Array][i].from(column)), answers);
    return readAnswer(answers);
  }

  batch({ subjects, directions, identities, protocols, ports }, answers) {
    const count = Math.min(subjects.length, directions.length, identities.length, protocols.length, ports.length);
    const to = answers ?? new Uint8Array(count * 16);
    this.#batch([subjects, directions, identities, protocols, ports], to);
    return to;
  }

  #batch(columns, answers) {
    call("", () => this.#raw.batch(...columns, answers));
  }

  image() {
    return call("", () => this.#raw.image());
  }

  free() {
    this.#raw.free();
  }

  [dispose]() {
    this.free();
  }
}
