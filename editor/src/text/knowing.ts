// What the engine knows about a place in a text: shown where the pointer is,
// proposed where somebody types, and where it is written.

import { autocompletion, type Completion, type CompletionContext, type CompletionResult, startCompletion } from "@codemirror/autocomplete";
import type { Extension } from "@codemirror/state";
import { EditorView, hoverTooltip, keymap, type Tooltip } from "@codemirror/view";
import type { Range } from "netverdict";
import type { EngineClient } from "../engine/client";
import { say } from "../shell/notice";
import { markdown } from "./prose";

/** A place that is gone by the time of the answer is no news. */
const quietly = <T>(answer: Promise<T>): Promise<T | null> => answer.catch(() => null);

export function knowing(engine: EngineClient, name: string, go: (range: Range) => void): Extension {
  const hover = hoverTooltip(async (view, at): Promise<Tooltip | null> => {
    const found = await quietly(engine.latest("hover", "hover", name, at));
    const { length } = view.state.doc;
    if (!found || found.range.end.offset > length) return null;
    const { start, end } = found.range;
    return {
      pos: start.offset,
      end: end.offset,
      above: true,
      create() {
        const dom = document.createElement("div");
        dom.className = "hover";
        dom.append(...markdown(found.text));
        return { dom };
      },
    };
  });

  const complete = async (context: CompletionContext): Promise<CompletionResult | null> => {
    const line = context.state.doc.lineAt(context.pos);
    const before = line.text.slice(0, context.pos - line.from);
    // Where nothing has begun yet somebody has to ask.
    if (!context.explicit && !/[\w./:-]$|: $|- $/.test(before)) return null;
    const found = await quietly(engine.latest("complete", "complete", name, context.pos));
    const first = found?.[0];
    if (!found || !first || context.aborted) return null;
    const options = found.map(({ label, kind, detail, insert, range }, i): Completion => ({
      label,
      type: kind === "key" ? "property" : "text",
      // The engine's order.
      boost: -i / found.length,
      info: detail === "" ? undefined : () => note(detail),
      apply(view) {
        const from = range.start.offset;
        view.dispatch({
          changes: { from, to: Math.max(view.state.selection.main.head, Math.min(range.end.offset, view.state.doc.length)), insert },
          selection: { anchor: from + insert.length },
          userEvent: "input.complete",
        });
        if (insert.endsWith(": ")) startCompletion(view);
      },
    }));
    return { from: first.range.start.offset, options, validFor: /^[\w./:-]*$/ };
  };

  const define = (view: EditorView, at: number): boolean => {
    void quietly(engine.latest("definition", "definition", name, at)).then((range) => {
      if (range) go(range);
      else say("Nothing is named here that is written elsewhere.");
      view.focus();
    });
    return true;
  };

  return [
    hover,
    autocompletion({ override: [complete], activateOnTyping: true, icons: false }),
    keymap.of([{ key: "F12", run: (view) => define(view, view.state.selection.main.head), preventDefault: true }]),
    EditorView.domEventHandlers({
      mousedown(event, view) {
        if (!(event.ctrlKey || event.metaKey) || event.button !== 0) return false;
        const at = view.posAtCoords({ x: event.clientX, y: event.clientY });
        return at === null ? false : define(view, at);
      },
    }),
  ];
}

function note(text: string): HTMLElement {
  const dom = document.createElement("div");
  dom.append(...markdown(text));
  return dom;
}
