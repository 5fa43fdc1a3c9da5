// The dashboard: takes what the web process pushes, and shows it.

import { showCards } from "./cards.js";
import { Charts } from "./charts.js";
import { by, say } from "./dom.js";
import { Store } from "./store.js";
import { follow } from "./stream.js";
import { addEvent, clearEvents } from "./timeline.js";
import { showTopology } from "./topology.js";
import { showVerdict } from "./verdict.js";
import { clock, duration } from "./words.js";

const store = new Store();
const charts = new Charts();
let seen = null;

function show() {
  if (!store.status) return;
  const { status, links } = store;
  say(by("node"), `${status.version}, ${status.engine} engine, up ${duration(status.uptime_s)}`);
  showVerdict(status.verdict);
  showTopology(links);
  showCards(links, charts.colours(links));
  charts.show(store);
}

/** Say that what is shown is not of now. */
function stale(why) {
  document.body.classList.add("stale");
  by("live").dataset.level = "bad";
  say(by("live"), seen ? `${why}; shown is what was at ${clock(seen)}` : why);
  if (!seen) say(by("verdict-text"), why);
}

follow({
  begin: clearEvents,
  event: addEvent,
  trouble: ({ text }) => stale(text),
  lost: () => stale("no connection to the web process"),
  status: (status) => {
    seen = new Date();
    document.body.classList.remove("stale");
    by("live").dataset.level = "ok";
    say(by("live"), "live");
    store.take(status, seen.getTime() / 1000);
    show();
  },
});

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : systemIsDark.matches;
}

function showTheme() {
  by("theme").setAttribute("aria-pressed", String(isDark()));
  show();
}

by("theme").addEventListener("click", () => {
  const chosen = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = chosen;
  try {
    localStorage.setItem("alagg-theme", chosen);
  } catch {
    // It lasts as long as the page, then.
  }
  showTheme();
});
systemIsDark.addEventListener("change", showTheme);
showTheme();

let width = 0;
new ResizeObserver(([entry]) => {
  if (Math.abs(entry.contentRect.width - width) < 1) return;
  width = entry.contentRect.width;
  show();
}).observe(by("topology"));
