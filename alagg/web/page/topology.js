// The picture: this node, its peers, and between them the links, by state and load.

import { by, h, s, say } from "./dom.js";
import { rate, symbol } from "./words.js";

const ROW = 34;
const GAP = 18;
const PEERS = 16;
const LINKS = 48;
const RANK = { bad: 0, note: 1, unknown: 1, ok: 2, idle: 2 };

/** Draw it anew. */
export function showTopology(links) {
  const peers = grouped(links);
  const shown = chosen(peers);
  const place = by("topology");
  if (place.clientWidth) place.replaceChildren(draw(shown, place.clientWidth));
  const rest = peers.length - shown.length;
  say(by("topology-more"), rest ? `${rest} more peers, whose links are no worse than those shown.` : "");
}

function grouped(links) {
  const peers = new Map();
  for (const link of links) {
    if (!peers.has(link.peer)) peers.set(link.peer, []);
    peers.get(link.peer).push(link);
  }
  return [...peers].map(([name, members]) => ({ name, links: members }));
}

const rank = (peer) => Math.min(...peer.links.map((link) => RANK[link.level]));

/** Where there is no room for all, those with the worst links. */
function chosen(peers) {
  if (peers.length <= PEERS) return peers;
  return [...peers].sort((a, b) => rank(a) - rank(b)).slice(0, PEERS);
}

function draw(peers, width) {
  const box = Math.max(84, Math.min(150, width * 0.2));
  const most = Math.max(1, ...peers.flatMap((peer) => peer.links.map(load)));
  let y = GAP;
  const parts = [];
  const rows = [];
  for (const peer of peers) {
    const members = peer.links.slice(0, LINKS);
    const height = members.length * ROW;
    members.forEach((link, index) => rows.push({ link, y: y + ROW * (index + 0.5) }));
    parts.push(node(width - box - 1, y, box, height, peer.name));
    y += height + GAP;
  }
  const middle = y / 2;
  const tall = Math.min(y - 2 * GAP, Math.max(56, rows.length * 12));
  const lines = rows.map((row, index) => {
    const from = middle + (rows.length > 1 ? (index / (rows.length - 1) - 0.5) * (tall - 24) : 0);
    return line(row.link, from, row.y, box, width - box, most);
  });
  const host = node(1, middle - tall / 2, box, tall, "this node");
  const words = rows.map(({ link }) => `${link.name} to ${link.peer}: ${link.state}`).join("; ");
  return s("svg", { width, height: y, role: "img", "aria-label": `Topology. ${words}` }, ...lines, host, ...parts);
}

const load = (link) => (link.out ?? 0) + (link.in ?? 0);

function node(x, y, width, height, name) {
  const text = s("text", { x: x + width / 2, y: y + height / 2, class: "node-name" }, shortened(name, width));
  return s("g", {}, s("title", {}, name), s("rect", { x, y, width, height, rx: 8, class: "node" }), text);
}

function shortened(name, width) {
  const room = Math.floor((width - 12) / 7.6);
  return name.length <= room ? name : `${name.slice(0, room - 1)}…`;
}

/** What stands beside a link's name: what is wrong with it, or what it carries, as far as there is room. */
function told(link, room) {
  const state = link.state === "up" ? "" : link.state;
  const words = [...link.faults, state].filter((text) => text.length <= room)[0] ?? "";
  if (link.level === "bad" || link.level === "note") return words;
  const carried = `${rate(link.out)} out, ${rate(link.in)} in`;
  return carried.length <= room ? carried : "";
}

function line(link, from, to, left, right, most) {
  const bend = left + Math.min(90, (right - left) * 0.28);
  const half = (left + bend) / 2;
  const path = `M ${left} ${from} C ${half} ${from} ${half} ${to} ${bend} ${to} L ${right} ${to}`;
  const thick = 2 + 6 * Math.sqrt(load(link) / most);
  const words = `${symbol(link.level)} ${link.name}`;
  const room = Math.floor((right - bend - 20) / 7) - words.length;
  return s(
    "g", { class: "line", "data-level": link.level },
    s("title", {}, [`${link.name}: ${link.state}`, ...link.faults].join(", ")),
    s("path", { d: path, "stroke-width": thick.toFixed(1) }),
    s("text", { x: bend + 6, y: to - thick / 2 - 4 }, words, s("tspan", { class: "more", dx: 8 }, told(link, room))),
  );
}
