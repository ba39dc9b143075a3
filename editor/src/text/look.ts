// How YAML looks in the editor, in the theme's colours.

import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const highlight = HighlightStyle.define([
  { tag: [tags.definition(tags.propertyName), tags.propertyName], class: "yaml-key" },
  { tag: [tags.string, tags.content], class: "yaml-value" },
  { tag: tags.comment, class: "yaml-comment" },
  { tag: [tags.meta, tags.punctuation, tags.separator, tags.brace, tags.squareBracket], class: "yaml-mark" },
  { tag: [tags.keyword, tags.typeName, tags.labelName], class: "yaml-name" },
]);

const theme = EditorView.theme({
  "&.cm-editor": { height: "100%", backgroundColor: "var(--bg-raised)", color: "var(--text)", fontSize: "13px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--text)", paddingBottom: "40vh" },
  ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { backgroundColor: "var(--bg-raised)", color: "var(--text-dim)", border: "none" },
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "2.6em", padding: "0 4px 0 2px" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 6%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 26%, transparent) !important",
  },
  ".cm-foldPlaceholder": { backgroundColor: "var(--bg-sunken)", borderColor: "var(--line)", color: "var(--text-dim)" },
  ".cm-panels": { backgroundColor: "var(--bg)", color: "var(--text)", borderColor: "var(--line)" },
  ".cm-panels input, .cm-panels button, .cm-panels label": { fontFamily: "var(--font)", fontSize: "12px" },
  ".cm-panels button": { minHeight: "26px", borderColor: "var(--line)" },
  ".cm-panels .cm-search": { padding: "6px 8px" },
  ".cm-button": { backgroundImage: "none", borderRadius: "var(--radius)" },
  ".cm-textfield": { backgroundColor: "var(--bg-raised)", borderColor: "var(--line)", borderRadius: "var(--radius)" },
  ".cm-tooltip": {
    backgroundColor: "var(--bg-raised)",
    color: "var(--text)",
    border: "1px solid var(--line)",
    borderRadius: "var(--radius)",
    boxShadow: "var(--shadow)",
    maxWidth: "min(56ch, 90vw)",
    overflow: "hidden",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "16em" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-completionDetail": { fontStyle: "normal", opacity: "0.75" },
  ".cm-completionInfo": { padding: "8px 10px", fontFamily: "var(--font)", whiteSpace: "pre-line" },
  ".cm-diagnostic": { padding: "6px 10px", borderLeft: "3px solid transparent" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warn)" },
  ".cm-diagnostic-info": { borderLeftColor: "var(--accent)" },
  ".cm-diagnosticAction": { backgroundColor: "var(--accent)", color: "var(--on-accent)", borderRadius: "4px", minHeight: "24px", marginLeft: "0", marginRight: "6px", padding: "2px 8px" },
  ".cm-lintRange": { backgroundImage: "none", paddingBottom: "0", textDecorationSkipInk: "none" },
  ".cm-lintRange-error": { textDecoration: "underline wavy var(--bad)" },
  ".cm-lintRange-warning": { textDecoration: "underline wavy var(--warn)" },
  ".cm-lintRange-info": { textDecoration: "underline dotted var(--accent)" },
  ".cm-lintPoint:after": { borderBottomColor: "var(--bad)" },
  ".cm-searchMatch": { backgroundColor: "var(--mark)" },
  ".cm-searchMatch-selected": { outline: "1px solid var(--focus)" },
  ".cm-matchingBracket": { backgroundColor: "var(--accent-soft) !important" },
  ".cm-revealed": { backgroundColor: "var(--mark)" },
});

export const look: Extension = [theme, syntaxHighlighting(highlight)];
