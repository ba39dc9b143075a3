// A model in, a grid out of which only what is in sight is in the page. Keys move an active cell; -1 is a header.

import { el } from "../element";
import { endOf } from "../end";
import { cellName, type MatrixModel } from "./model";

const ROW = 26;
const COLUMN = 66;
const SIDE = 190;
const HEAD = 116;

export interface GridEvents {
  chosen(row: string, column: string): void;
  sortRows(column: string): void;
  sortColumns(row: string): void;
}

export class Grid {
  readonly element = el("div", { class: "matrix-scroll" });
  readonly #grid = el("div", { class: "matrix-grid", role: "grid", tabindex: 0, "aria-label": "Who may reach whom: rows are senders, columns receivers" });
  #model: MatrixModel | null = null;
  #row = 0;
  #column = 0;
  #drawn = "";
  #range = "";
  #rowsBy: string | null = null;
  #columnsBy: string | null = null;
  #chosen: string | null = null;

  constructor(readonly events: GridEvents) {
    this.element.append(this.#grid);
    this.element.addEventListener("scroll", () => requestAnimationFrame(() => this.#draw(false)), { passive: true });
    new ResizeObserver(() => this.#draw(false)).observe(this.element);
    this.#grid.addEventListener("keydown", (e) => this.#key(e));
    this.#grid.addEventListener("click", (e) => this.#click(e));
  }

  show(model: MatrixModel, rowsBy: string | null, columnsBy: string | null, chosen: string | null): void {
    this.#model = model;
    this.#rowsBy = rowsBy;
    this.#columnsBy = columnsBy;
    this.#chosen = chosen;
    this.#row = Math.min(this.#row, model.rows.length - 1);
    this.#column = Math.min(this.#column, model.columns.length - 1);
    this.#grid.style.width = `${SIDE + model.columns.length * COLUMN}px`;
    this.#grid.style.height = `${HEAD + model.rows.length * ROW}px`;
    this.#grid.setAttribute("aria-rowcount", String(model.rows.length + 1));
    this.#grid.setAttribute("aria-colcount", String(model.columns.length + 1));
    this.#draw(true);
  }

  /** Makes a cell the active one, in sight. */
  go(row: string, column: string): void {
    const [r, c] = [this.#model?.rows.indexOf(row) ?? -1, this.#model?.columns.indexOf(column) ?? -1];
    if (r >= 0 && c >= 0) this.#move(r, c);
  }

  #draw(anew: boolean): void {
    const model = this.#model;
    if (!model) return;
    const { scrollTop, scrollLeft, clientWidth, clientHeight } = this.element;
    if (clientWidth === 0) return;
    const spare = 3;
    const firstRow = Math.max(0, Math.floor(scrollTop / ROW) - spare);
    const lastRow = Math.min(model.rows.length, Math.ceil((scrollTop + clientHeight - HEAD) / ROW) + spare);
    const firstColumn = Math.max(0, Math.floor(scrollLeft / COLUMN) - spare);
    const lastColumn = Math.min(model.columns.length, Math.ceil((scrollLeft + clientWidth - SIDE) / COLUMN) + spare);
    const range = [firstRow, lastRow, firstColumn, lastColumn].join();
    if (!anew && range === this.#range) return;
    this.#range = range;
    // Most snapshots change nothing that is in sight.
    const rowIds = model.rows.slice(firstRow, lastRow);
    const columnIds = model.columns.slice(firstColumn, lastColumn);
    const cells = rowIds.map((r) => columnIds.map((c) => `${model.cell(r, c).kind} ${model.cell(r, c).text}`).join("\t"));
    const state = [range, this.#rowsBy, this.#columnsBy, this.#chosen, ...rowIds, ...columnIds, ...cells].join("\n");
    if (state === this.#drawn) return;
    this.#drawn = state;

    const head = el("div", { role: "row", class: "matrix-head", "aria-rowindex": 1 });
    head.append(el("div", { role: "columnheader", class: "matrix-corner", "aria-colindex": 1 }, el("span", {}, "to →"), el("span", {}, "from ↓")));
    for (let c = firstColumn; c < lastColumn; c++) head.append(this.#columnHead(model.columns[c] ?? "", c));
    const rows: HTMLElement[] = [head];
    for (let r = firstRow; r < lastRow; r++) rows.push(this.#rowOf(model, r, firstColumn, lastColumn));
    this.#grid.replaceChildren(...rows);
    this.#activate();
  }

  #columnHead(id: string, c: number): HTMLElement {
    const end = endOf(id);
    const head = el(
      "div",
      { role: "columnheader", class: "matrix-column", id: `matrix--1-${c}`, "data-row": -1, "data-column": c, "aria-colindex": c + 2, "aria-sort": this.#rowsBy === id ? "descending" : "none", title: `${id}\nsort rows by this column` },
      el("span", { class: "matrix-name" }, end.name),
      el("span", { class: "matrix-namespace" }, end.namespace === "" ? end.sort : end.namespace),
    );
    head.style.left = `${SIDE + c * COLUMN}px`;
    return head;
  }

  #rowOf(model: MatrixModel, r: number, first: number, last: number): HTMLElement {
    const id = model.rows[r] ?? "";
    const end = endOf(id);
    const row = el(
      "div",
      { role: "row", class: "matrix-row", "aria-rowindex": r + 2 },
      el(
        "div",
        { role: "rowheader", class: `matrix-side${this.#columnsBy === id ? " matrix-sorted" : ""}`, id: `matrix-${r}--1`, "data-row": r, "data-column": -1, "aria-colindex": 1, title: `${id}\nsort columns by this row` },
        el("span", { class: "matrix-name" }, end.name),
        el("span", { class: "matrix-namespace" }, end.namespace === "" ? end.sort : end.namespace),
      ),
    );
    row.style.top = `${HEAD + r * ROW}px`;
    for (let c = first; c < last; c++) {
      const to = model.columns[c] ?? "";
      const cell = model.cell(id, to);
      const name = cellName(id, to, cell);
      const chosen = this.#chosen === `${id}>${to}`;
      const box = el(
        "div",
        { role: "gridcell", class: `matrix-cell matrix-${cell.kind}`, id: `matrix-${r}-${c}`, "data-row": r, "data-column": c, "data-from": id, "data-to": to, "aria-colindex": c + 2, "aria-label": name, "aria-selected": chosen, title: name },
        cell.text,
      );
      box.style.left = `${SIDE + c * COLUMN}px`;
      row.append(box);
    }
    return row;
  }

  #activate(): void {
    for (const old of this.#grid.querySelectorAll(".matrix-active")) old.classList.remove("matrix-active");
    const active = this.#grid.querySelector(`[data-row="${this.#row}"][data-column="${this.#column}"]`);
    active?.classList.add("matrix-active");
    if (active) this.#grid.setAttribute("aria-activedescendant", active.id);
    else this.#grid.removeAttribute("aria-activedescendant");
  }

  #move(row: number, column: number): void {
    const model = this.#model;
    if (!model) return;
    this.#row = Math.max(-1, Math.min(model.rows.length - 1, row));
    this.#column = Math.max(this.#row === -1 ? 0 : -1, Math.min(model.columns.length - 1, column));
    const box = this.element;
    if (this.#row >= 0) {
      const top = this.#row * ROW;
      if (top < box.scrollTop) box.scrollTop = top;
      else if (top + ROW > box.scrollTop + box.clientHeight - HEAD) box.scrollTop = top + ROW - box.clientHeight + HEAD;
    }
    if (this.#column >= 0) {
      const left = this.#column * COLUMN;
      if (left < box.scrollLeft) box.scrollLeft = left;
      else if (left + COLUMN > box.scrollLeft + box.clientWidth - SIDE) box.scrollLeft = left + COLUMN - box.clientWidth + SIDE;
    }
    this.#draw(false);
    this.#activate();
  }

  #key(e: KeyboardEvent): void {
    const model = this.#model;
    if (!model || e.altKey || e.metaKey) return;
    const page = Math.max(1, Math.floor((this.element.clientHeight - HEAD) / ROW) - 1);
    const [row, column] = [this.#row, this.#column];
    const end = model.columns.length - 1;
    const to: Readonly<Record<string, readonly [number, number]>> = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      PageUp: [Math.max(0, row - page), column],
      PageDown: [row + page, column],
      Home: [e.ctrlKey ? 0 : row, 0],
      End: [e.ctrlKey ? model.rows.length - 1 : row, end],
    };
    const next = to[e.key];
    if (next) this.#move(next[0], next[1]);
    else if (e.key === "Enter" || e.key === " ") this.#open(row, column);
    else return;
    e.preventDefault();
  }

  #click(e: MouseEvent): void {
    const cell = (e.target as Element).closest<HTMLElement>("[data-row]");
    if (!cell) return;
    this.#row = Number(cell.dataset["row"]);
    this.#column = Number(cell.dataset["column"]);
    this.#activate();
    this.#open(this.#row, this.#column);
  }

  #open(row: number, column: number): void {
    const [from, to] = [this.#model?.rows[row], this.#model?.columns[column]];
    if (from !== undefined && to !== undefined) this.events.chosen(from, to);
    else if (to !== undefined) this.events.sortRows(to);
    else if (from !== undefined) this.events.sortColumns(from);
  }
}
