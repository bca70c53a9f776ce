// How times, counts and places are written.

import { code, el } from "./dom.js";

const counts = new Intl.NumberFormat("en");

// count writes a number. 64-bit numbers come as text.
export const count = (n) => counts.format(Number(n ?? 0));

const roundCounts = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

// short writes a number for a narrow column: from 100,000 on it is rounded.
export const short = (n) => (Number(n ?? 0) < 100_000 ? count(n) : roundCounts.format(Number(n)));

// plural writes a number of things.
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${Number(n ?? 0) === 1 ? one : many}`;

// clock writes a time in the reader's own time zone.
export function clock(time) {
  const t = new Date(time);
  const two = (n) => String(n).padStart(2, "0");
  return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
}

// span writes a number of seconds, roughly.
export function span(seconds) {
  seconds = Math.max(0, Math.round(seconds));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

const between = (from, to) => (new Date(to) - new Date(from)) / 1000;

export const ago = (time, now) => `${span(between(time, now))} ago`;
export const left = (time, now) => `${span(between(now, time))} left`;

// place writes a place in a file.
export const place = (at) => (at ? `${at.file}:${at.line}:${at.column}` : "");

// placed is a place as an element; nothing where there is none.
export const placed = (at) => at && el("span", { class: "place" }, code(place(at)));

// reason writes a reason as words.
export const reason = (r) => (r || "none").replaceAll("_", " ");
