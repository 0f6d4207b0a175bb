// Lines and bars as SVG, with their numbers as text beside them. Colours come from the stylesheet.

import { chartWidth } from "./candles.js";
import { h, s } from "./dom.js";
import { amount } from "./format.js";

// Under the bars stand their names.
const NAMES = 20;

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
  const WIDTH = chartWidth();
  const known = points.filter(([, value]) => Number.isFinite(value));
  if (known.length < 2) return h("p", { class: "empty" }, `${title}: not enough readings yet.`);
  const values = known.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const text = `${title}: from ${amount(String(values[0]), places)} to ${amount(String(values.at(-1)), places)} ${unit}, lowest ${amount(String(low), places)}, highest ${amount(String(high), places)}`;
  const label = (value, y) => s("text", { x: 4, y, class: "axis" }, amount(String(value), places));
  return h("figure", { class: "chart" }, h("figcaption", {}, title, " ", h("span", { class: "quietly small" }, unit)),
    s("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": text, class: kind },
      grid(height, WIDTH), s("path", { d: path(known, WIDTH, height, 14), class: "line" }), label(high, 12), label(low, height - 3)),
    h("p", { class: "quietly small" }, text.slice(title.length + 2)));
}

function grid(height, width) {
  return [0.25, 0.5, 0.75].map((part) => s("line", { x1: 0, x2: width, y1: part * height, y2: part * height, class: "grid" }));
}

/** A bar for each day or name; bars below zero hang. `bars`: [{ name, value }]. */
export function barChart(bars, { title, unit = "", height = 180, places = 2 }) {
  const WIDTH = chartWidth();
  const known = bars.filter((bar) => Number.isFinite(bar.value));
  if (!known.length) return h("p", { class: "empty" }, `${title}: nothing yet.`);
  const most = Math.max(...known.map((bar) => Math.abs(bar.value)), 1e-12);
  const below = known.some((bar) => bar.value < 0);
  const above = known.some((bar) => bar.value > 0);
  const zero = below && above ? (height - NAMES) / 2 : below ? 18 : height - NAMES;
  const scale = (below && above ? (height - NAMES) / 2 - 18 : height - NAMES - 36) / most;
  const step = Math.min(96, WIDTH / known.length);
  const wide = Math.min(step * 0.76, 60);
  const every = Math.ceil(64 / step);
  const drawn = known.map((bar, index) => {
    const size = Math.max(1, Math.abs(bar.value) * scale);
    const middle = (index + 0.5) * step;
    return [s("rect", { x: middle - wide / 2, width: wide, y: bar.value >= 0 ? zero - size : zero, height: size, class: bar.value >= 0 ? "up" : "down" },
      s("title", {}, `${bar.name}: ${amount(String(bar.value), places)} ${unit}`)),
      step >= 56 ? s("text", { x: middle, y: bar.value >= 0 ? zero - size - 4 : zero + size + 12, class: "axis", "text-anchor": "middle" }, amount(String(bar.value), places)) : null,
      index % every ? null : s("text", { x: middle, y: height - 4, class: "axis", "text-anchor": "middle" }, /^\d{4}-/.test(bar.name) ? bar.name.slice(5) : bar.name)];
  });
  const text = `${title}: ${known.length} bars, the largest ${amount(String(Math.max(...known.map((bar) => bar.value))), places)}, the smallest ${amount(String(Math.min(...known.map((bar) => bar.value))), places)} ${unit}`;
  return h("figure", { class: "chart" }, h("figcaption", {}, title, " ", h("span", { class: "quietly small" }, unit)),
    s("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": text }, s("line", { x1: 0, x2: WIDTH, y1: zero, y2: zero, class: "zero" }), drawn));
}
