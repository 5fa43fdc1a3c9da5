// What is known of the links: the newest status, rates from the growth of counters, and the last hour for the charts.

import { isMeasured, levelOf } from "./words.js";

const KEPT = 3600;
const keyOf = (link) => `${link.peer}/${link.name}`;
const grown = (now, before) => (now >= before ? now - before : now); // a node that began anew counts from zero

export class Store {
  constructor() {
    this.status = null;
    this.links = [];
    this.times = [];
    this.series = new Map();
    this.runs = new Map();
  }

  /** Take a status that has just come. */
  take(status, now) {
    if (this.status && this.status.uptime_s === status.uptime_s && this.status.pid === status.pid) return;
    const before = new Map(this.links.map((link) => [link.key, link]));
    const seconds = this.status ? status.uptime_s - this.status.uptime_s : 0;
    const faults = new Map(status.verdict.links.map((link) => [keyOf(link), link.faults]));
    this.links = status.links.map((link) => this.#link(link, before.get(keyOf(link)), seconds, faults));
    this.status = status;
    this.#keep(now);
  }

  #link(link, before, seconds, faults) {
    const key = keyOf(link);
    const told = faults.get(key) ?? [];
    const rate = (name) => (before && seconds > 0 ? (8 * grown(link[name], before[name])) / seconds : null);
    const level = told.length ? (levelOf(link.state) === "note" ? "note" : "bad") : levelOf(link.state);
    return { ...link, key, level, faults: told, out: rate("tx_bytes"), in: rate("rx_bytes") };
  }

  #keep(now) {
    this.times.push(now);
    for (const link of this.links) {
      if (!this.series.has(link.key)) this.series.set(link.key, { out: [], in: [], rtt: [], loss: [], queue: [] });
      const series = this.series.get(link.key);
      const answers = isMeasured(link);
      const values = {
        out: link.out, in: link.in, rtt: answers ? link.rtt_ms : null,
        loss: answers ? worst(link.loss, link.tx_loss) : null, queue: answers ? link.queue_ms ?? null : null,
      };
      for (const [name, value] of Object.entries(values)) {
        // A link that came later has nothing to show for the time before.
        while (series[name].length < this.times.length - 1) series[name].push(null);
        series[name].push(value ?? null);
      }
      this.#run(link, now);
    }
    this.#forget();
  }

  #run(link, now) {
    if (!this.runs.has(link.key)) this.runs.set(link.key, []);
    const runs = this.runs.get(link.key);
    const last = runs[runs.length - 1];
    if (last && last.state === link.state && last.level === link.level) last.to = now;
    else {
      if (last) last.to = now;
      runs.push({ from: now, to: now, state: link.state, level: link.level });
    }
  }

  #forget() {
    const there = new Set(this.links.map((link) => link.key));
    for (const key of this.series.keys()) {
      if (there.has(key)) continue;
      this.series.delete(key);
      this.runs.delete(key);
    }
    if (this.times.length <= KEPT + 60) return;
    const old = this.times.length - KEPT;
    this.times.splice(0, old);
    for (const series of this.series.values()) for (const values of Object.values(series)) values.splice(0, old);
    for (const runs of this.runs.values()) while (runs.length && runs[0].to < this.times[0]) runs.shift();
  }
}

function worst(one, other) {
  const known = [one, other].filter((value) => value !== null && value !== undefined);
  return known.length ? 100 * Math.max(...known) : null;
}
