// Candles with the strategy's lines, the levels of the exits and our trades, drawn for the width there is.

import { h, s } from "./dom.js";
import { price } from "./format.js";

const HEIGHT = 320;
const TOP = 16;
const BOTTOM = 26;
const AXIS = 78;
const MOST = 160;

/** The pixels a chart gets: then a letter of 11 pixels is one of 11 pixels. */
export function chartWidth() {
  return Math.max(280, Math.min(1360, document.documentElement.clientWidth) - (document.documentElement.clientWidth > 720 ? 66 : 50));
}

/**
 * `candles`: [unix seconds, open, high, low, close]; `lines`: [{ name, values }], which end with the last candle;
 * `levels`: [{ name, price }]; `marks`: [{ at, side, price, text }].
 */
export function candleChart(candles, { title, lines = [], marks = [], levels = [] }) {
  if (candles.length < 2) return h("p", { class: "empty" }, `${title}: no candles are known.`);
  const width = chartWidth();
  const shown = candles.slice(-Math.min(MOST, Math.floor((width - AXIS) / 5)));
  const scale = scaleOf(shown, levels, width);
  const trades = marks.filter((mark) => mark.at >= shown[0][0]);
  const text = `${title}: ${shown.length} candles from ${price(String(scale.lowest))} to ${price(String(scale.highest))}, the last at ${price(String(shown.at(-1)[4]))}, ${trades.length} trades of ours`;
  return h("figure", { class: "chart" },
    h("figcaption", {}, title, " ", lines.map((line, number) => h("span", { class: `small key key-${number % 4}` }, line.name, " "))),
    s("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": text },
      grid(scale, width), times(shown, scale), shown.map((one, index) => candle(one, index, scale)),
      lines.map((line, number) => over(line, number, shown, scale)), ruled(levels, scale, width), trades.map((mark) => traded(mark, shown, scale))));
}

/** Levels near the candles are given room; those far away would squeeze the candles, and stand at the edge instead. */
function scaleOf(shown, levels, width) {
  const [lowest, highest] = [Math.min(...shown.map((one) => one[3])), Math.max(...shown.map((one) => one[2]))];
  const room = (highest - lowest || highest * 0.001) * 0.6;
  const near = levels.map((each) => each.price).filter((value) => value >= lowest - room && value <= highest + room);
  const [low, high] = [Math.min(lowest, ...near), Math.max(highest, ...near)];
  const step = (width - AXIS) / shown.length;
  const y = (value) => HEIGHT - BOTTOM - ((value - low) / (high - low || 1)) * (HEIGHT - BOTTOM - TOP);
  return { lowest, highest, low, high, step, right: width - AXIS, y, x: (index) => (index + 0.5) * step };
}

function grid(scale, width) {
  return [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const value = scale.low + part * (scale.high - scale.low);
    return [s("line", { x1: 0, x2: scale.right, y1: scale.y(value), y2: scale.y(value), class: "grid" }),
      s("text", { x: width - 6, y: scale.y(value) + 4, class: "axis", "text-anchor": "end" }, price(String(Number(value.toPrecision(6)))))];
  });
}

function times(shown, scale) {
  const every = Math.ceil(90 / scale.step);
  return shown.map((one, index) => index % every || index * scale.step > scale.right - 40 ? null
    : s("text", { x: index * scale.step, y: HEIGHT - 8, class: "axis" }, new Date(one[0] * 1000).toISOString().slice(11, 16)));
}

function candle([, open, top, bottom, close], index, { step, x, y }) {
  const height = Math.max(1, Math.abs(y(open) - y(close)));
  return s("g", { class: close >= open ? "up" : "down" }, s("line", { x1: x(index), x2: x(index), y1: y(top), y2: y(bottom) }),
    s("rect", { x: index * step + step * 0.2, width: Math.max(1, step * 0.6), y: y(Math.max(open, close)), height }));
}

/** An indicator; one that warms up begins later, and what lies outside the picture is left out. */
function over(line, number, shown, { x, y, low, high }) {
  const values = line.values.slice(-shown.length);
  const points = values.map((value, index) => [x(shown.length - values.length + index), value]).filter(([, value]) => Number.isFinite(value) && value >= low && value <= high);
  return s("path", { d: points.map(([at, value], index) => `${index ? "L" : "M"}${at.toFixed(1)} ${y(value).toFixed(1)}`).join(""), class: `over over-${number % 4}` }, s("title", {}, line.name));
}

function ruled(levels, scale) {
  const taken = [];
  const place = (wanted) => {
    let at = Math.min(HEIGHT - BOTTOM - 2, Math.max(TOP - 4, wanted));
    const step = at > HEIGHT / 2 ? -14 : 14;
    while (taken.some((other) => Math.abs(other - at) < 13)) at += step;
    taken.push(at);
    return at;
  };
  return [...levels].sort((one, other) => other.price - one.price).map((each) => {
    const above = each.price > scale.high;
    const outside = above || each.price < scale.low;
    const said = `${each.name} ${price(String(each.price))}`;
    const text = s("text", { x: 6, y: place(above ? TOP - 4 : outside ? HEIGHT - BOTTOM - 2 : scale.y(each.price) - 4), class: "axis named" }, outside ? `${above ? "↑" : "↓"} ${said}` : said);
    return outside ? text : [s("line", { x1: 0, x2: scale.right, y1: scale.y(each.price), y2: scale.y(each.price), class: "level" }), text];
  });
}

function traded(mark, shown, { x, y, low, high }) {
  const later = shown.findIndex(([opened]) => opened > mark.at);
  const at = x(later === -1 ? shown.length - 1 : Math.max(0, later - 1)).toFixed(1);
  const height = y(Math.min(high, Math.max(low, mark.price)));
  return s("path", { d: mark.side === "buy" ? `M${at} ${height + 4}l-5 9h10z` : `M${at} ${height - 4}l-5 -9h10z`, class: `mark ${mark.side}` }, s("title", {}, mark.text));
}
