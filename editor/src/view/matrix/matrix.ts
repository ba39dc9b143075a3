// The matrix: senders by receivers, with ports. Snapshots in; selections and explanations out.

import type { Selection, Shell, Snapshot, View } from "../../contract";
import { el, put } from "../element";
import { nameOf } from "../end";
import { ConnectionPanel } from "../panel/connection";
import { wantedPort } from "../ports";
import { Grid } from "./grid";
import "./matrix.css";
import { matrixModel, type Connection, type MatrixModel, type MatrixWish } from "./model";

export class MatrixView implements View {
  readonly id = "matrix";
  readonly title = "Matrix";
  readonly element: HTMLElement;

  readonly #grid: Grid;
  readonly #panel = el("aside", { class: "map-panel", "aria-label": "Details", hidden: true });
  readonly #connection: ConnectionPanel;
  readonly #empty = el("div", { class: "empty matrix-empty", hidden: true });
  readonly #count = el("span", { class: "dim", role: "status" });
  readonly #from = search("From", "e.g. shop/");
  readonly #to = search("To", "e.g. world");
  readonly #port = search("Port", "443, udp");
  readonly #order = el("select", { "aria-label": "Order" }, el("option", { value: "namespace" }, "by namespace"), el("option", { value: "name" }, "by name"), el("option", { value: "open" }, "most open first"));
  readonly #onlyOpen = el("input", { type: "checkbox" });
  #snapshot: Snapshot | null = null;
  #model: MatrixModel | null = null;
  #rowsBy: string | null = null;
  #columnsBy: string | null = null;
  #chosen: { readonly from: string; readonly to: string } | null = null;

  constructor(readonly shell: Shell) {
    this.#connection = new ConnectionPanel(shell, this.id);
    this.#grid = new Grid({
      chosen: (from, to) => this.#choose(from, to, true),
      sortRows: (column) => {
        this.#rowsBy = this.#rowsBy === column ? null : column;
        this.#redraw();
      },
      sortColumns: (row) => {
        this.#columnsBy = this.#columnsBy === row ? null : row;
        this.#redraw();
      },
    });
    for (const input of [this.#from, this.#to, this.#port]) input.addEventListener("input", () => this.#redraw());
    for (const input of [this.#order, this.#onlyOpen]) input.addEventListener("change", () => this.#redraw());
    const field = (name: string, input: HTMLElement): HTMLElement => el("label", { class: "check" }, name, input);
    this.element = el(
      "div",
      { class: "view matrix" },
      el(
        "div",
        { class: "view-bar", role: "toolbar", "aria-label": "Matrix" },
        field("From", this.#from),
        field("To", this.#to),
        field("Port", this.#port),
        this.#order,
        el("label", { class: "check" }, this.#onlyOpen, "Only open"),
        el("span", { class: "grow" }),
        this.#count,
      ),
      el("div", { class: "map-stage" }, this.#grid.element, this.#empty, this.#panel),
    );
    this.#panel.addEventListener("keydown", (e) => e.key === "Escape" && this.#close());
  }

  show(snapshot: Snapshot): void {
    if (this.#snapshot?.revision === snapshot.revision) return;
    this.#snapshot = snapshot;
    this.#redraw();
    if (this.#chosen) this.#choose(this.#chosen.from, this.#chosen.to, false);
  }

  select(what: Selection): void {
    if ("workload" in what || !this.#model) return;
    const find = (all: readonly string[], name: string): string | undefined => all.find((id) => nameOf(id) === nameOf(name));
    const [from, to] = [find(this.#model.rows, what.from), find(this.#model.columns, what.to)];
    if (from !== undefined && to !== undefined) this.#grid.go(from, to);
  }

  #redraw(): void {
    const connectivity = this.#snapshot?.connectivity;
    if (!connectivity) return;
    const start = performance.now();
    const port = wantedPort(this.#port.value);
    this.#port.setAttribute("aria-invalid", String(port === null && this.#port.value.trim() !== ""));
    const wish: MatrixWish = {
      from: this.#from.value,
      to: this.#to.value,
      port,
      onlyOpen: this.#onlyOpen.checked,
      order: this.#order.value as MatrixWish["order"],
      rowsBy: this.#rowsBy,
      columnsBy: this.#columnsBy,
    };
    this.#model = matrixModel(connectivity, wish);
    const { rows, columns, open } = this.#model;
    this.#count.textContent = `${open} of ${rows.length * columns.length} open`;
    const nothing = rows.length === 0 || columns.length === 0;
    this.#empty.hidden = !nothing;
    this.#grid.element.hidden = nothing;
    if (nothing) {
      this.#empty.textContent =
        connectivity.workloads.length === 0
          ? "No workloads yet: the matrix shows who of them may reach whom, and on which ports."
          : "Nothing is left with these filters.";
    } else this.#grid.show(this.#model, this.#rowsBy, this.#columnsBy, this.#chosen && `${this.#chosen.from}>${this.#chosen.to}`);
    performance.measure("netverdict:matrix", { start, detail: { rows: rows.length, columns: columns.length } });
  }

  #choose(from: string, to: string, tell: boolean): void {
    if (!this.#snapshot) return;
    const close = el("button", { type: "button", class: "icon quiet panel-close", "aria-label": "Close details", onclick: () => this.#close() }, "×");
    const found = this.#snapshot.connectivity.connections.find((c) => c.from === from && c.to === to);
    const denied: Connection = { from, to, allowed: [], egress: "denied", ingress: "denied" };
    this.#chosen = { from, to };
    this.#connection.show([found ?? denied], this.#snapshot);
    put(this.#panel, close, this.#connection.element);
    this.#panel.hidden = false;
    if (!tell) return;
    this.#redraw();
    this.shell.select({ from, to });
  }

  #close(): void {
    this.#panel.hidden = true;
    this.#chosen = null;
    this.#redraw();
    this.#grid.element.querySelector<HTMLElement>("[role=grid]")?.focus();
  }
}

function search(name: string, placeholder: string): HTMLInputElement {
  return el("input", { type: "search", placeholder, "aria-label": name, class: "matrix-filter", autocomplete: "off", spellcheck: "false" });
}
