// Decisions of the last minutes: a chart by groups of reasons, and a table by reason that says the same in numbers.

import { byId, code, el, fill, list, say, whenNew } from "./dom.js";
import { clock, count, short, span } from "./format.js";

// The groups, from the bottom of the chart. Of requests that are no matter of CORS there may be very many: the reader
// chooses whether to see them.
const groups = [
  { id: "allowed", name: "allowed", reasons: ["allowed"], shown: true },
  { id: "origin", name: "refused origin", reasons: ["origin_not_allowed", "origin_denied", "origin_malformed"], shown: true },
  { id: "asked", name: "refused method or header", reasons: ["method_not_allowed", "method_malformed", "header_not_allowed", "header_malformed"], shown: true },
  { id: "other", name: "refused for other reasons", reasons: [], shown: true },
  { id: "none", name: "nothing to decide", reasons: ["not_cors", "same_origin", "passthrough"], shown: false },
];
const other = groups.find((g) => g.id === "other");
const groupOf = (reason) => groups.find((g) => g.reasons.includes(reason)) ?? other;

const width = 720;
const height = 150;
const svgSpace = "http://www.w3.org/2000/svg";

let latest;

// The parts that stay; only their attributes change.
const paths = new Map();
for (const g of groups) {
  const path = document.createElementNS(svgSpace, "path");
  path.setAttribute("class", `bar ${g.id}`);
  paths.set(g, path);
  byId("bars").append(path);
  const box = el("input", { type: "checkbox", checked: g.shown, onchange: () => {
    g.shown = box.checked;
    draw(latest);
  } });
  byId("legend").append(el("li", {}, el("label", {}, box, el("span", { class: `swatch ${g.id}`, "aria-hidden": "true" }), g.name)));
}

export function showDecisions({ decisions = {}, time }) {
  latest = { spans: decisions.spans ?? [], seconds: parseFloat(decisions.span) || 5, time };
  draw(latest);
  table(totals(latest));
}

function draw({ spans, seconds, time }) {
  const most = 120;
  const first = most - spans.length; // the newest is at the right
  const sums = spans.map((s) => {
    const sum = new Map(groups.map((g) => [g, 0]));
    for (const [reason, n] of Object.entries(s.reasons ?? {})) {
      const g = groupOf(reason);
      sum.set(g, sum.get(g) + n);
    }
    return sum;
  });
  const heights = sums.map((sum) => groups.reduce((all, g) => all + (g.shown ? sum.get(g) : 0), 0));
  const top = Math.max(1, ...heights);
  const bases = new Array(spans.length).fill(0);
  const step = width / most;
  for (const g of groups) {
    let d = "";
    sums.forEach((sum, i) => {
      const n = g.shown ? sum.get(g) : 0;
      if (!n) return;
      const bottom = height - (bases[i] / top) * height;
      const high = (n / top) * height;
      bases[i] += n;
      d += `M${((first + i) * step).toFixed(2)} ${bottom.toFixed(2)}h${(step - 1).toFixed(2)}v${(-high).toFixed(2)}h${(1 - step).toFixed(2)}z`;
    });
    paths.get(g).setAttribute("d", d);
  }
  say(byId("chart-top"), `${short(Math.max(...heights, 0))} in ${span(seconds)}`);
  say(byId("chart-start"), `${span(most * seconds)} ago`);
  const shown = groups.filter((g) => g.shown).map((g) => g.name).join(", ") || "nothing";
  const all = heights.reduce((a, b) => a + b, 0);
  say(byId("chart-text"), `Decisions in spans of ${span(seconds)} up to ${clock(time)}: ${count(all)} in ${span(most * seconds)}, at most ${count(Math.max(...heights, 0))} in one. Shown are: ${shown}. The table has the numbers by reason.`);
}

// totals counts by reason: in the last minute, and in all spans.
function totals({ spans, seconds }) {
  const rows = new Map();
  const recent = spans.length - Math.round(60 / seconds);
  spans.forEach((s, i) => {
    for (const [reason, n] of Object.entries(s.reasons ?? {})) {
      const row = rows.get(reason) ?? { reason, minute: 0, all: 0 };
      row.all += n;
      if (i >= recent) row.minute += n;
      rows.set(reason, row);
    }
  });
  return [...rows.values()].sort((a, b) => b.all - a.all || a.reason.localeCompare(b.reason));
}

const rows = list(byId("reasons"), (r) => r.reason, (r) => {
  const minute = el("td", { class: "number" });
  const all = el("td", { class: "number" });
  const node = el("tr", {},
    el("th", { scope: "row" }, el("span", { class: `swatch ${groupOf(r.reason).id}`, "aria-hidden": "true" }), code(r.reason)), minute, all);
  return { node, update(now) {
    say(minute, short(now.minute));
    say(all, short(now.all));
    minute.title = count(now.minute);
    all.title = count(now.all);
  } };
});

const table = whenNew((all) => {
  rows(all);
  byId("reasons-table").hidden = all.length === 0;
  fill(byId("no-decisions"), all.length === 0 && "No decisions in the last minutes.");
});
