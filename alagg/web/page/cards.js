// A card for each link: its state and the reason in the node's words, and what was measured.

import { by, h, say } from "./dom.js";
import { setBlocked } from "./steer.js";
import { bytes, figure, isMeasured, levelOf, ms, percent, rate, symbol } from "./words.js";

const FIRST = 48;
const cards = new Map();
let all = false;
let there = [];

const now = (link, text) => (isMeasured(link) ? text : "–");

function roundTrip(link) {
  if (link.rtt_ms === null || !isMeasured(link)) return "–";
  return `${figure(link.rtt_ms)} ± ${ms(link.jitter_ms)}`;
}

const FIGURES = [
  ["Sent", (link) => rate(link.out)],
  ["Received", (link) => rate(link.in)],
  ["Round trip", roundTrip],
  ["Queue", (link) => (link.queue_ms === undefined ? null : now(link, ms(link.queue_ms)))],
  ["Lost in / out", (link) => now(link, `${percent(link.loss)} / ${percent(link.tx_loss)}`)],
  ["Carries", (link) => (link.capacity_bps ? rate(link.capacity_bps) : null)],
  ["Rate", (link) => (link.rate_bps ? rate(link.rate_bps) : null)],
  ["Share", (link) => (link.share === undefined || link.share === null ? null : percent(link.share))],
  ["Cap used", (link) => (link.cap_used_bytes ? bytes(link.cap_used_bytes) : null)],
  ["Path MTU", (link) => (link.path_mtu ? `${link.path_mtu} B` : null)],
];

const ORDER = { bad: 0, note: 1, unknown: 1, ok: 2, idle: 2 };

/** Show the links, those that are bad first where not all have room. */
export function showCards(links, colours) {
  there = links;
  const few = all || links.length <= FIRST;
  const shown = few ? links : [...links].sort((a, b) => ORDER[a.level] - ORDER[b.level]).slice(0, FIRST);
  const keys = new Set(shown.map((link) => link.key));
  for (const [key, card] of cards) {
    if (keys.has(key)) continue;
    card.element.remove();
    cards.delete(key);
  }
  shown.forEach((link, index) => place(link, index, colours.get(link.key)));
  const more = by("more-cards");
  more.hidden = few;
  say(more, `Show all ${links.length} links`);
}

by("more-cards").addEventListener("click", () => {
  all = true;
});

function place(link, index, colour) {
  const list = by("cards");
  if (!cards.has(link.key)) cards.set(link.key, make(link));
  const card = cards.get(link.key);
  if (list.children[index] !== card.element) list.insertBefore(card.element, list.children[index] ?? null);
  update(card, link, colour);
}

function make(link) {
  const title = h("h3", {}, h("span", { class: "swatch", "aria-hidden": "true" }), link.name);
  const state = h("span", { class: "state" });
  const where = h("p", { class: "where" });
  const faults = h("ul", { class: "faults" });
  const figures = FIGURES.map(([name]) => [h("dt", {}, name), h("dd")]);
  const list = h("dl", {}, ...figures.map((pair) => h("div", {}, ...pair)));
  const button = h("button", { type: "button" });
  const answer = h("span", { class: "answer", role: "status" });
  const steering = h("p", { class: "steering" }, button, answer);
  const element = h("li", { class: "card" }, h("div", { class: "headline" }, title, state), where, faults, list, steering);
  const card = { element, state, where, faults, figures, button, answer, link, swatch: title.firstChild };
  button.addEventListener("click", () => steer(card));
  return card;
}

/** Block the card's link, or use it again. */
async function steer(card) {
  const { link, button, answer } = card;
  const blocked = link.state !== "blocked";
  const others = there.filter((one) => one.peer === link.peer && one.key !== link.key);
  const last = !others.some((one) => ["up", "suspect", "standby"].includes(one.state));
  if (blocked && last && !confirm(`No other link to ${link.peer} is up. Block ${link.name} all the same?`)) return;
  button.disabled = true;
  say(answer, "");
  say(answer, await setBlocked(link, blocked));
  button.disabled = false;
}

function update(card, link, colour) {
  card.link = link;
  card.element.dataset.level = link.level;
  say(card.button, link.state === "blocked" ? "Unblock" : "Block");
  card.button.setAttribute("aria-label", `${card.button.textContent} ${link.name} to ${link.peer}`);
  card.swatch.style.background = colour ?? "transparent";
  const level = levelOf(link.state);
  card.state.dataset.level = level;
  say(card.state, `${symbol(level)} ${link.state}`);
  say(card.where, [`to ${link.peer}`, link.type, link.interface, link.remote].filter(Boolean).join(" · "));
  if (card.faults.textContent !== link.faults.join("")) {
    card.faults.replaceChildren(...link.faults.map((fault) => h("li", {}, fault)));
  }
  FIGURES.forEach(([, value], index) => {
    const text = value(link);
    const [, cell] = card.figures[index];
    cell.parentElement.hidden = text === null;
    say(cell, text ?? "");
  });
}
