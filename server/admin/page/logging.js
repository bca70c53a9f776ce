// Decisions that are written to the process's log for a while.

import { call } from "./api.js";
import { announce, byId, code, el, list, say } from "./dom.js";
import { left } from "./format.js";

let refresh = () => {};

export function startLogging(poll) {
  refresh = poll;
}

// logButton switches on the log of what is given as { virtualHost, origin }.
export function logButton(name, what) {
  const said = el("span", { role: "status", class: "soft" });
  return [el("button", { type: "button", "aria-label": `Log decisions about ${name} for 10 minutes`, onclick: () => log(what, "600s", said) }, "Log for 10 min"), said];
}

async function log(what, duration, said) {
  say(said, "");
  try {
    await call("LogDecisions", { ...what, duration });
    announce(duration === "0s" ? "Not logged any more" : "Decisions are logged for 10 minutes");
    refresh();
  } catch (error) {
    say(said, error.message);
  }
}

const rows = list(byId("logging-rows"), (l) => JSON.stringify([l.virtualHost, l.origin]), (l) => {
  const rest = el("span");
  const said = el("span", { role: "status", class: "soft" });
  const name = [l.virtualHost, l.origin].filter(Boolean).join(", ");
  const node = el("li", { class: "row head" },
    l.origin && code(l.origin), l.origin && l.virtualHost && "in", l.virtualHost && code(l.virtualHost), rest,
    el("button", { type: "button", "aria-label": `Stop logging ${name}`, onclick() {
      byId("logging-title").focus(); // the button is about to go
      log({ virtualHost: l.virtualHost, origin: l.origin }, "0s", said);
    } }, "Stop"), said);
  return { node, update: (now, time) => say(rest, left(now.until, time)) };
});

export function showLogging({ logging = [], time }) {
  byId("logging").hidden = logging.length === 0 && !byId("logging").contains(document.activeElement);
  rows(logging, time);
  say(byId("logging-note"), logging.length ? "These are in the process's log, with the message “decision”." : "Nothing is being logged.");
}
