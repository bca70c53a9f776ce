// What is in force, at a glance.

import { announce, byId, code, fill, say, whenNew } from "./dom.js";
import { ago, clock, count, plural } from "./format.js";

let was; // what was announced

export function showSummary(status) {
  const { inForce, traffic, ready = false, time } = status;
  const failed = status.reloads?.[0] && !status.reloads[0].successful;
  const state = ready ? "ready" : "not ready";
  say(byId("ready"), state);
  byId("ready").className = ready ? "badge good" : "badge bad";
  say(byId("version"), status.version ?? "");
  document.title = `corsproc: ${failed ? "policy files not loaded" : state}`;
  if (was !== undefined && was !== state) announce(`corsproc is ${state}`);
  was = state;

  byId("since").dateTime = inForce.since;
  byId("since").title = clock(inForce.since);
  say(byId("since"), ago(inForce.since, time));
  if (traffic) {
    say(byId("connections"), `${count(traffic.connections)} of at most ${count(traffic.connectionsMax)}`);
    say(byId("streams"), count(traffic.streams));
  }
  set({ hash: inForce.hash, path: inForce.path, files: inForce.files?.length ?? 0,
    policies: inForce.policiesTotal ?? 0, hosts: inForce.virtualHostsTotal ?? 0 });
}

const set = whenNew(({ hash, path, files, policies, hosts }) => {
  fill(byId("hash"), code(hash));
  fill(byId("path"), code(path), files > 1 && ` (${files >= 500 ? "500 files or more" : plural(files, "file")})`);
  say(byId("totals"), `${plural(policies, "policy", "policies")}, ${plural(hosts, "virtual host")} with default`);
});
