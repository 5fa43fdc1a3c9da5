// Live charts by uPlot, one line for each link, and the states over time.

import { by, colour, h, s, say } from "./dom.js";
import { clock, ms, rate, tick } from "./words.js";

const RANGES = [[60, "minute"], [600, "10 minutes"], [3600, "hour"]];
const LINES = 12;
const percents = (value) => `${Number(value.toPrecision(2))} %`;
const CHARTS = [
  { name: "out", title: "Sent", text: rate },
  { name: "in", title: "Received", text: rate },
  { name: "rtt", title: "Round trip", text: ms },
  { name: "loss", title: "Loss", text: percents },
  { name: "queue", title: "Queue", text: ms },
];
const DASHES = [[], [8, 4], [2, 3]];

export class Charts {
  constructor() {
    this.range = 60;
    this.charts = [];
    this.drawn = "";
    this.#ranges();
    this.figures = CHARTS.map((chart) => this.#figure(chart));
    this.states = h("div", { class: "states" });
    const states = h("figure", {}, h("figcaption", {}, h("span", {}, "States")), this.states);
    by("charts").replaceChildren(...this.figures.map((figure) => figure.element), states);
    new ResizeObserver(() => this.#fit()).observe(by("charts"));
  }

  /** The colour of each link that has a line, by its key. */
  colours(links) {
    return new Map(this.#lines(links).map((link, index) => [link.key, colour(`--line-${index % 8}`)]));
  }

  /** Draw what the store has. */
  show(store) {
    this.store = store;
    const lines = this.#lines(store.links);
    const drawn = JSON.stringify([lines.map((link) => link.key), document.documentElement.dataset.theme ?? "", dark()]);
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.#rebuild(lines);
    }
    this.#update(lines);
  }

  #lines(links) {
    const bad = links.filter((link) => link.level === "bad").slice(0, LINES);
    const few = links.length <= LINES ? links : [...new Set([...bad, ...links])].slice(0, LINES);
    return links.filter((link) => few.includes(link));
  }

  #ranges() {
    for (const [seconds, words] of RANGES) {
      const input = h("input", { type: "radio", name: "range", value: seconds, checked: seconds === this.range });
      input.addEventListener("change", () => {
        this.range = seconds;
        if (this.store) this.show(this.store);
      });
      by("range").append(h("label", {}, input, words));
    }
  }

  #figure(chart) {
    const readout = h("span", { class: "readout" });
    const place = h("div", { class: "plot", role: "img", "aria-label": chart.title });
    const element = h("figure", {}, h("figcaption", {}, h("span", {}, chart.title), readout), place);
    return { chart, element, place, readout };
  }

  #rebuild(lines) {
    for (const plot of this.charts) plot.destroy();
    this.charts = this.figures.map((figure) => this.#plot(figure, lines));
    const names = lines.map((link, index) => {
      const swatch = h("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.background = colour(`--line-${index % 8}`);
      return h("li", {}, swatch, link.name);
    });
    by("legend").replaceChildren(...names);
  }

  #plot({ chart, place, readout }, lines) {
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false } };
    const series = lines.map((link, index) => ({
      label: link.name, stroke: colour(`--line-${index % 8}`), width: 2, points: { show: false },
      dash: DASHES[Math.floor(index / 8) % DASHES.length], spanGaps: false,
    }));
    const options = {
      width: Math.max(place.clientWidth, 100), height: 150, legend: { show: false },
      cursor: { sync: { key: "alagg" }, y: false, drag: { setScale: false } }, series: [{}, ...series],
      scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [{ ...axis, size: 28, space: 90, values: (_, times, __, ___, step) => times.map((time) => tick(time, step)) }, {
        ...axis, size: 76, space: 28, values: (_, values) => values.map((value) => chart.text(value)),
      }],
      hooks: { setCursor: [(plot) => say(readout, this.#read(plot, chart, lines))] },
    };
    return new window.uPlot(options, [[], ...lines.map(() => [])], place);
  }

  #read(plot, chart, lines) {
    const at = plot.cursor.idx;
    if (at === null || at === undefined || plot.data[0][at] === undefined) return "";
    const values = lines.map((link, index) => [link.name, plot.data[index + 1][at]]);
    const words = values.filter(([, value]) => value !== null).map(([name, value]) => `${name} ${chart.text(value)}`);
    return [clock(new Date(1000 * plot.data[0][at])), ...words].join(" · ");
  }

  #update(lines) {
    const { times, series } = this.store;
    const now = times[times.length - 1];
    const first = Math.max(0, times.findIndex((time) => time >= now - this.range));
    const x = times.slice(first);
    this.charts.forEach((plot, index) => {
      const { chart, place, element } = this.figures[index];
      const values = lines.map((link) => series.get(link.key)[chart.name].slice(first));
      element.hidden = chart.name === "queue" && !values.some((line) => line.some((value) => value !== null));
      plot.setData([x, ...values], false);
      plot.batch(() => {
        plot.setScale("x", { min: now - this.range, max: now });
      });
      const last = lines.map((link, line) => [link.name, values[line][values[line].length - 1]]);
      const words = last.map(([name, value]) => `${name} ${value === null ? "no value" : chart.text(value)}`);
      place.setAttribute("aria-label", `${chart.title}, now: ${words.join(", ")}`);
    });
    this.#showStates(lines, now);
  }

  #showStates(lines, now) {
    const width = this.states.clientWidth;
    if (!width) return;
    const from = now - this.range;
    const x = (time) => Math.max(0, ((time - from) / this.range) * width);
    const rows = lines.map((link, index) => {
      const runs = this.store.runs.get(link.key).filter((run) => run.to >= from);
      const y = index * 34;
      const bars = runs.map((run) => {
        const end = Math.max(x(run.to), x(run.from) + 2);
        return s(
          "rect", { x: x(run.from), y: y + 16, width: end - x(run.from), height: 12, "data-level": run.level },
          s("title", {}, `${link.name} ${run.state}, ${clock(new Date(1000 * run.from))}`),
        );
      });
      return s("g", {}, s("text", { x: 0, y: y + 11 }, `${link.name}: ${link.state}`), ...bars);
    });
    const words = lines.map((link) => `${link.name} ${link.state}`).join(", ");
    const height = Math.max(lines.length * 34, 1);
    this.states.replaceChildren(s("svg", { width, height, role: "img", "aria-label": `States, now: ${words}` }, ...rows));
  }

  #fit() {
    this.charts.forEach((plot, index) => {
      const width = this.figures[index].place.clientWidth;
      if (width && width !== plot.width) plot.setSize({ width, height: 150 });
    });
  }
}

const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;
