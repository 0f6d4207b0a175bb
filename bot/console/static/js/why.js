// Why an account does not trade, or why it holds (or does not hold) a market: sentences first, the funnel after.

import { get } from "./api.js";
import { card, empty, h } from "./dom.js";
import { since, words } from "./format.js";

export const title = "Why?";

export async function render(root, { rest, query }) {
  const account = rest[0] ?? "";
  const symbol = query.get("symbol") ?? "";
  const form = h("form", { class: "row" }, h("label", {}, "Market, or nothing for the account", h("input", { type: "search", name: "symbol", value: symbol, placeholder: "BTC/USD" })), h("button", {}, "Ask"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = `#/why/${encodeURIComponent(account)}?symbol=${encodeURIComponent(form.symbol.value)}`;
  });
  const [said, funnel] = await Promise.all([get("why", { account, symbol }), symbol ? null : get("scans", { account })]);
  root.append(h("section", { class: "card" }, h("h1", {}, `Why? ${account} ${symbol}`), form,
    h("ul", { class: "list" }, said.answer.map((line) => h("li", {}, `${line}.`)))));
  if (funnel) root.append(funnelCard(funnel));
  for (const [name, rows] of Object.entries(said)) {
    if (Array.isArray(rows) && rows.length && typeof rows[0] === "object") root.append(listing(name, rows));
  }
}

/** Every number of the last scans as a bar; each step adds up to the one above it. */
function funnelCard(funnel) {
  const lines = stepsOf(funnel.funnel ?? {});
  const most = Math.max(1, ...lines.map((each) => Number(each.count ?? 0)));
  return card("What became of the markets that were looked at", {},
    lines.length ? h("div", {}, lines.map((each) => h("div", { class: "meter" }, h("span", {}, words(each.name ?? each.stage)), h("progress", { max: most, value: each.count }), h("span", { class: "number" }, Number(each.count).toLocaleString("en-US"))))) : empty("Nothing was noted yet."),
    funnel.obstacle ? h("p", {}, funnel.obstacle) : null);
}

/** What was counted, and under it what fell away for which rule. */
function stepsOf(counted) {
  return Object.entries(counted).flatMap(([name, value]) => typeof value === "object" && value !== null
    ? Object.entries(value).map(([rule, count]) => ({ name: rule === name ? name : `${words(name)}: ${words(rule)}`, count })) : [{ name, count: value }]);
}

function listing(name, rows) {
  const heads = Object.keys(rows[0]).slice(0, 8);
  return card(words(name), {}, h("div", { class: "scroll" }, h("table", { class: "stack" }, h("caption", { class: "visually-hidden" }, words(name)),
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, words(head))))),
    h("tbody", {}, rows.map((row) => h("tr", {}, heads.map((head, index) => h(index ? "td" : "th", { scope: index ? null : "row", data: { label: words(head) } }, cell(head, row[head])))))))));
}

function cell(name, value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value)) return since(value);
  if (name === "client_order_id") return value ? h("a", { href: `#/orders/${encodeURIComponent(value)}` }, h("code", {}, String(value).slice(0, 8))) : "";
  if (name === "rule" || name === "strategy") return words(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
