// Makes elements. Text is only ever set as text, so nothing that the node says can become markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const by = (id) => document.getElementById(id);
export const h = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
export const s = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

/** Set an element's text where it differs: a live region then speaks only of what is new. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The value of a colour of the theme in force. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
