// Numbers and states for people. What is wrong, and why, is never worded here: that comes from the node.

const STATES = {
  up: "ok", standby: "idle", new: "note", wary: "note", suspect: "note", capped: "note", blocked: "note",
  silent: "bad", down: "bad",
};
const SYMBOLS = { ok: "●", note: "▲", bad: "✕", idle: "○", unknown: "?" };

const DEAD = new Set(["silent", "down"]);

/** Whether what was measured on a link says something of now. */
export const isMeasured = (link) => !DEAD.has(link.state);

/** How bad a state is: ok, note, bad, idle. */
export const levelOf = (state) => STATES[state] ?? "unknown";

/** A sign that needs no colour. */
export const symbol = (level) => SYMBOLS[level] ?? "?";

function scaled(value, units, digits = 3) {
  let index = 0;
  while (index < units.length - 1 && Math.abs(value) >= 999.5) {
    value /= 1000;
    index += 1;
  }
  return `${Number(value.toPrecision(digits))} ${units[index]}`;
}

const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);

export const rate = (value) => (known(value) ? scaled(Math.round(value), ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]) : "–");
/** What an axis says of times that are `step` seconds apart. */
export const tick = (seconds, step) =>
  new Date(1000 * seconds).toLocaleTimeString([], step < 60 ? { ...TIME, second: "2-digit" } : TIME);

/** Milliseconds for people: what is below a hundredth tells nobody anything. */
export const figure = (value) => String(Number(value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)));
export const ms = (value) => (known(value) ? `${figure(value)} ms` : "–");
export const percent = (value) => (known(value) ? `${Number((100 * value).toPrecision(3))} %` : "–");
export const bytes = (value) => (known(value) ? scaled(value, ["B", "kB", "MB", "GB", "TB"]) : "–");

export function duration(seconds) {
  const parts = [
    [Math.floor(seconds / 86400), "d"], [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"], [Math.floor(seconds) % 60, "s"],
  ];
  return parts.filter(([value]) => value).slice(0, 2).map(([value, unit]) => `${value} ${unit}`).join(" ") || "0 s";
}

const TIME = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

/** A time of day, with its date where that is not today. */
export function clock(date) {
  const time = date.toLocaleTimeString([], { ...TIME, second: "2-digit" });
  return date.toDateString() === new Date().toDateString() ? time : `${date.toLocaleDateString()} ${time}`;
}
