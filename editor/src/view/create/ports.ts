// Ports to allow: those the receiver says it has, and others that are typed.

import type { Workload } from "netverdict";
import { el } from "../element";

/** `443`, `443/tcp`, `53/UDP, 53/TCP`, `8/ICMP` as the engine wants them; `null` when it is none. */
export function portList(text: string): readonly string[] | null {
  const ports: string[] = [];
  for (const part of text.split(/[\s,]+/)) {
    if (part === "") continue;
    const found = /^(\d{1,5})(?:\/([A-Za-z]+6?))?$/.exec(part);
    const port = Number(found?.[1] ?? Number.NaN);
    const protocol = (found?.[2] ?? "TCP").toUpperCase().replace("ICMPV6", "ICMPv6");
    if (!found || !["TCP", "UDP", "SCTP", "ICMP", "ICMPv6"].includes(protocol)) return null;
    if (protocol.startsWith("ICMP") ? port > 255 : port < 1 || port > 65535) return null;
    ports.push(`${port}/${protocol}`);
  }
  return [...new Set(ports)];
}

export class PortChoice {
  readonly element: HTMLElement;
  readonly #chips = el("div", { class: "port-choice" });
  readonly #other = el("input", { type: "text", placeholder: "443, 53/UDP, 8/ICMP", "aria-label": "Other ports", autocomplete: "off", spellcheck: "false" });
  readonly #chosen = new Set<string>();
  #offered: readonly string[] = [];

  constructor(readonly changed: () => void) {
    this.#other.addEventListener("input", changed);
    this.element = el("div", { class: "pick" }, el("h3", {}, "On ports"), this.#chips, this.#other);
  }

  offer(workload: Workload | undefined): void {
    const ports = workload?.ports ?? [];
    const now = [...new Set(ports.map((p) => `${p.port}/${p.protocol}`))];
    if (now.join() !== this.#offered.join()) {
      this.#chosen.clear();
      // One port is what is meant.
      if (now.length === 1 && now[0] !== undefined) this.#chosen.add(now[0]);
    }
    this.#offered = now;
    this.#chips.replaceChildren(
      ...now.map((port) => {
        const name = ports.find((p) => `${p.port}/${p.protocol}` === port)?.name ?? "";
        const chip = el("button", { type: "button", class: "chip", "aria-pressed": this.#chosen.has(port) }, `${port} ${name}`.trim());
        chip.addEventListener("click", () => {
          if (!this.#chosen.delete(port)) this.#chosen.add(port);
          chip.setAttribute("aria-pressed", String(this.#chosen.has(port)));
          this.changed();
        });
        return chip;
      }),
    );
  }

  get value(): readonly string[] {
    const typed = portList(this.#other.value);
    this.#other.toggleAttribute("aria-invalid", false);
    if (typed === null) this.#other.setAttribute("aria-invalid", "true");
    return [...new Set([...this.#chosen, ...(typed ?? [])])];
  }
}
