// Who was refused lately, and what would allow it.

import { byId, code, el, fill, list, say } from "./dom.js";
import { ago, clock, count, plural, placed, reason } from "./format.js";
import { explain } from "./explain.js";
import { logButton } from "./logging.js";

const keyOf = (r) => JSON.stringify([r.decision.virtualHost, r.decision.policy, r.decision.reason, r.origin, r.firstSeen]);

export function showRefusals({ refusals = [], refusalsDropped = 0, time }) {
  rows(refusals, time);
  const parts = [];
  if (!refusals.length) parts.push("Nothing was refused in the last hour.");
  if (refusals.length >= 100) parts.push("These are the 100 that came last.");
  if (Number(refusalsDropped)) parts.push(`${plural(refusalsDropped, "refused request")} since the start are forgotten, because there were too many different ones.`);
  say(byId("refusals-note"), parts.join(" "));
}

const rows = list(byId("refusals-rows"), keyOf, (r) => {
  const times = el("strong");
  const last = el("time");
  const now = el("div");
  let shown;
  const node = el("li", { class: "row" },
    el("div", { class: "head" },
      el("h3", {}, r.origin ? code(r.origin) : "no origin"),
      el("span", { class: "reason" }, `${r.decision.verdict}: ${reason(r.decision.reason)}`),
      el("span", { class: "count" }, times, ", last ", last)),
    el("p", {}, "in ", code(r.decision.virtualHost), r.decision.policy && [", policy ", code(r.decision.policy)],
      [r.decision.kind === "preflight" ? ", a preflight for " : r.websocket ? ", a WebSocket by " : ", "], code(r.method || "?"), r.url && [" ", code(cut(r.url))],
      r.headers?.length && [" with ", code(r.headers.join(", "))]),
    now,
    el("p", { class: "actions" },
      askable(r) && el("button", { type: "button", "aria-label": `Explain the refusal of ${r.origin}`, onclick: () => explain(fetchOf(r)) }, "Explain"),
      logButton(`${r.origin} in ${r.decision.virtualHost}`, { virtualHost: r.decision.virtualHost, ...(quoted(r.origin) ? {} : { origin: r.origin }) })));
  return { node, update(next, time) {
    say(times, count(next.count) + (next.count === "1" ? " time" : " times"));
    last.dateTime = next.lastSeen;
    last.title = clock(next.lastSeen);
    say(last, ago(next.lastSeen, time));
    const state = JSON.stringify([next.decision.rule, next.verdictNow, next.changes]);
    if (state !== shown) fill(now, byNow(next));
    shown = state;
  } };
});

// cut keeps an address that somebody has made long on purpose from filling the page. Explain has all of it.
const cut = (url) => (url.length > 300 ? `${url.slice(0, 300)}…` : url);

// byNow says what the set in force makes of it.
function byNow(r) {
  if (r.advice) return el("p", { class: "change" }, sentence(r.advice));
  if (r.verdictNow === "allowed") return el("p", { class: "good" }, "The policies in force allow it now.");
  return [
    r.decision.rule && el("p", {}, "decided by ", code(r.decision.rule.field), " at ", placed(r.decision.rule)),
    (r.changes ?? []).map((c) => el("p", { class: "change" }, "To allow it: ", c.text)),
    r.verdictNow && !r.changes?.length && el("p", { class: "soft" }, "No change of a policy allows it."),
  ];
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

// What is not as it was sent comes in quotes.
const quoted = (text) => text === undefined || text === "" || text.startsWith('"');
const askable = (r) => r.url && ![r.origin, r.url, r.method ?? "GET", ...(r.headers ?? [])].some(quoted);

// Values that make a browser ask for the header; of the others any does.
const asking = { "content-type": "application/json", range: "bytes=0-1,3-4" };

function fetchOf(r) {
  return {
    origin: r.origin, url: r.url, method: r.method, websocket: r.websocket, virtualHost: r.envoyVirtualHost, routeName: r.routeName,
    headers: (r.headers ?? []).map((name) => [name, asking[name.toLowerCase()] ?? "1"]),
  };
}
