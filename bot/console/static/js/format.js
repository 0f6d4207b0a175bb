// Numbers and times in words. Amounts come as exact text and are shown with as many digits as a person needs.

import { h } from "./dom.js";

const MINUS = "\u2212";

/** Group the digits before the point; nothing is rounded beyond `places`. */
export function amount(text, places = 2) {
  if (text === null || text === undefined || text === "") return "unknown";
  const value = Number(text);
  if (!Number.isFinite(value)) return String(text);
  const made = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
  return value < 0 && Number(made.replace(/,/g, "")) !== 0 ? MINUS + made : made;
}

/** A price: as many digits as its size asks for. */
export function price(text) {
  if (text === null || text === undefined) return "unknown";
  const size = Math.abs(Number(text));
  const places = size >= 1000 ? 2 : size >= 1 ? 4 : size >= 0.01 ? 6 : 8;
  return amount(text, places).replace(/(\.\d*?[1-9])0+$|\.0+$/, "$1");
}

/** A quantity of coins or shares, without idle zeros. */
export function quantity(text) {
  if (text === null || text === undefined) return "unknown";
  return amount(text, 8).replace(/(\.\d*?[1-9])0+$|\.0+$/, "$1");
}

/** `+1.20`, `−0.35`, with a word for those who do not see the colour. */
export function gain(text, { places = 2, unit = "" } = {}) {
  if (text === null || text === undefined) return h("span", { class: "quietly" }, "unknown");
  const value = Number(text);
  const made = amount(text, places);
  const shown = value > 0 && /[1-9]/.test(made) ? `+${made}` : made;
  const level = !/[1-9]/.test(made) ? null : value > 0 ? "gain" : "loss";
  return h("span", { class: level }, shown, unit ? `\u00a0${unit}` : "");
}

export function percent(text, places = 2) {
  return text === null || text === undefined ? "unknown" : `${amount(text, places)}\u00a0%`;
}

/** `3 s`, `5 min`, `2 h`, `4 d`. */
export function ageText(seconds) {
  if (seconds === null || seconds === undefined) return "never";
  const whole = Math.max(0, Math.round(seconds));
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) if (whole >= 2 * size) return `${Math.floor(whole / size)} ${unit}`;
  return `${whole} s`;
}

/** An age that goes on by itself. */
export function age(seconds, { before = "", after = " ago" } = {}) {
  if (seconds === null || seconds === undefined) return h("span", { class: "quietly" }, "never");
  return ageOf(Math.round(Date.now() / 1000 - seconds), before, after);
}

// Its text comes a moment later, before it is seen: two of the same moment are the same to whoever compares them.
function ageOf(moment, before, after) {
  const made = h("time", { class: "age quietly small", data: { since: String(moment), before, after } });
  queueMicrotask(() => tick(made));
  return made;
}

/** The age of a moment given as UTC text. */
export function since(text, { before = "", after = " ago" } = {}) {
  if (!text) return h("span", { class: "quietly" }, "never");
  const made = ageOf(Math.round(Date.parse(text) / 1000), before, after);
  made.title = clock(text);
  made.dateTime = text;
  return made;
}

export function clock(text) {
  return text ? `${text.slice(0, 10)} ${text.slice(11, 19)} UTC` : "";
}

function tick(element) {
  const seconds = Date.now() / 1000 - Number(element.dataset.since);
  const text = `${element.dataset.before}${ageText(seconds)}${element.dataset.after}`;
  if (element.textContent !== text) element.textContent = text;
}

setInterval(() => document.querySelectorAll("time.age").forEach(tick), 1000);

const BROKERAGES = { kraken: "Kraken", coinbase: "Coinbase", binance: "Binance", okx: "OKX", alpaca: "Alpaca" };

/** A brokerage as it writes itself. */
export function brokerage(name) {
  return BROKERAGES[name] ?? String(name ?? "");
}

/** `partly_filled` → `partly filled`. */
export function words(text) {
  return String(text ?? "").replaceAll("_", " ");
}
