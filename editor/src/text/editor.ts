// One document at a time, to be read and written. In: documents and what is
// known of them. Out: what somebody types.

import { closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, foldKeymap, indentUnit } from "@codemirror/language";
import { lintGutter, lintKeymap, type Diagnostic as Mark, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Annotation, EditorState, type Extension, StateEffect, StateField } from "@codemirror/state";
import {
  crosshairCursor,
  Decoration,
  type DecorationSet,
  drawSelection,
  dropCursor,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  rectangularSelection,
  tooltips,
} from "@codemirror/view";
import type { Diagnostic, Fix } from "netverdict";
import { make } from "../shell/element";
import { smallestChange } from "./change";
import { look } from "./look";
import { sentence, withCode } from "./prose";

export interface TextHost {
  typed(name: string, text: string): void;
  undo(): void;
  redo(): void;
  fix(fix: Fix): void;
  /** Hover, completion and the like: what asks the engine. */
  readonly extensions: (name: string) => Extension;
}

/** What comes from elsewhere is not typed. */
const fromElsewhere = Annotation.define<boolean>();

const reveal = StateEffect.define<{ from: number; to: number } | null>();
const revealed = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    let now = transaction.docChanged ? Decoration.none : marks;
    for (const effect of transaction.effects) {
      if (!effect.is(reveal)) continue;
      const range = effect.value;
      now = range && range.to > range.from ? Decoration.set([Decoration.mark({ class: "cm-revealed" }).range(range.from, range.to)]) : Decoration.none;
    }
    return now;
  },
  provide: (field) => EditorView.decorations.from(field),
});

interface Place {
  readonly anchor: number;
  readonly head: number;
  readonly scroll: number;
}

/** What lets its styles into the page. */
const nonce = document.querySelector<HTMLMetaElement>("meta[name=style-nonce]")?.content;
const styles: Extension = nonce ? EditorView.cspNonce.of(nonce) : [];

export class TextEditor {
  readonly element = make("div", { class: "text" });
  readonly #host: TextHost;
  readonly #view: EditorView;
  readonly #places = new Map<string, Place>();
  #name: string | null = null;

  constructor(host: TextHost) {
    this.#host = host;
    this.#view = new EditorView({ parent: this.element, state: EditorState.create({ extensions: styles }) });
    this.element.hidden = true;
  }

  get name(): string | null {
    return this.#name;
  }

  /** Where the cursor is. */
  get offset(): number {
    return this.#view.state.selection.main.head;
  }

  /** Shows a document; `null` shows none. */
  open(name: string | null, text = ""): void {
    if (name === this.#name) return;
    if (this.#name !== null) {
      const { anchor, head } = this.#view.state.selection.main;
      this.#places.set(this.#name, { anchor, head, scroll: this.#view.scrollDOM.scrollTop });
    }
    this.#name = name;
    this.element.hidden = name === null;
    if (name === null) return;
    const place = this.#places.get(name);
    const within = (at: number): number => Math.min(at, text.length);
    const state = EditorState.create({
      doc: text,
      selection: { anchor: within(place?.anchor ?? 0), head: within(place?.head ?? 0) },
      extensions: this.#extensions(name),
    });
    this.#view.setState(state);
    this.#view.scrollDOM.scrollTop = place?.scroll ?? 0;
  }

  /** The document has another text now. */
  replace(text: string): void {
    const before = this.#view.state.doc.toString();
    if (before === text) return;
    const change = smallestChange(before, text);
    this.#view.dispatch({
      changes: change,
      selection: { anchor: change.from + change.insert.length },
      scrollIntoView: true,
      annotations: fromElsewhere.of(true),
    });
  }

  /** Marks what there is to say. */
  diagnose(diagnostics: readonly Diagnostic[]): void {
    if (this.#name === null) return;
    const { doc } = this.#view.state;
    const marks: Mark[] = [];
    for (const d of diagnostics) {
      if (!d.range || d.range.document !== this.#name) continue;
      const from = Math.min(d.range.start.offset, doc.length);
      const to = Math.min(Math.max(d.range.end.offset, from), doc.length);
      marks.push({
        from,
        to,
        severity: d.severity,
        message: d.message,
        renderMessage: () => explained(d),
        actions: d.fixes.map((fix) => ({ name: sentence(fix.title), apply: () => this.#host.fix(fix) })),
      });
    }
    marks.sort((a, b) => a.from - b.from || a.to - b.to);
    this.#view.dispatch(setDiagnostics(this.#view.state, marks));
  }

  /** Brings a stretch into sight, with a mark or only the cursor. */
  reveal(from: number, to: number, mark: boolean): void {
    const { length } = this.#view.state.doc;
    const [start, end] = [Math.min(from, length), Math.min(to, length)];
    this.#view.dispatch({
      selection: { anchor: start },
      effects: [reveal.of(mark ? { from: start, to: end } : null), EditorView.scrollIntoView(start, { y: "center" })],
    });
  }

  focus(): void {
    this.#view.focus();
  }

  /** A document has another name now. */
  renamed(from: string, to: string): void {
    const place = this.#places.get(from);
    if (place) this.#places.set(to, place);
    this.#places.delete(from);
  }

  #extensions(name: string): Extension {
    const undo = [
      { key: "Mod-z", run: () => (this.#host.undo(), true), preventDefault: true },
      { key: "Mod-y", mac: "Mod-Shift-z", run: () => (this.#host.redo(), true), preventDefault: true },
      { linux: "Ctrl-Shift-z", run: () => (this.#host.redo(), true), preventDefault: true },
    ];
    return [
      // Positions count what the document holds; files are brought to line feeds when they come in.
      EditorState.lineSeparator.of("\n"),
      lineNumbers(),
      highlightActiveLineGutter(),
      highlightSpecialChars(),
      foldGutter(),
      drawSelection(),
      dropCursor(),
      EditorState.allowMultipleSelections.of(true),
      indentUnit.of("  "),
      bracketMatching(),
      closeBrackets(),
      rectangularSelection(),
      crosshairCursor(),
      highlightActiveLine(),
      highlightSelectionMatches(),
      search({ top: true }),
      lintGutter(),
      revealed,
      yaml(),
      look,
      styles,
      // Beside the text there is room for them.
      tooltips({ parent: document.body, position: "fixed" }),
      this.#host.extensions(name),
      keymap.of([...undo, ...closeBracketsKeymap, ...completionKeymap, ...searchKeymap, ...foldKeymap, ...lintKeymap, ...defaultKeymap, indentWithTab]),
      EditorView.contentAttributes.of({
        "aria-label": `${name}. Tab indents; press Escape, then Tab, to leave.`,
        "aria-multiline": "true",
        tabindex: "0",
        autocorrect: "off",
        autocapitalize: "off",
        spellcheck: "false",
      }),
      EditorView.updateListener.of((update) => {
        if (!update.docChanged || update.transactions.some((t) => t.annotation(fromElsewhere))) return;
        this.#host.typed(name, update.state.doc.toString());
      }),
    ];
  }
}

function explained(d: Diagnostic): HTMLElement {
  const parts: Node[] = [make("div", {}, withCode(d.message), " ", make("span", { class: "dim" }, d.code))];
  if (d.help) parts.push(make("div", { class: "dim" }, withCode(d.help)));
  return make("div", { class: "explained" }, ...parts);
}
