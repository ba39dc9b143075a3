// A comparison in, Markdown for a pull request out.

import type { Difference, Terms } from "netverdict";
import { nameOf } from "../end";
import { longPorts } from "../ports";
import { changeWords } from "../wording";

type Change = Difference["changes"][number];

/** Names come from manifests: nothing in them is to become markup, or another cell. */
function plain(text: string): string {
  const oneLine = text.replace(/\s+/g, " ");
  const ticks = Math.max(0, ...(oneLine.match(/`+/g) ?? []).map((t) => t.length));
  const fence = "`".repeat(ticks + 1);
  const space = ticks > 0 ? " " : "";
  return `${fence}${space}${oneLine.replaceAll("|", "\\|")}${space}${fence}`;
}

export function termsText(terms: Terms | null): string {
  if (!terms) return "closed";
  const parts = [terms.requests.length > 0 ? terms.requests.join(", ") : terms.l7 !== null ? `${terms.l7} rules` : "open"];
  if (terms.auth) parts.push("authenticated");
  return parts.join(", ");
}

export function portsText(change: Change): string {
  return change.ports.map(longPorts).join("; ");
}

export function markdown(difference: Difference, before: string): string {
  const lines = [`### Connections, compared with ${plain(before)}`, ""];
  const { changes } = difference;
  if (changes.length === 0) lines.push(`No connection is different (${difference.compared} pairs compared).`);
  else {
    const count = (kind: Change["kind"]): string => {
      const n = changes.filter((c) => c.kind === kind).length;
      return n === 0 ? "" : `${n} ${changeWords(kind)[0]}`;
    };
    const counts = (["opened", "closed", "changed", "unsettled"] as const).map(count).filter((t) => t !== "");
    lines.push(`${counts.join(", ")}; ${difference.compared} pairs compared.`, "");
    lines.push("| | from | to | ports | before | after | rules |", "|---|---|---|---|---|---|---|");
    for (const c of changes) {
      const rules = [...new Set(c.sides.flatMap((s) => (c.kind === "closed" ? s.before.rules : s.after.rules)).filter((r) => !r.rule.startsWith("reserved/")).map((r) => r.rule))];
      const cells = [changeWords(c.kind)[0], plain(nameOf(c.from)), plain(nameOf(c.to)), portsText(c), plain(termsText(c.before)), plain(termsText(c.after)), rules.map(plain).join(", ")];
      lines.push(`| ${cells.join(" | ")} |`);
    }
  }
  const ends = (title: string, all: readonly string[]): void => {
    if (all.length > 0) lines.push("", `${title}: ${all.map((e) => plain(nameOf(e))).join(", ")}`);
  };
  ends("New", difference.appeared);
  ends("Gone", difference.disappeared);
  return `${lines.join("\n")}\n`;
}
