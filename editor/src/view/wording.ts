// Verdicts and outcomes in, the words for them out.

import type { Flow, Side, Verdict } from "netverdict";
import { nameOf } from "./end";

export type Tone = "good" | "bad" | "warn" | "dim";

const VERDICTS: Readonly<Record<Verdict, readonly [string, Tone]>> = {
  allow: ["allowed", "good"],
  redirect: ["allowed, by way of a proxy", "good"],
  deny: ["denied by a rule", "bad"],
  "default-deny": ["denied: no rule allows it", "bad"],
  "auth-required": ["dropped until authenticated", "warn"],
  unknown: ["not known", "dim"],
};

export function verdictWords(verdict: Verdict): readonly [text: string, tone: Tone] {
  return VERDICTS[verdict];
}

export function passes(verdict: Verdict): boolean {
  return verdict === "allow" || verdict === "redirect";
}

const OUTCOMES: Readonly<Record<string, readonly [string, Tone]>> = {
  forwarded: ["forwarded by the proxy", "good"],
  "not-inspected": ["no proxy looks at it", "good"],
  "403": ["answered with 403 Access denied", "bad"],
  refused: ["DNS query refused", "bad"],
  dropped: ["dropped by the proxy", "bad"],
  unknown: ["not known", "dim"],
};

export function outcomeWords(outcome: string): readonly [text: string, tone: Tone] {
  return OUTCOMES[outcome] ?? [outcome, "dim"];
}

/** The answer in one line: what the sender would see, and whose policy makes it so. */
export function summary(flow: Flow): { readonly text: string; readonly detail: string; readonly tone: Tone } {
  const outcome = flow.layer7?.outcome;
  if (passes(flow.verdict)) {
    if (flow.layer7 && outcome !== undefined && outcome !== null && outcome !== "not-inspected") {
      const [text, tone] = outcomeWords(outcome);
      const detail =
        outcome === "403"
          ? "The connection is made; the proxy denies this request."
          : outcome === "forwarded"
            ? `A rule allows ${flow.layer7.sent}.`
            : (flow.layer7.why ?? "");
      return { text: text[0]?.toUpperCase() + text.slice(1), detail, tone };
    }
    if (flow.verdict === "redirect") {
      return { text: "Allowed, by way of a proxy", detail: "The proxy lets through only the requests named below.", tone: "good" };
    }
    const free = [flow.egress, flow.ingress].every((s) => s === null || s.rules.every((r) => r.rule.startsWith("reserved/")));
    return { text: "Allowed", detail: free ? "No policy limits it." : "", tone: "good" };
  }
  if (flow.verdict === "unknown") return { text: "Not known", detail: (flow.why ?? []).join("; "), tone: "dim" };
  if (flow.verdict === "auth-required") {
    return { text: "Dropped until both ends are authenticated", detail: "A rule allows it, and wants authentication first.", tone: "warn" };
  }
  const against = [flow.egress, flow.ingress].filter((s): s is Side => s !== null && !passes(s.verdict));
  const whose = against.map((s) => `${s.direction} of ${nameOf(s.subject)}`).join(" and ");
  const how = against.some((s) => s.verdict === "deny") ? "a rule denies it" : "no rule allows it";
  return { text: "Denied", detail: `${whose}: ${how}. The sender sees a connection that times out.`, tone: "bad" };
}

const CHANGES: Readonly<Record<string, readonly [string, Tone]>> = {
  opened: ["opened", "warn"],
  closed: ["closed", "bad"],
  changed: ["on other terms", "dim"],
  unsettled: ["no longer known", "dim"],
};

export function changeWords(kind: string): readonly [text: string, tone: Tone] {
  return CHANGES[kind] ?? [kind, "dim"];
}

/** A selector without what everybody has and prefixes that tell a person nothing. */
export function selectorText(selector: string): string {
  const parts = selector
    .split(/,\s*/)
    .filter((p) => !/^(k8s:)?io\.cilium\.k8s\.policy\.cluster=/.test(p))
    .map((p) =>
      p
        .replace(/^(k8s|any):/, "")
        .replace(/^io\.kubernetes\.pod\.namespace=/, "namespace ")
        .replace(/^io\.cilium\.k8s\.namespace\.labels\./, "namespace's ")
        .replace(/^reserved:/, ""),
    );
  return parts.length === 0 ? selector : parts.join(", ");
}
