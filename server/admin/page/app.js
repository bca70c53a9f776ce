// The page of the admin address. It asks for the status every few seconds while somebody may be looking, and hands each
// part of the answer to what shows it. Start reading here.

import { call } from "./api.js";
import { showCandidates } from "./candidates.js";
import { showDecisions } from "./chart.js";
import { announce, byId, say } from "./dom.js";
import { clock } from "./format.js";
import { startExplain } from "./explain.js";
import { showHosts, showPolicies } from "./policies.js";
import { showLogging, startLogging } from "./logging.js";
import { showRefusals } from "./refusals.js";
import { showReloads, startReload } from "./reloads.js";
import { showSummary } from "./summary.js";

const interval = 3000; // milliseconds

let inForce = {}; // the set that is shown; answers about the same one leave most of it out
let timer;
let asking = false;
let answeredAt; // by the clock of the browser
let lost = false;

async function poll() {
  clearTimeout(timer);
  if (asking || document.hidden) return;
  asking = true;
  try {
    const status = await call("Status", inForce.hash ? { knownHash: inForce.hash } : {});
    answered();
    show(status);
  } catch (error) {
    unanswered(error);
  } finally {
    asking = false;
    if (!document.hidden) timer = setTimeout(poll, interval);
  }
}

function show(status) {
  const now = status.inForce;
  const known = now.hash === inForce.hash && !now.policies && !now.virtualHosts;
  if (known) now.files = inForce.files;
  inForce = now;
  showSummary(status);
  showReloads(status);
  showDecisions(status);
  showRefusals(status);
  showCandidates(status);
  if (!known) {
    showPolicies(now);
    showHosts(now);
  }
  showLogging(status);
  byId("live").hidden = false;
}

function answered() {
  answeredAt = new Date();
  if (!lost) return;
  lost = false;
  byId("lost").hidden = true;
  document.body.classList.remove("stale");
  announce("corsproc answers again");
}

function unanswered(error) {
  if (!lost) announce("corsproc does not answer");
  lost = true;
  document.title = "corsproc: no answer";
  document.body.classList.add("stale");
  const since = answeredAt ? `What is below is as it was at ${clock(answeredAt)}. ` : "";
  say(byId("ready"), "no answer");
  byId("ready").className = "badge bad";
  say(byId("lost-text"), `corsproc does not answer: ${error.message}.`);
  say(byId("lost-since"), `${since}This page keeps asking.`);
  byId("lost").hidden = false;
}

startExplain();
startLogging(poll);
startReload(poll);
document.addEventListener("visibilitychange", poll);
poll();
