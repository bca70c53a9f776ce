// An explanation as a part of the page: the verdict, each request with its answer and rule, and what the browser makes of it.

import { code, el, separated } from "./dom.js";
import { placed, reason } from "./format.js";

export function explanation(x) {
  const { browser = {}, preflight, actual } = x;
  return [
    el("h3", { id: "verdict", tabindex: "-1", class: verdictClass(x, browser) }, `${verdict(x, browser)}: ${outcome(x)}`),
    (x.changes ?? []).map((c) => el("p", { class: "change" }, "To allow it: ", c.text)),
    (x.notes ?? []).map((n) => el("p", {}, n)),
    preflight && request("Preflight", preflight),
    actual ? request("Request", actual) : el("p", {}, `The request itself is not sent, because ${preflight ? "the preflight fails" : "the browser blocks it"}.`),
    el("h4", {}, "Browser"),
    el("dl", {}, browserSays(x, browser)),
  ];
}

const isWebSocket = (x) => "upgrade" in (x.actual?.headers ?? {});
const undecided = (x, browser) => !browser.readable && x.verdict === "none";

function verdict(x, browser) {
  if (undecided(x, browser)) return "Undecided here, the upstream answers";
  if (!isWebSocket(x)) return browser.readable ? "The page may read the answer" : "The page may not read the answer";
  if (!browser.readable) return "The WebSocket does not open";
  return x.verdict === "refused" ? "The WebSocket opens all the same" : "The WebSocket opens";
}

const verdictClass = (x, browser) => (browser.readable ? "good" : undecided(x, browser) ? "" : "bad");

// outcome is a verdict with its reason, where that says more.
const outcome = ({ verdict, reason: why }) => (why && why !== verdict ? `${verdict}, ${reason(why)}` : verdict);

function request(title, r) {
  const { decision: d = {}, answer = {} } = r;
  return [
    el("h4", {}, title),
    el("dl", {},
      item("Sends", [code(`${r.method} ${r.url}`), headers(r.headers)]),
      item("Because", r.why),
      item("Decided", [outcome(d), d.policy && [" by the policy ", code(d.policy)], d.virtualHost && [" in ", code(d.virtualHost)],
        d.rule && [", rule ", code(d.rule.field), " at ", placed(d.rule)]]),
      d.candidateVerdict && item("Candidate", `would be ${outcome({ verdict: d.candidateVerdict, reason: d.candidateReason })}`),
      item("Answer", answer.status ? [`${answer.status} from ${answer.by}`, headers(answer.headers)] : "whatever the upstream answers")),
  ];
}

const headers = (all = {}) => el("ul", { class: "headers" }, Object.keys(all).sort().map((name) => el("li", {}, code(`${name}: ${all[name]}`))));

function browserSays(x, browser) {
  const items = [];
  if (browser.readable && !isWebSocket(x)) {
    const exposed = browser.exposedHeaders ?? [];
    items.push(item("Readable headers", exposed[0] === "*" ? "all but Set-Cookie"
      : exposed.length ? [separated(exposed.map((n) => code(n))), ", and the safelisted ones"] : "the safelisted ones only"));
  }
  if (x.preflight?.passes) {
    const { chromium = 0, firefox = 0, safari = 0 } = browser.cacheSeconds ?? {};
    items.push(item("Remembers", chromium + firefox + safari
      ? `the preflight for ${chromium} s in Chromium, ${firefox} s in Firefox, ${safari} s in Safari`
      : "nothing: the next request is preflighted too"));
  }
  items.push(item("Console", browser.console ? code(browser.console) : "says nothing"));
  return items;
}

const item = (term, what) => [el("dt", {}, term), el("dd", {}, what)];
