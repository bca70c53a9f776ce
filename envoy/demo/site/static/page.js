// Lays out the cases as cards, runs them, and runs them again when the policy file changes.
//
// For programs, every card has its case's id and carries data-state (running, pass, fail, or changed: not as expected,
// after the policy file was edited) and data-outcome (read, refused).
"use strict";

const POLL = 1000; // milliseconds between two looks at the policy file
const WORDS = { running: "Running", pass: "As expected", fail: "Not as expected", changed: "Changed by your edit" };
const MARKS = { running: "…", pass: "✓", fail: "✕", changed: "↻" };

const $ = (id) => document.getElementById(id);
let edited = false;

function setState(card, state) {
  card.dataset.state = state;
  card.querySelector(".mark").textContent = MARKS[state];
  card.querySelector(".word").textContent = WORDS[state];
}

function list(target, items) {
  const ul = document.createElement("ul");
  for (const item of items) {
    const li = document.createElement("li");
    li.textContent = item.text ?? item;
    if (item.outcome) li.className = item.outcome;
    ul.append(li);
  }
  target.replaceChildren(ul);
}

function makeCard(test) {
  const card = $("card").content.firstElementChild.cloneNode(true);
  const title = card.querySelector("h2");
  card.id = test.id;
  title.id = `${test.id}-title`;
  title.textContent = test.title;
  card.setAttribute("aria-labelledby", title.id);
  card.querySelector(".about").textContent = test.about;
  list(card.querySelector(".sent"), test.sent);
  card.querySelector(".expected").textContent = test.expected;
  const again = card.querySelector(".again");
  again.setAttribute("aria-label", `Run again: ${test.title}`);
  again.addEventListener("click", async () => {
    card.querySelector(".came").setAttribute("aria-live", "polite"); // one card is worth reading out, ten at once are not
    await run(test, card);
    summarise();
  });
  setState(card, "running");
  return card;
}

async function run(test, card) {
  setState(card, "running");
  let result;
  try {
    result = await test.run(card);
  } catch (error) {
    result = { ok: false, outcome: "error", lines: [String(error)] };
  }
  list(card.querySelector(".came"), result.lines);
  card.dataset.outcome = result.outcome;
  setState(card, result.ok ? "pass" : edited ? "changed" : "fail");
}

function summarise() {
  const states = [...document.querySelectorAll(".card")].map((card) => card.dataset.state);
  const count = (state) => states.filter((s) => s === state).length;
  const summary = $("summary");
  const [pass, changed, fail] = [count("pass"), count("changed"), count("fail")];
  summary.dataset.state = fail ? "fail" : changed ? "changed" : "pass";
  const parts = [`${pass} of ${states.length} as expected`];
  if (changed) parts.push(`${changed} changed by your edit`);
  if (fail) parts.push(`${fail} not as expected`);
  summary.textContent = `${parts.join(", ")}.`;
}

let running; // the run under way
async function runAll() {
  await running;
  $("run-all").disabled = true;
  $("summary").dataset.state = "running";
  $("summary").textContent = "Running the cases…";
  running = Promise.all(CASES.map((test) => run(test, $(test.id))));
  await running;
  $("run-all").disabled = false;
  summarise();
}

// The policy file as text, with its comments set apart.
function showPolicy(text) {
  const lines = text.split("\n").map((line) => {
    const span = document.createElement("span");
    const at = line.search(/(^|\s)#/);
    span.textContent = at < 0 ? line : line.slice(0, at);
    if (at >= 0) {
      const comment = document.createElement("i");
      comment.textContent = line.slice(at);
      span.append(comment);
    }
    span.append("\n");
    return span;
  });
  $("policy-text").replaceChildren(...lines);
}

let shown; // the policy file's text that is on the page
async function lookAtPolicy() {
  const response = await fetch("/policies").catch(() => undefined);
  if (!response || !response.ok) {
    $("policy-news").textContent = "The demo does not answer any more. Is it still running?";
    return;
  }
  const policy = await response.json();
  $("policy-problem").hidden = !policy.problem;
  $("policy-problem").textContent = policy.problem;
  const state = $("policy-state");
  state.dataset.state = policy.problem ? "fail" : "pass";
  state.textContent = policy.problem ? "not in force: it has a mistake" : "in force";
  const first = shown === undefined;
  if (policy.text === shown) return;
  shown = policy.text;
  edited = policy.edited;
  showPolicy(policy.text);
  if (first) return;
  const time = new Date().toLocaleTimeString();
  if (policy.problem) {
    $("policy-news").textContent = `Saved at ${time}, with a mistake: what was in force before stays in force.`;
    return;
  }
  $("policy-news").textContent = `Saved at ${time} and in force. The cases ran again.`;
  await runAll();
}

async function watchPolicy() {
  await lookAtPolicy();
  setTimeout(watchPolicy, document.hidden ? 5 * POLL : POLL);
}

$("cases").append(...CASES.map(makeCard));
$("run-all").addEventListener("click", runAll);
runAll();
watchPolicy();
