// The policies in force, and the virtual hosts with their routes, each with its place in the files.

import { byId, code, el, fill, list, separated, say, whenNew } from "./dom.js";
import { count, placed } from "./format.js";
import { gist, grants, kinds, wordsOf } from "./grants.js";
import { logButton } from "./logging.js";

// filtered shows the items whose text holds what is written in a filter, and how many there are beyond.
function filtered(name, textOf, show) {
  const box = byId(`${name}-filter`);
  const note = byId(`${name}-note`);
  let items = [];
  let total = 0;
  const apply = () => {
    const wanted = box.value.trim().toLowerCase();
    const found = wanted ? items.filter((i) => textOf(i).toLowerCase().includes(wanted)) : items;
    show(found);
    const more = total - items.length;
    fill(note,
      wanted && `${count(found.length)} of ${count(items.length)} match. `,
      more > 0 && [`These are the first ${count(items.length)}, and ${count(more)} more are in `, el("a", { href: "config" }, "the set in force"), "."],
      !items.length && "None.");
    byId(`${name}-search`).hidden = items.length < few;
  };
  box.addEventListener("input", apply);
  return whenNew(({ list, all }) => {
    items = list;
    total = all;
    apply();
  });
}

// Few policies are shown as a whole; of many, what they grant is made when it is looked at.
const few = 8;
let open = true;

const policies = filtered("policies", wordsOf, list(byId("policies-rows"), (p) => p.name, (first) => {
  const place = el("span");
  const title = el("summary");
  const body = el("div");
  let policy = first;
  const show = () => fill(body, details.open && grants(policy));
  const details = el("details", { open, ontoggle: show }, title, body);
  const node = el("li", { class: "row policy" }, el("div", { class: "head" }, el("h3", {}, code(first.name)), place), details);
  return { node, update: whenNew((now) => {
    policy = now;
    fill(place, placed(now.at));
    say(title, gist(now));
    show();
  }) };
}));

export function showPolicies(inForce) {
  open = (inForce.policiesTotal ?? 0) < few;
  policies({ list: inForce.policies ?? [], all: inForce.policiesTotal ?? 0 });
}

const hosts = filtered("hosts", textOfHost, list(byId("hosts-rows"), (v) => v.name, (v) => {
  const head = el("div", { class: "head" });
  const place = el("span");
  head.append(el("h3", {}, code(v.name)), place, ...logButton(`the virtual host ${v.name}`, { virtualHost: v.name }));
  const rest = el("div");
  const routes = routeList();
  return { node: el("li", { class: "row" }, head, rest, routes.node), update: whenNew((now) => {
    fill(place, placed(now.place.at));
    fill(rest, holds(now.place));
    routes.update(now);
  }) };
}));

export function showHosts(inForce) {
  hosts({ list: inForce.virtualHosts ?? [], all: inForce.virtualHostsTotal ?? 0 });
}

function textOfHost(v) {
  const places = [v.place, ...(v.routes ?? []).map((r) => r.place)];
  return [v.name, ...(v.routes ?? []).map((r) => r.match), ...places.flatMap((p) => [...(p.policies ?? []), ...(p.candidates ?? [])])].join(" ");
}

// holds says what holds at a place.
function holds(p) {
  const some = (names, total) => [separated(names.map((n) => code(n))), total > names.length && ` and ${count(total - names.length)} more`];
  return el("p", { class: "holds" },
    p.policies?.length ? [p.policiesTotal > 1 ? "policies " : "policy ", some(p.policies, p.policiesTotal)] : "no policy",
    p.policiesAt && [" from ", placed(p.policiesAt)],
    p.candidates?.length && [", candidates ", some(p.candidates, p.candidatesTotal)],
    stops[p.reject] && [", stops ", stops[p.reject]]);
}

const stops = {
  WEBSOCKETS: "WebSockets of refused origins",
  UNSAFE_METHODS: "refused requests with unsafe methods",
  ALWAYS: "every refused request",
};

// routeList shows routes, which are made when they are looked at: a large set has very many.
function routeList() {
  const title = el("summary");
  const rows = el("ol", { class: "routes" });
  const note = el("p", { class: "note" });
  let host = {};
  const show = () => {
    const { routes = [], routesTotal = 0 } = details.open ? host : {};
    fill(rows, routes.map((r) => el("li", {}, `${kinds[r.kind] ?? r.kind} `, code(r.match), " ", placed(r.place.at), holds(r.place))));
    say(note, routesTotal > routes.length ? `And ${count(routesTotal - routes.length)} more.` : "");
  };
  const details = el("details", { ontoggle: show }, title, rows, note);
  return { node: details, update(v) {
    host = v;
    details.hidden = !v.routesTotal;
    say(title, v.routesTotal === 1 ? "1 route" : `${count(v.routesTotal)} routes, in the order in which they are tried`);
    show();
  } };
}
