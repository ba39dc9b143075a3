// An explained flow in, what it says about both sides out: deciding rules, proxies' requests, candidates that lost.

import type { Candidate, ExplainedSide, Flow, Layer7Side, RulePlace } from "netverdict";
import type { Shell } from "../contract";
import { withCode } from "../text/prose";
import { el } from "./element";
import { nameOf } from "./end";
import { isReserved, rangeAt, shortPlace } from "./place";
import { outcomeWords, summary, verdictWords, type Tone } from "./wording";

const RESERVED: Readonly<Record<string, string>> = {
  "reserved/allow-any-egress": "no policy limits what goes out",
  "reserved/allow-any-ingress": "no policy limits what comes in",
  "reserved/allow-localhost-ingress": "the node may always reach its own pods",
};

export function badge(text: string, tone: Tone): HTMLElement {
  return el("span", { class: `badge badge-${tone}` }, text);
}

/** Opens the rule in its document and marks it. */
export function revealRule(rule: RulePlace, shell: Shell): boolean {
  const range = isReserved(rule) ? null : rangeAt(rule.at, shell.documents());
  if (range) shell.reveal(range, true);
  return range !== null;
}

/** A rule as a button that opens it; what the engine has by itself as text. */
export function ruleButton(rule: RulePlace, shell: Shell): HTMLElement {
  if (isReserved(rule)) return el("span", { class: "rule rule-reserved" }, RESERVED[rule.rule] ?? rule.rule);
  return el(
    "button",
    { type: "button", class: "rule", title: `${rule.rule}\n${rule.path}\n${rule.at}`, onclick: () => void revealRule(rule, shell) },
    el("span", { class: "rule-name" }, rule.rule),
    el("span", { class: "rule-path" }, `${rule.path} · ${shortPlace(rule.at)}`),
  );
}

function ruleList(rules: readonly RulePlace[], shell: Shell): HTMLElement {
  return el("ul", { class: "rules" }, rules.map((r) => el("li", {}, ruleButton(r, shell))));
}

export function answerLine(flow: Flow): HTMLElement {
  const { text, detail, tone } = summary(flow);
  return el("div", { class: `answer answer-${tone}` }, el("strong", {}, text), detail !== "" && el("p", {}, withCode(detail)));
}

export function sides(flow: Flow<ExplainedSide>, shell: Shell): HTMLElement {
  return el(
    "div",
    { class: "sides" },
    flow.egress ? sideOf(flow.egress, flow.layer7?.egress ?? null, shell) : outside("egress", flow.from),
    flow.ingress ? sideOf(flow.ingress, flow.layer7?.ingress ?? null, shell) : outside("ingress", flow.to),
  );
}

function outside(direction: string, end: string): HTMLElement {
  return el(
    "section",
    { class: "side side-outside" },
    el("h3", {}, `${direction === "egress" ? "Egress" : "Ingress"} of ${nameOf(end)}`),
    el("p", { class: "dim" }, "It has no policy of its own here."),
  );
}

function sideOf(side: ExplainedSide, layer7: Layer7Side | null, shell: Shell): HTMLElement {
  const [text, tone] = verdictWords(side.verdict);
  const candidates = side.explanation?.candidates ?? [];
  const lost = candidates.filter((c) => c["fate"] !== "decides" && !isReserved(c));
  // Those that were asked are listed with what they miss: once is enough.
  const enforcers = side.defaultDenyBy.filter((r) => !lost.some((c) => c.at === r.at && c.path === r.path));
  return el(
    "section",
    { class: "side" },
    el("h3", {}, `${side.direction === "egress" ? "Egress" : "Ingress"} of ${nameOf(side.subject)}`),
    badge(text, tone),
    side.rules.length > 0 && ruleList(side.rules, shell),
    side.verdict === "default-deny" && enforcers.length > 0 && [el("p", { class: "dim" }, "What no rule allows is dropped, by"), ruleList(enforcers, shell)],
    side.redirect &&
      side.redirect.rules.length > 0 && [
        el("p", { class: "dim" }, `The ${side.redirect.parser} proxy lets through:`),
        el("ul", { class: "requests" }, side.redirect.rules.map((r) => el("li", {}, el("code", {}, r)))),
      ],
    side.authentication !== undefined && el("p", {}, `Authentication: ${side.authentication}`),
    layer7 && layer7.outcome !== "not-inspected" && requests(layer7, shell),
    side.why !== undefined && side.why.length > 0 && el("p", { class: "dim" }, withCode(side.why.join("; "))),
    lost.length > 0 && candidateList(lost, side.verdict === "default-deny", shell),
  );
}

function requests(layer7: Layer7Side, shell: Shell): HTMLElement {
  const [text, tone] = outcomeWords(layer7.outcome);
  return el(
    "div",
    { class: "layer7" },
    badge(text, tone),
    el(
      "ul",
      { class: "tried" },
      layer7.tried.map((t) =>
        el(
          "li",
          {},
          el("button", { type: "button", class: "rule", title: t.at, onclick: () => openAt(t.at, shell) }, el("code", {}, t.wanted), el("span", { class: "rule-path" }, shortPlace(t.at))),
          el("span", { class: t.miss === undefined ? "reason reason-hit" : "reason" }, withCode(t.miss ?? "it matches")),
        ),
      ),
    ),
    pairs("Header is missing", layer7.missing),
    pairs("Header is wrong", layer7.rejected),
  );
}

function pairs(title: string, list: readonly (readonly [string, string])[] | undefined): HTMLElement | null {
  if (!list || list.length === 0) return null;
  return el("p", {}, `${title}: `, el("code", {}, list.map(([name, value]) => `${name}: ${value}`).join(", ")));
}

function openAt(at: string, shell: Shell): void {
  const range = rangeAt(at, shell.documents());
  if (range) shell.reveal(range, true);
}

function candidateList(lost: readonly Candidate[], open: boolean, shell: Shell): HTMLElement {
  return el(
    "details",
    { class: "candidates", open },
    el("summary", {}, lost.length === 1 ? `1 ${open ? "" : "other "}rule was asked` : `${lost.length} ${open ? "" : "other "}rules were asked`),
    el(
      "ul",
      { class: "rules" },
      lost.map((c) => el("li", {}, ruleButton(c, shell), typeof c["reason"] === "string" && el("span", { class: "reason" }, withCode(c["reason"])))),
    ),
  );
}
