// The fields of a flow. In: what there is to choose from. Out: fields, whenever one changes.

import { el } from "../element";
import { EMPTY, hasPorts, type FieldName, type Fields } from "./question";

type Input = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

const PROTOCOLS = ["TCP", "UDP", "SCTP", "ICMP", "ICMPv6", "GRE", "ESP", "IGMP", "VRRP"];
let forms = 0;

export class FlowForm {
  readonly element: HTMLFormElement;
  readonly #inputs: Readonly<Record<FieldName, Input>>;
  readonly #ends: HTMLDataListElement;
  readonly #ports: HTMLDataListElement;
  readonly #labels = new Map<FieldName, HTMLElement>();

  constructor(changed: () => void, sent: () => void) {
    const id = `flow-${forms++}`;
    this.#ends = el("datalist", { id: `${id}-ends` });
    this.#ports = el("datalist", { id: `${id}-ports` });
    const text = (list: string | null, placeholder: string, more: Readonly<Record<string, string>> = {}): HTMLInputElement =>
      el("input", { type: "text", list, placeholder, autocomplete: "off", spellcheck: "false", autocapitalize: "off", ...more });
    const select = (options: readonly (readonly [string, string])[]): HTMLSelectElement => el("select", {}, options.map(([value, name]) => el("option", { value }, name)));
    this.#inputs = {
      from: text(`${id}-ends`, "shop/web, 192.0.2.7, world"),
      to: text(`${id}-ends`, "shop/db, api.example.com"),
      protocol: select(PROTOCOLS.map((p) => [p, p])),
      port: text(`${id}-ports`, "443", { inputmode: "numeric" }),
      request: select([["none", "nothing in particular"], ["http", "an HTTP request"], ["dns", "a DNS query"], ["sni", "a TLS handshake"]]),
      method: text(null, "GET"),
      path: text(null, "/"),
      host: text(null, "not given"),
      headers: el("textarea", { rows: 2, placeholder: "name: value", spellcheck: "false" }),
      dns: text(null, "api.example.com"),
      sni: text(null, "api.example.com"),
    };
    const field = (name: FieldName, label: string, wide = ""): HTMLElement => {
      const row = el("label", { class: `flow-field ${wide}` }, el("span", {}, label), this.#inputs[name]);
      this.#labels.set(name, row);
      return row;
    };
    const swap = el("button", { type: "button", class: "icon flow-swap", "aria-label": "Exchange sender and receiver", title: "Exchange sender and receiver", onclick: () => this.set({ from: this.fields.to, to: this.fields.from }) }, "⇄");
    this.element = el(
      "form",
      { class: "flow-form", "aria-label": "Flow", autocomplete: "off" },
      el("div", { class: "flow-ends" }, field("from", "From"), swap, field("to", "To")),
      el("div", { class: "flow-row" }, field("protocol", "Protocol", "flow-narrow"), field("port", "Port", "flow-narrow"), field("request", "Sends")),
      el("div", { class: "flow-row flow-http" }, field("method", "Method", "flow-narrow"), field("path", "Path"), field("host", "Host"), field("headers", "Headers")),
      el("div", { class: "flow-row flow-dns" }, field("dns", "Name asked for")),
      el("div", { class: "flow-row flow-sni" }, field("sni", "Server name")),
      el("div", { class: "flow-row" }, el("button", { type: "submit", class: "primary" }, "Show deciding rule")),
      this.#ends,
      this.#ports,
    );
    this.element.addEventListener("input", () => {
      this.#arrange();
      changed();
    });
    this.element.addEventListener("submit", (e) => {
      e.preventDefault();
      sent();
    });
    this.#changed = changed;
    this.#write(EMPTY);
  }

  readonly #changed: () => void;

  get fields(): Fields {
    const entries = Object.entries(this.#inputs).map(([name, input]) => [name, input.value]);
    return Object.fromEntries(entries) as Fields;
  }

  set(some: Partial<Fields>): void {
    this.#write(some);
    this.#changed();
  }

  #write(some: Partial<Fields>): void {
    for (const [name, value] of Object.entries(some)) {
      const input = this.#inputs[name as FieldName];
      if (name === "protocol" && input instanceof HTMLSelectElement && ![...input.options].some((o) => o.value === value)) input.append(el("option", { value }, value));
      input.value = value;
    }
    this.#arrange();
  }

  offer(ends: readonly string[], ports: readonly (readonly [string, string])[]): void {
    refill(this.#ends, ends.map((e) => [e, ""]));
    refill(this.#ports, ports);
  }

  problem(field: FieldName | null): void {
    for (const [name, input] of Object.entries(this.#inputs)) input.toggleAttribute("aria-invalid", name === field);
    for (const input of this.element.querySelectorAll("[aria-invalid]")) input.setAttribute("aria-invalid", "true");
  }

  /** Shows the fields that count. */
  #arrange(): void {
    const { protocol, request } = this.fields;
    const icmp = protocol.startsWith("ICMP");
    const port = this.#labels.get("port");
    if (port) {
      port.hidden = !hasPorts(protocol) && !icmp;
      const name = port.querySelector("span");
      if (name) name.textContent = icmp ? "Type" : "Port";
    }
    const row = this.#labels.get("request");
    if (row) row.hidden = !hasPorts(protocol);
    for (const kind of ["http", "dns", "sni"]) {
      const part = this.element.querySelector<HTMLElement>(`.flow-${kind}`);
      if (part) part.hidden = request !== kind || !hasPorts(protocol);
    }
  }
}

function refill(list: HTMLDataListElement, options: readonly (readonly [string, string])[]): void {
  const state = JSON.stringify(options);
  if (list.dataset["state"] === state) return;
  list.dataset["state"] = state;
  list.replaceChildren(...options.map(([value, label]) => el("option", { value, label: label === "" ? null : label })));
}
