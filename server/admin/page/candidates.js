// What candidates would have decided beside the active policies.

import { byId, code, el, list, say } from "./dom.js";
import { count, reason, short } from "./format.js";

const keyOf = (c) => JSON.stringify([c.virtualHost, c.verdict, c.candidateVerdict, c.candidateReason]);

const rows = list(byId("candidates-rows"), keyOf, (c) => {
  const n = el("td", { class: "number" });
  const differs = c.verdict !== c.candidateVerdict;
  const node = el("tr", {},
    el("th", { scope: "row", class: "name" }, code(c.virtualHost)), el("td", {}, c.verdict),
    el("td", {}, differs ? el("strong", {}, c.candidateVerdict) : c.candidateVerdict, c.candidateReason !== c.candidateVerdict && `: ${reason(c.candidateReason)}`), n);
  return { node, update(now) {
    say(n, short(now.count));
    n.title = count(now.count);
  } };
});

export function showCandidates({ candidates = [] }) {
  rows(candidates);
  byId("candidates-table").hidden = candidates.length === 0;
  say(byId("candidates-note"), candidates.length ? "Since the start; those that differ come first." : "No candidate has decided anything yet.");
}
