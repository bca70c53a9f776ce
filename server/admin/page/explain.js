// The form that explains a fetch as `corsproc explain` does. What was asked is in the page's address, behind the #, so that
// it can be sent to a colleague.

import { call } from "./api.js";
import { byId, el, fill } from "./dom.js";
import { explanation } from "./explanation.js";

const prefix = "#explain?";
const texts = ["origin", "url", "method", "credentials", "virtualHost", "routeName"];
const form = byId("explain");
const field = (name) => form.elements.namedItem(name);

let asked = 0;

export function startExplain() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run({ focus: true });
  });
  field("websocket").addEventListener("change", onlyWhatAWebSocketHas);
  byId("add-header").addEventListener("click", () => addHeader().querySelector("input").focus());
  addEventListener("hashchange", fromAddress);
  fromAddress();
}

// explain fills the form and runs it.
export function explain(fetch) {
  write(fetch);
  run({ focus: true });
}

async function run({ focus }) {
  const fetch = read();
  const parameters = new URLSearchParams(texts.filter((name) => fetch[name]).map((name) => [name, fetch[name]]));
  if (fetch.websocket) parameters.set("websocket", "true");
  for (const [name, value] of fetch.headers) parameters.append("header", `${name}: ${value}`);
  history.replaceState(null, "", prefix + parameters);

  const mine = ++asked;
  const headers = Object.fromEntries(fetch.headers);
  let shown;
  let fault = "";
  try {
    shown = explanation(await call("Explain", { ...fetch, headers }));
  } catch (error) {
    fault = error.message;
  }
  if (mine !== asked) return; // a later one is on its way
  fill(byId("explain-error"), fault.split("\n").map((line) => el("span", {}, line)));
  fill(byId("explanation"), shown);
  byId("explanation").hidden = !shown;
  if (shown && focus) byId("verdict").focus();
}

// read returns what the form says.
function read() {
  const websocket = field("websocket").checked;
  const fetch = Object.fromEntries(texts.map((name) => [name, field(name).value.trim()]));
  const headers = [...byId("headers").children]
    .map((row) => [...row.querySelectorAll("input")].map((i) => i.value.trim()))
    .filter(([name]) => name);
  return { ...fetch, method: websocket ? "" : fetch.method, websocket, headers: websocket ? [] : headers };
}

function write(fetch) {
  for (const name of texts) field(name).value = fetch[name] ?? "";
  field("credentials").value ||= "same-origin";
  field("websocket").checked = fetch.websocket ?? false;
  byId("headers").replaceChildren();
  for (const [name, value] of fetch.headers ?? []) addHeader(name, value);
  byId("explain-more").open ||= !!(fetch.virtualHost || fetch.routeName);
  onlyWhatAWebSocketHas();
}

function onlyWhatAWebSocketHas() {
  const websocket = field("websocket").checked;
  field("method").disabled = field("credentials").disabled = byId("headers-set").disabled = websocket;
}

function addHeader(name = "", value = "") {
  const input = (label, text) => {
    const i = el("input", { type: "text", "aria-label": label, placeholder: label, autocomplete: "off", spellcheck: "false" });
    i.value = text;
    return i;
  };
  const row = el("div", { class: "header" }, input("Header name", name), input("Header value", value),
    el("button", { type: "button", "aria-label": "Remove this header", onclick() {
      row.remove();
      byId("add-header").focus();
    } }, "Remove"));
  byId("headers").append(row);
  return row;
}

// fromAddress explains what the page's address asks for.
function fromAddress() {
  if (!location.hash.startsWith(prefix)) return;
  const parameters = new URLSearchParams(location.hash.slice(prefix.length));
  const fetch = Object.fromEntries(texts.map((name) => [name, parameters.get(name) ?? ""]));
  fetch.websocket = parameters.get("websocket") === "true";
  fetch.headers = parameters.getAll("header").map((line) => {
    const [name, ...value] = line.split(":");
    return [name.trim(), value.join(":").trim()];
  });
  write(fetch);
  run({ focus: false });
}
