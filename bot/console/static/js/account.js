// One account: six facts, limits, positions, decisions, orders, fills; pausing, selling and going on.

import { get } from "./api.js";
import { controlButton } from "./controls.js";
import { KeptTable, card, empty, h, pill, show } from "./dom.js";
import { amount, brokerage, clock, gain, price, quantity, since, words } from "./format.js";
import { eventList, positionsTable, tile } from "./home.js";
import { orderColumns } from "./orders.js";

export const title = "Account";
const EVERY_MS = 2000;

export async function render(root, { rest }) {
  const label = rest[0] ?? "";
  const head = h("section", { class: "card" });
  const money = h("div");
  const facts = h("div");
  const positions = positionsTable();
  const orders = new KeptTable({ caption: "Last orders", hideCaption: true, key: (row) => row.client_order_id, columns: orderColumns({ account: false }), first: 15, nothing: "No order yet." });
  const fills = fillsTable();
  const trips = tripsTable();
  const decisions = decisionsTable();
  const limits = limitsTable();
  const events = h("div");
  root.append(head, money, card("Six facts", {}, facts), card("Positions", {}, positions.element), card("Limits", {}, limits.element),
    card("What became of the strategy's wishes", {}, decisions.element), card("Orders", {}, orders.element),
    card("Fills", {}, fills.element), card("Ended positions", {}, trips.element), card("Events", {}, events));

  async function update() {
    const [said, listed, filled, ended, purse] = await Promise.all([
      get(`accounts/${encodeURIComponent(label)}`), get("orders", { account: label, limit: 50 }), get("fills", { account: label, limit: 50 }),
      get("trips", { account: label, limit: 50 }), get("money", { account: label })]);
    show(head, [said.account, said.pauses], () => heading(said, label));
    show(money, purse.accounts, () => purse.accounts.map(purseCard));
    show(facts, said.account?.facts, () => factList(said.account));
    positions.update(said.positions);
    limits.update(said.limits.limits);
    decisions.update(said.decisions);
    orders.update(listed.orders);
    fills.update(filled.fills);
    trips.update(ended.trips);
    show(events, said.events, eventList);
  }
  await update();
  const timer = setInterval(() => update().catch(() => {}), EVERY_MS);
  return () => clearInterval(timer);
}

function heading(said, label) {
  const one = said.account;
  if (!one) return [h("h1", {}, label), empty("The running bot does not know this account.")];
  return [
    h("header", {}, h("h1", {}, one.user_id ? `${one.name} at ${brokerage(one.broker)}` : `${brokerage(one.broker)} master`), " ", pill(one.mode, one.mode === "live" ? "bad" : "plain")),
    h("p", {}, pill(one.trading ? "trading" : words(one.health), one.trading ? "good" : "note"), " ", one.trading ? `since ${clock(one.health_since)}` : one.why_not_trading),
    one.warning ? h("p", { class: "gate" }, one.warning) : null,
    one.waiting_for ? h("p", {}, one.waiting_for) : null,
    said.pauses.length ? h("ul", { class: "list" }, said.pauses.map((each) => h("li", {}, pill("paused", "note"), ` ${each.symbol}: ${each.reason} `,
      controlButton("Let it go on…", { action: "resume_user_symbol", target: label, details: { symbol: each.symbol }, title: `Copy ${each.symbol} again`, danger: false })))) : null,
    h("p", { class: "row" },
      controlButton("Pause entries…", { action: "pause", target: `account:${label}`, title: `Pause ${label}` }),
      controlButton("Close only…", { action: "close_only", target: `account:${label}`, title: `Only exits for ${label}` }),
      controlButton("Sell all…", { action: "flatten", target: `account:${label}`, title: `Sell what ${label} holds` }, { level: "danger" }),
      controlButton("Go on…", { action: "resume", target: `account:${label}`, title: `Let ${label} go on`, danger: false }),
      h("a", { href: `#/why/${encodeURIComponent(label)}` }, "why?"),
      h("a", { href: `#/pnl?account=${encodeURIComponent(label)}` }, "P&L"), h("a", { href: `#/log?contains=${encodeURIComponent(label)}` }, "log")),
  ];
}

