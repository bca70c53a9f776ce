// Attempts to load the policy files, what they found, and a button to look at them now.

import { reload } from "./api.js";
import { announce, byId, code, el, fill, list, say, whenNew } from "./dom.js";
import { ago, clock, place, plural } from "./format.js";

export function showReloads({ reloads = [], time }) {
  failure(reloads[0] && !reloads[0].successful ? reloads[0] : null);
  rows(reloads, time);
  say(byId("reloads-note"), reloads.length ? "The latest first." : "None yet.");
}

let announcedFailure = false;

// failure says that the files hold something that cannot come into force.
const failure = whenNew((attempt) => {
  byId("failure").hidden = !attempt;
  if (attempt) {
    byId("failed-at").dateTime = attempt.time;
    say(byId("failed-at"), clock(attempt.time));
    fill(byId("failure-findings"), findings(attempt));
    announce(`The policy files cannot be used: ${plural(attempt.findingsTotal, "finding")}`);
  } else if (announcedFailure) {
    announce("The policy files are in force again");
  }
  announcedFailure = !!attempt;
});

const rows = list(byId("reloads-rows"), (a) => `${a.time} ${a.hash}`, (a) => {
  const time = el("time", { datetime: a.time, title: clock(a.time) });
  const node = el("li", { class: "row" },
    el("div", { class: "head" },
      el("span", { class: a.successful ? "badge good" : "badge bad" }, a.successful ? "loaded" : "not loaded"),
      time, a.hash && el("span", { class: "place", title: a.hash }, code(a.hash.slice(0, 12)))),
    a.findingsTotal > 0 && el("details", {}, el("summary", {}, plural(a.findingsTotal, "finding")), findings(a)));
  return { node, update: (_, now) => say(time, ago(a.time, now)) };
});

function findings({ findings = [], findingsTotal = 0 }) {
  return [
    el("ul", { class: "findings" }, findings.map((f) => el("li", {},
      f.file && [code(f.line ? place(f) : f.file), " "], el("strong", { class: f.severity }, f.severity), " ",
      f.field && [code(f.field), ": "], f.message, f.fix && ["; write ", code(f.fix)],
      f.related && [" (see ", code(place(f.related)), ")"]))),
    findingsTotal > findings.length && el("p", {}, `And ${findingsTotal - findings.length} more, in the answer of “Look at the policy files now”.`),
  ];
}

export function startReload(refresh) {
  byId("reload").addEventListener("click", async () => {
    const result = byId("reload-result");
    say(result, "…");
    try {
      const { text } = await reload();
      // As corsproc check prints it: of a large set this may be long, and the list above shows it too.
      fill(result, el("span", { class: "soft" }, clock(new Date())), text.split("\n").slice(0, 100).map((line) => el("span", {}, line)));
    } catch (error) {
      say(result, `The policy files were not looked at: ${error.message}.`);
    }
    refresh();
  });
}
