// Orders with their life.

import { get } from "./api.js";
import { controlButton } from "./controls.js";
import { KeptTable, card, empty, h, pill, show } from "./dom.js";
import { clock, price, quantity, since, words } from "./format.js";

export const title = "Orders";
const EVERY_MS = 1500;
const LEVELS = { filled: "good", partly_filled: "note", acknowledged: "note", submitted: "note", created: "plain", unknown: "bad", rejected: "bad", cancelled: "plain", expired: "plain", abandoned: "plain" };

export function orderColumns({ account = true } = {}) {
  return [
    { head: "order", cell: (row) => h("a", { href: `#/orders/${row.client_order_id}` }, `${row.side} ${row.symbol}`) },
    ...(account ? [{ head: "account", cell: (row) => h("a", { href: `#/account/${encodeURIComponent(row.account_id)}` }, row.account_id) }] : []),
    { head: "when", cell: (row) => since(row.created_at) },
    { head: "kind", secondary: true, cell: (row) => `${row.kind}, ${words(row.order_type)}` },
    { head: "state", cell: (row) => h("span", {}, pill(words(row.state), LEVELS[row.state]), row.needs_person ? [" ", pill("needs a person", "bad")] : null) },
    { head: "quantity", number: true, cell: (row) => quantity(row.quantity) },
    { head: "filled", number: true, cell: (row) => quantity(row.filled_quantity) },
    { head: "price", number: true, cell: (row) => row.average_price ? price(row.average_price) : row.limit_price ? `at most ${price(row.limit_price)}` : "" },
    { head: "why", secondary: true, cell: (row) => row.decision },
  ];
}

export async function render(root, { rest, query }) {
  return rest[0] ? renderOne(root, rest[0]) : renderAll(root, query);
}

async function renderAll(root, query) {
  const state = h("select", { name: "state" }, [["", "all"], ["open", "open"], ["person", "need a person"], ["filled", "filled"], ["rejected", "rejected"], ["abandoned", "not sent"], ["unknown", "unknown"]].map(([value, text]) => h("option", { value, selected: value === (query.get("state") ?? "") }, text)));
  const symbol = h("input", { type: "search", name: "symbol", placeholder: "BTC/USD", value: query.get("symbol") ?? "" });
  const table = new KeptTable({ caption: "Orders, newest first", hideCaption: true, key: (row) => row.client_order_id, columns: orderColumns(), nothing: "No such order.", first: 40 });
  const older = h("button", { type: "button", hidden: true }, "Older");
  let kept = [];
  root.append(card("Orders", {}, h("form", { class: "row", onsubmit: (event) => event.preventDefault() }, h("label", {}, "State", state), h("label", {}, "Market", symbol)), table.element, older));
  async function update(before = null) {
    const said = await get("orders", { state: state.value, symbol: symbol.value.trim(), limit: 100, before });
    const ids = new Set(said.orders.map((each) => each.client_order_id));
    kept = before ? [...kept, ...said.orders] : [...said.orders, ...kept.filter((each) => !ids.has(each.client_order_id) && kept.length > 100)];
    older.hidden = said.before === null;
    older.onclick = () => update(said.before);
    table.update(kept);
  }
  const anew = () => { kept = []; update().catch((error) => table.update([]) ?? error); };
  state.addEventListener("change", anew);
  symbol.addEventListener("change", anew);
  await update();
  const timer = setInterval(() => kept.length <= 100 && update().catch(() => {}), EVERY_MS);
  return () => clearInterval(timer);
}

async function renderOne(root, id) {
  const body = h("div");
  body.style.display = "contents";
  root.append(body);
  async function update() {
    const said = await get(`orders/${encodeURIComponent(id)}`);
    show(body, [said.order.state, said.life.length, said.fills.length, said.order.needs_person, said.order.resolution], () => whole(said));
  }
  await update();
  const timer = setInterval(() => update().catch(() => {}), EVERY_MS);
  return () => clearInterval(timer);
}

function whole({ order, life, fills }) {
  return [
    h("section", { class: "card" }, h("h1", {}, `${order.side} ${quantity(order.quantity)} ${order.symbol}`),
      h("p", {}, pill(words(order.state), LEVELS[order.state]), ` ${order.kind}, ${words(order.order_type)}, of `, h("a", { href: `#/account/${encodeURIComponent(order.account_id)}` }, order.account_id), `: ${order.decision}`),
      order.reason ? h("p", {}, order.reason) : null,
      order.needs_person ? needsPerson(order) : null,
      order.signal_id ? h("p", {}, h("a", { href: `#/copies/${order.signal_id}` }, "the signal it copies")) : null,
      h("p", { class: "small quietly" }, "ours ", h("code", {}, order.client_order_id), " the brokerage's ", h("code", {}, order.venue_order_id ?? "none"), " ", h("a", { href: `#/log?contains=${order.client_order_id.slice(0, 8)}` }, "in the log"))),
    card("Its life", {}, h("ol", {}, life.map((each) => h("li", {}, `${clock(each.at)}: ${words(each.old) || "made"} → `, h("strong", {}, words(each.new)), each.detail ? `, ${each.detail}` : "")))),
    card("Its fills", {}, fills.length ? h("ul", { class: "list" }, fills.map((each) => h("li", {}, `${clock(each.executed_at)}: ${each.side} ${quantity(each.quantity)} at ${price(each.price)}, fee ${quantity(each.fee)} ${each.fee_currency}`))) : empty("None.")),
  ];
}

function needsPerson(order) {
  return h("div", { class: "gate" }, h("p", {}, order.needs_person), h("p", {}, "Look into the account at the brokerage, then say what is true:"),
    h("p", { class: "row" },
      controlButton("It is not there…", { action: "resolve", target: order.client_order_id, details: { not_accepted: true }, title: "The brokerage never took it" }),
      controlButton("It is there…", { action: "resolve", target: order.client_order_id, details: { ask_venue_order_id: true }, title: "The brokerage has it" })));
}
