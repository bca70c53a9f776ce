// What a policy grants, in the words of a policy file, and the places that use it.

import { code, el, fill, separated } from "./dom.js";
import { count, placed, plural } from "./format.js";

const lists = ["allowOrigins", "allowOriginRegexes", "denyOrigins", "allowMethods", "allowHeaders", "exposeHeaders"];

// gist says a policy in one line.
export function gist(p) {
  const many = (list, one) => list?.total && plural(list.total, one);
  return [
    anybody(p) ? "anybody" : many(p.allowOrigins, "origin"), many(p.allowOriginRegexes, "expression"), many(p.denyOrigins, "exception"),
    p.allowCredentials && "credentials", many(p.allowMethods, "method"), many(p.allowHeaders, "header"), many(p.exposeHeaders, "exposed header"),
    p.usesTotal ? `used at ${plural(p.usesTotal, "place")}` : "not used",
  ].filter(Boolean).join(", ");
}

const anybody = (p) => p.allowOrigins?.entries?.includes("*");

// wordsOf is the text in which a policy is searched for.
export const wordsOf = (p) => [
  p.name, p.at?.file, ...lists.flatMap((name) => p[name]?.entries ?? []), p.allowCredentials && "credentials",
  ...(p.uses ?? []).flatMap((u) => [u.virtualHost, u.match]),
].filter(Boolean).join(" ");

// grants is a list of terms for what a policy says.
export function grants(p) {
  const safelisted = "the safelisted ones only";
  return el("dl", {},
    item("Origins", entries(p.allowOrigins, "origins") ?? (p.allowOriginRegexes ? "by expression only" : "nobody"), anybody(p) && " (anybody)"),
    p.allowOriginRegexes && item("By expression", entries(p.allowOriginRegexes, "expressions")),
    p.denyOrigins && item("Except", entries(p.denyOrigins, "exceptions")),
    item("Credentials", p.allowCredentials ? el("strong", {}, "allowed") : "not allowed"),
    item("Methods", p.allowMethods && "GET, HEAD, POST, ", entries(p.allowMethods, "methods") ?? "GET, HEAD and POST only"),
    item("Headers", entries(p.allowHeaders, "headers") ?? safelisted),
    item("Exposed", entries(p.exposeHeaders, "exposed headers") ?? safelisted, p.exposeUpstream && ", and what the upstream exposes"),
    item("Max age", p.maxAge || "not set: browsers keep a preflight for 5 seconds"),
    p.preflightStatus !== 204 && item("Preflights", `answered with ${p.preflightStatus}`),
    p.fixedOrigin && item("Fixed origin", "every answer names this origin, whoever asks"),
    p.allowPrivateNetwork && item("Private network", "access is granted"),
    item("Used at", uses(p)));
}

const item = (term, ...what) => [el("dt", {}, term), el("dd", {}, ...what)];

const shown = 6; // entries of a list, before the rest is folded

// entries shows a list of a policy; undefined where there is none.
function entries(list, name) {
  if (!list?.total) return undefined;
  const { entries: all = [], total } = list;
  return [
    separated(all.slice(0, shown).map((e) => code(e))),
    folded(all.slice(shown), name, (rest) => el("p", {}, separated(rest.map((e) => code(e))))),
    beyond(total - all.length),
  ];
}

function uses({ uses: all = [], usesTotal = 0 }) {
  if (!usesTotal) return "no place";
  const lines = (some) => el("ul", { class: "headers" }, some.map((u) => el("li", {}, use(u))));
  return [lines(all.slice(0, shown)), folded(all.slice(shown), "places", lines), beyond(usesTotal - all.length)];
}

export const kinds = { route_name: "route", path: "path", prefix: "prefix", path_separated_prefix: "path prefix", regex: "regex" };

const use = (u) => [
  u.kind ? [`${kinds[u.kind] ?? u.kind} `, code(u.match), " of ", code(u.virtualHost)] : code(u.virtualHost),
  u.candidate && ", as a candidate", u.inherited && `, and at ${plural(u.inherited, "place")} inside that ${u.inherited === 1 ? "takes" : "take"} its list over`,
  " ", placed(u.at),
];

const beyond = (n) => n > 0 && el("p", { class: "note" }, `${count(n)} more in `, el("a", { href: "config" }, "the set in force"), ".");

// folded is the rest of a list, which is made when it is looked at.
function folded(rest, name, show) {
  if (!rest.length) return undefined;
  const body = el("div");
  const details = el("details", { ontoggle: () => fill(body, details.open && show(rest)) }, el("summary", {}, `${count(rest.length)} more ${name}`), body);
  return details;
}