function purseCard(one) {
  return card(`Money in ${one.currency}`, { more: [since(one.as_of)] }, one.problem ? h("p", { class: "gate" }, one.problem) : null,
    h("dl", { class: "tiles" }, tile("Equity", amount(one.equity)), tile("Available", amount(one.cash_available)), tile("Held by orders", amount(one.cash_held)),
      tile("In positions", amount(one.positions_value)), tile("Net deposits", amount(one.net_deposits))),
    Object.keys(one.unpriced).length ? h("p", { class: "small" }, "Without a price, and not valued: ", Object.entries(one.unpriced).map(([asset, units]) => `${quantity(units)} ${asset}`).join(", ")) : null);
}

function factList(account) {
  if (!account) return empty("Not known.");
  return h("dl", { class: "tiles" }, Object.entries(account.facts).map(([name, at]) =>
    tile(name, at ? pill("yes", "good") : pill("no", "note"), [at ? since(at) : null, " ", account.proofs[name] ?? ""])));
}

function limitsTable() {
  return new KeptTable({
    caption: "Limits of entries", hideCaption: true, key: (row) => row.setting, nothing: "No limit is set.",
    columns: [
      { head: "limit", cell: (row) => words(row.setting) },
      { head: "now", number: true, cell: (row) => row.now === null ? "unknown" : amount(row.now, Number.isInteger(Number(row.now)) ? 0 : 2) },
      { head: "at most", number: true, cell: (row) => `${row.limit} ${row.unit}` },
      { head: "", cell: (row) => row.vetoes ? pill(`stops entries: ${row.why}`, "bad") : pill("open", "good") },
    ],
  });
}

function decisionsTable() {
  return new KeptTable({
    caption: "Wishes of the strategy", hideCaption: true, key: (row) => row.id, first: 12, nothing: "The strategy has wished for nothing yet (a user's entries are the master's).",
    columns: [
      { head: "market", cell: (row) => row.symbol },
      { head: "when", cell: (row) => since(row.at) },
      { head: "became", cell: (row) => row.outcome === "ordered" ? h("a", { href: `#/orders/${row.client_order_id}` }, pill("ordered", "good")) : pill(words(row.rule || row.outcome), "note") },
      { head: "because", cell: (row) => row.detail || row.reason },
    ],
  });
}

function fillsTable() {
  return new KeptTable({
    caption: "Fills", hideCaption: true, key: (row) => row.sequence, first: 15, nothing: "No fill yet.",
    columns: [
      { head: "market", cell: (row) => row.symbol }, { head: "when", cell: (row) => since(row.executed_at) }, { head: "side", cell: (row) => pill(row.side, row.side === "buy" ? "plain" : "note") },
      { head: "quantity", number: true, cell: (row) => quantity(row.quantity) }, { head: "price", number: true, cell: (row) => price(row.price) },
      { head: "fee", number: true, cell: (row) => `${quantity(row.fee)} ${row.fee_currency}` },
    ],
  });
}

function tripsTable() {
  return new KeptTable({
    caption: "Ended positions", hideCaption: true, key: (row) => row.id, first: 15, nothing: "No position has ended yet.",
    columns: [
      { head: "market", cell: (row) => row.symbol }, { head: "closed", cell: (row) => since(row.closed_at) }, { head: "by", cell: (row) => words(row.exit_rule) },
      { head: "bought for", number: true, secondary: true, cell: (row) => amount(row.bought_quote) }, { head: "sold for", number: true, secondary: true, cell: (row) => amount(row.sold_quote) },
      { head: "made, after fees", number: true, cell: (row) => gain(row.net_quote) },
    ],
  });
}
