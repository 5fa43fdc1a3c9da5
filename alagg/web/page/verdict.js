// The verdict: the node's own words for what is wrong now.

import { by, h, say } from "./dom.js";
import { symbol } from "./words.js";

export function showVerdict(verdict) {
  by("verdict").dataset.level = verdict.level;
  say(by("verdict-text"), `${symbol(verdict.level)} ${verdict.text}`);
  const lines = verdict.lines.map((line) => h("li", { "data-level": line.level }, line.text));
  by("verdict-lines").replaceChildren(...lines);
  document.title = `${symbol(verdict.level)} ${verdict.text} – alagg`;
  by("icon").href = verdict.level === "bad" ? "/page/icon-bad.svg" : "/page/icon-ok.svg";
}
