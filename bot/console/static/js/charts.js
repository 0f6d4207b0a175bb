// Lines and bars as SVG, with their numbers as text beside them. Colours come from the stylesheet.

import { h, s } from "./dom.js";
import { amount } from "./format.js";

const WIDTH = 720;

/** A small line without axes, for a table. */
export function sparkline(values, { width = 96, height = 24 } = {}) {
  const known = values.filter((value) => Number.isFinite(value));
  if (known.length < 2) return h("span", { class: "quietly small" }, "");
  const up = known.at(-1) >= known[0];
  return s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: `spark ${up ? "rising" : "falling"}`, "aria-hidden": "true" },
    s("path", { d: path(known.map((value, index) => [index, value]), width, height, 2), class: "line" }));
}

function path(points, width, height, inset) {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const x = (value) => inset + (right === left ? 0 : (value - left) / (right - left)) * (width - 2 * inset);
  const y = (value) => height - inset - (high === low ? 0.5 : (value - low) / (high - low)) * (height - 2 * inset);
  return points.map(([px, py], index) => `${index ? "L" : "M"}${x(px).toFixed(1)} ${y(py).toFixed(1)}`).join("");
}

/** A line over time. `points`: [unix milliseconds, number]; says its range in words for those who do not see it. */
export function lineChart(points, { title, unit = "", height = 220, places = 2, kind = "" }) {
  const known = points.filter(([, value]) => Number.isFinite(value));
  if (known.length < 2) return h("p", { class: "empty" }, `${title}: not enough readings yet.`);
  const values = known.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const text = `${title}: from ${amount(String(values[0]), places)} to ${amount(String(values.at(-1)), places)} ${unit}, lowest ${amount(String(low), places)}, highest ${amount(String(high), places)}`;
  const label = (value, y) => s("text", { x: 4, y, class: "axis" }, amount(String(value), places));
  return h("figure", { class: "chart" }, h("figcaption", {}, title, " ", h("span", { class: "quietly small" }, unit)),
    s("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": text, class: kind },
      grid(height), s("path", { d: path(known, WIDTH, height, 14), class: "line" }), label(high, 12), label(low, height - 3)),
    h("p", { class: "quietly small" }, text.slice(title.length + 2)));
}

function grid(height) {
  return [0.25, 0.5, 0.75].map((part) => s("line", { x1: 0, x2: WIDTH, y1: part * height, y2: part * height, class: "grid" }));
}

/** A bar for each day or name; bars below zero hang. `bars`: [{ name, value }]. */
export function barChart(bars, { title, unit = "", height = 180, places = 2 }) {
  const known = bars.filter((bar) => Number.isFinite(bar.value));
  if (!known.length) return h("p", { class: "empty" }, `${title}: nothing yet.`);
  const most = Math.max(...known.map((bar) => Math.abs(bar.value)), 1e-12);
  const below = known.some((bar) => bar.value < 0);
  const zero = below ? height / 2 : height - 4;
  const scale = (below ? height / 2 - 6 : height - 10) / most;
  const step = WIDTH / known.length;
  const drawn = known.map((bar, index) => {
    const size = Math.max(1, Math.abs(bar.value) * scale);
    return s("rect", { x: index * step + step * 0.12, width: Math.min(step * 0.76, 60), y: bar.value >= 0 ? zero - size : zero, height: size, class: bar.value >= 0 ? "up" : "down" },
      s("title", {}, `${bar.name}: ${amount(String(bar.value), places)} ${unit}`));
  });
  const text = `${title}: ${known.length} bars, the largest ${amount(String(Math.max(...known.map((bar) => bar.value))), places)}, the smallest ${amount(String(Math.min(...known.map((bar) => bar.value))), places)} ${unit}`;
  return h("figure", { class: "chart" }, h("figcaption", {}, title, " ", h("span", { class: "quietly small" }, unit)),
    s("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": text }, s("line", { x1: 0, x2: WIDTH, y1: zero, y2: zero, class: "zero" }), drawn));
}

/** Candles with lines over them and marks of trades. `candles`: [unix seconds, open, high, low, close]. */
export function candleChart(candles, { title, lines = [], marks = [], levels = [], height = 320 }) {
  if (candles.length < 2) return h("p", { class: "empty" }, `${title}: no candles are known.`);
  const shown = candles.slice(-160);
  const values = [...shown.flatMap(([, , high, low]) => [high, low]), ...levels.map((each) => each.price)];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const step = WIDTH / shown.length;
  const y = (value) => height - 10 - ((value - low) / (high - low || 1)) * (height - 20);
  const at = (seconds) => {
    const index = shown.findIndex(([opened]) => opened > seconds) - 1;
    return ((index < -1 ? shown.length - 1 : Math.max(0, index)) + 0.5) * step;
  };
  const bodies = shown.map(([, open, top, bottom, close], index) => s("g", { class: close >= open ? "up" : "down" },
    s("line", { x1: (index + 0.5) * step, x2: (index + 0.5) * step, y1: y(top), y2: y(bottom) }),
    s("rect", { x: index * step + step * 0.2, width: Math.max(1, step * 0.6), y: y(Math.max(open, close)), height: Math.max(1, Math.abs(y(open) - y(close))) })));
  const over = lines.map((line, number) => {
    // Its values end with the last candle; an indicator that warms up begins later.
    const values = line.values.slice(-shown.length);
    const points = values.map((value, index) => [(shown.length - values.length + index + 0.5) * step, value]).filter(([, value]) => Number.isFinite(value));
    return s("path", { d: points.map(([x, value], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y(value).toFixed(1)}`).join(""), class: `over over-${number % 4}` }, s("title", {}, line.name));
  });
  const ruled = levels.map((each) => [s("line", { x1: 0, x2: WIDTH, y1: y(each.price), y2: y(each.price), class: "level" }), s("text", { x: 4, y: y(each.price) - 3, class: "axis" }, `${each.name} ${each.price}`)]);
  const trades = marks.filter((mark) => mark.at >= shown[0][0]).map((mark) => s("path", { d: mark.side === "buy" ? `M${at(mark.at)} ${y(mark.price) + 4}l-5 9h10z` : `M${at(mark.at)} ${y(mark.price) - 4}l-5 -9h10z`, class: `mark ${mark.side}` }, s("title", {}, mark.text)));
  return h("figure", { class: "chart" }, h("figcaption", {}, title, " ", lines.map((line, number) => h("span", { class: `small key key-${number % 4}` }, line.name, " "))),
    s("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": `${title}: ${shown.length} candles from ${low} to ${high}, ${trades.length} trades of ours` }, ruled, bodies, over, trades,
      s("text", { x: WIDTH - 4, y: 12, class: "axis", "text-anchor": "end" }, String(high)), s("text", { x: WIDTH - 4, y: height - 3, class: "axis", "text-anchor": "end" }, String(low))));
}
