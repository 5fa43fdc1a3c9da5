// The time line of events, the newest first, in the words of the node's log.

import { by, h } from "./dom.js";
import { clock, levelOf as levelOfState, symbol } from "./words.js";

const SHOWN = 200;

/** How bad an event is, by what the node says of it. */
function levelOf(event) {
  if (event.bad === true || event.kind === "not_reloaded" || event.kind === "dropped") return "bad";
  return event.state ? levelOfState(event.state) : "ok";
}

export function addEvent(event) {
  const level = levelOf(event);
  const date = new Date(event.time);
  const time = h("time", { datetime: event.time }, Number.isNaN(date.getTime()) ? event.time : clock(date));
  const sign = h("span", { class: "sign", "aria-hidden": "true" }, symbol(level));
  const list = by("events");
  list.prepend(h("li", { "data-level": level }, time, sign, h("span", {}, event.text ?? event.kind)));
  while (list.children.length > SHOWN) list.lastChild.remove();
  by("no-events").hidden = true;
}

export function clearEvents() {
  by("events").replaceChildren();
  by("no-events").hidden = false;
}
