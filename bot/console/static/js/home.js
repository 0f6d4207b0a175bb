// The first screen: the word for the whole, accounts, money, positions with their exits, debts, events.

import { get, stream } from "./api.js";
import { controlButton } from "./controls.js";
import { KeptTable, card, empty, h, pill, show } from "./dom.js";
import { age, amount, brokerage, gain, price, quantity, since, words } from "./format.js";

export const title = "Overview";

export async function render(root) {
  const hero = h("section", { class: "card hero", "aria-label": "Is it trading?" });
  const attention = h("div");
  const money = h("div");
  const accounts = accountsTable();
  const positions = positionsTable({ first: 12 });
  const held = h("p", { class: "small quietly" });
  const debts = debtsTable();
  const events = h("div");
  root.append(hero, attention,
    card("Accounts", { id: "accounts" }, accounts.element), money,
    card("Open positions", { id: "positions", more: [held, h("a", { href: "#/positions" }, "all positions")] }, positions.element),
    card("Exits owed", { id: "owed" }, debts.element),
    card("Last events", { id: "events", more: [h("a", { href: "#/alerts" }, "all events")] }, events));

  function update(said) {
    if (said.error) return;
    show(hero, [said.word, said.gate, said.halts, glance(said).map((each) => each.text)], () => whole(said));
    held.textContent = said.held ? `${said.held} in all, nearest to an exit first` : "";
    show(attention, [said.attention, said.notes], () => lookAtThis(said));
    accounts.update(sorted(said.accounts, said));
    show(money, [said.money.totals, said.today.totals, Math.floor(Date.now() / 5000)], () => purse(said));
    positions.update(said.positions);
    debts.update([...said.debts, ...said.own_exits]);
    show(events, said.events, () => eventList(said.events));
  }
  update(await get("overview"));
  return stream.listen("overview", update);
}

function whole(said) {
  const stopped = said.halts.length > 0;
  const gates = stopped ? widestFirst(said.halts).map((halt) => halt.sentence) : said.gate ? [said.gate] : [];
  const sentence = gates.includes(said.word.why) ? null : h("p", {}, said.word.why);
  return [
    h("h1", { class: "big", data: { state: said.word.state } }, said.word.state === "trading" ? "Trading" : said.word.text),
    sentence,
    gates.map((gate) => h("p", { class: "gate" }, gate)),
    h("nav", { class: "glance", "aria-label": "On this page" }, glance(said).map((each) => each.href
      ? h("a", { href: each.href }, each.text) : h("button", { type: "button", class: "quiet", onclick: () => goTo(each.at) }, each.text))),
    h("p", { class: "row" },
      stopped ? controlButton("Let it go on…", { action: "resume", target: "all", title: "Go on", danger: false }) : controlButton("Pause entries…", { action: "pause", target: "all", title: "Pause all entries" })),
  ];
}

function widestFirst(halts) {
  const scopes = ["all", "broker", "symbol", "account"];
  return [...halts].sort((one, other) => scopes.indexOf(one.scope) - scopes.indexOf(other.scope));
}

/** The halt that keeps an account from entering anything, if there is one. */
function haltOf(account, halts) {
  return widestFirst(halts).find((halt) => halt.scope === "all" || (halt.scope === "broker" && halt.target === account.broker)
    || (halt.scope === "account" && halt.target === account.account));
}

/** What is further down, in a few words each: a phone shows one card at a time. */
function glance(said) {
  const trading = said.accounts.filter((each) => each.trading && !haltOf(each, said.halts)).length;
  const money = said.money.totals.map((one) => `${amount(one.equity)} ${one.currencies.join(" + ")}`).join(", ");
  const today = said.today.totals.map((one) => `${Number(one.net) > 0 ? "+" : ""}${amount(one.net)}`).join(", ");
  const owed = said.debts.length + said.own_exits.length;
  return [
    { at: "accounts", text: `${trading} of ${said.accounts.length} accounts trade` },
    { at: "money", text: `Equity ${money || "unknown"}` }, { at: "money", text: `Today ${today || "unknown"}` },
    { at: "positions", text: `${said.held} held` }, { at: "owed", text: `${owed} exits owed` },
    { href: "#/copies", text: "Did they all copy?" }, { href: "#/pnl", text: "Did I make money?" },
  ];
}

function goTo(id) {
  const place = document.getElementById(id);
  place?.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  place?.querySelector("h2")?.setAttribute("tabindex", "-1");
  place?.querySelector("h2")?.focus({ preventScroll: true });
}

function lookAtThis(said) {
  // What is halted is said above, with the button that lifts it.
  const lines = [...said.attention.filter((line) => !line.startsWith("HALTED:")), ...said.notes];
  if (!lines.length) return null;
  return card("Look at this", {}, h("ul", { class: "list" }, lines.map((line) => h("li", { class: "gate" }, line))));
}

// -- accounts ----------------------------------------------------------------------------------------------------------
function sorted(accounts, said) {
  const brokers = [...new Set(accounts.map((each) => each.broker))];
  const today = said.today.accounts;
  return [...accounts]
    .sort((one, other) => brokers.indexOf(one.broker) - brokers.indexOf(other.broker) || (one.user_id ? 1 : 0) - (other.user_id ? 1 : 0))
    .map((each) => ({ ...each, today: today[each.account], halt: haltOf(each, said.halts) }));
}

function accountsTable() {
  return new KeptTable({
    caption: "Accounts by brokerage", hideCaption: true, key: (row) => row.account, group: (row) => brokerage(row.broker),
    nothing: "No account was ever seen here.",
    columns: [
      { head: "account", cell: (row) => h("a", { href: `#/account/${encodeURIComponent(row.account)}` }, row.user_id ? row.name : "master") },
      { head: "state", cell: stateOf },
      { head: "since", secondary: true, cell: (row) => since(row.health_since, { before: "", after: "" }) },
      { head: "mode", secondary: true, cell: (row) => row.mode },
      { head: "last cycle", secondary: true, cell: (row) => since(row.last_cycle_at) },
      { head: "last order", secondary: true, cell: (row) => since(row.last_order_at) },
      { head: "last fill", secondary: true, cell: (row) => since(row.last_fill_at) },
      { head: "cash", number: true, cell: (row) => balance(row.balance) },
      { head: "today", number: true, cell: (row) => row.today ? gain(row.today.net, { unit: row.today.currency }) : "unknown" },
      { head: "positions", secondary: true, number: true, cell: (row) => String(row.positions) },
    ],
  });
}

function stateOf(row) {
  const halted = row.trading && row.halt;
  const shown = halted ? pill(row.halt.strength === "flatten" ? "selling, no entries" : "no entries", "bad") : pill(row.trading ? "trading" : words(row.health), row.trading ? "good" : level(row.health));
  const why = halted ? `by ${row.halt.set_by}${row.halt.reason ? `: ${row.halt.reason}` : ""}` : !row.trading ? row.why_not_trading : row.waiting_for ? `no entries: ${row.waiting_for}` : "";
  return h("span", {}, shown, " ", why ? h("span", { class: "small quietly" }, why) : null);
}

function level(health) {
  return { healthy: "good", failed: "bad", quarantined: "bad", degraded: "note", stopped: "note" }[health] ?? "note";
}

function balance(known) {
  if (known.available === null) return h("span", { class: "loss" }, "unknown");
  const total = Number(known.available) + Number(known.held);
  return h("span", {}, `${amount(String(total))} ${known.currency} `, known.status === "fresh" ? null : pill(known.status, "note"), " ", since(known.taken_at, { before: "", after: "" }));
}

// -- money -------------------------------------------------------------------------------------------------------------
function purse(said) {
  return said.money.totals.map((one, index) => {
    const today = said.today.totals[index];
    const newest = Math.max(0, ...said.money.accounts.map((each) => each.age_seconds ?? 0));
    const unit = one.currencies.join(" + ");
    return card(`Money in ${unit}`, { id: index ? null : "money", more: [h("span", { class: "pill" }, said.mode), h("span", { class: "small quietly" }, "oldest reading "), age(newest)] },
      h("dl", { class: "tiles" },
        tile("Equity", amount(one.equity), `${one.accounts} accounts`),
        tile("Available", amount(one.cash_available)), tile("Held by orders", amount(one.cash_held)),
        tile("In positions", amount(one.positions_value)),
        tile("Today, after fees", today ? gain(today.net) : "unknown", today ? `since ${amount(today.opening_equity)}` : ""),
        tile("Fees today", today ? amount(today.fees) : "unknown")),
      one.at_par ? h("p", { class: "small quietly" }, "Counted one to one, as risk.at_par_with_usd says.") : null);
  });
}

export function tile(name, value, besides = "") {
  return h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, value), besides ? h("dd", { class: "small quietly" }, besides) : null);
}

// -- positions ---------------------------------------------------------------------------------------------------------
export function positionsTable({ first = Infinity } = {}) {
  return new KeptTable({
    caption: "Open positions with the distance to each exit", hideCaption: true, key: (row) => `${row.account_id} ${row.symbol}`,
    nothing: "Nothing is held.", first,
    columns: [
      { head: "market", cell: (row) => h("span", {}, h("a", { href: `#/markets/${row.symbol.replace("/", "-")}` }, row.symbol), h("br"), h("a", { class: "small", href: `#/account/${encodeURIComponent(row.account_id)}` }, row.account_id)) },
      { head: "quantity", number: true, cell: (row) => quantity(row.quantity) },
      { head: "bought at", number: true, cell: (row) => price(row.average_entry_price) },
      { head: "price", number: true, cell: (row) => row.bid === null ? h("span", { class: "quietly" }, "unknown") : h("span", {}, price(row.bid), " ", age(row.price_age_seconds, { before: "", after: "" })) },
      { head: "profit", number: true, cell: (row) => h("span", {}, gain(row.profit_quote), " ", row.profit_percent === null ? "" : h("span", { class: "small" }, "(", gain(row.profit_percent), "\u00a0%)")) },
      { head: "exits", cell: (row) => exits(row.exits) },
      { head: "held", cell: (row) => since(row.opened_at, { before: "", after: "" }) },
    ],
  });
}

export function exits(state) {
  if (!state) return pill("not looked at yet", "note");
  const guarded = state.status === "armed" || state.status === "selling";
  const rules = Object.entries(state.rules).map(([rule, one]) =>
    h("span", { class: "small" }, `${words(rule)} `, h("strong", {}, `${amount(one.distance_percent)}\u00a0%`), ` to ${price(one.level)}${one.armed === false ? " (not armed yet)" : ""}`, h("br")));
  return h("span", { title: state.reason }, pill(words(state.status), guarded ? "good" : "bad"), h("br"), rules, state.faults ? h("span", { class: "loss small" }, state.faults) : null, state.status === "armed" ? null : h("span", { class: "small quietly" }, state.reason));
}

function debtsTable() {
  return new KeptTable({
    caption: "Exits that are owed", hideCaption: true, key: (row) => `${row.signal_id ?? row.order} ${row.account} ${row.symbol}`, nothing: "Nothing is owed: every exit is done.",
    columns: [
      { head: "market", cell: (row) => h("span", {}, row.symbol, h("br"), h("span", { class: "small" }, row.account)) },
      { head: "left", number: true, cell: (row) => row.left_quantity === null ? "all of it" : quantity(row.left_quantity) },
      { head: "owed for", cell: (row) => age(row.age_seconds, { before: "", after: "" }) },
      { head: "waits for", cell: (row) => row.waits_for },
      { head: "last trouble", cell: (row) => row.last_error || "" },
    ],
  });
}

// -- events ------------------------------------------------------------------------------------------------------------
export function eventList(events) {
  if (!events.length) return empty("Nothing has happened yet.");
  return h("ul", { class: "list events" }, events.map((each) => h("li", {},
    pill(each.kind, each.level), since(each.at), h("span", {},
    each.account ? h("a", { href: `#/account/${encodeURIComponent(each.account)}` }, each.account) : null,
    each.symbol ? ` ${each.symbol} ` : " ", each.text, " ", link(each)))));
}

function link(each) {
  if (!each.reference) return null;
  const page = each.kind === "signal" || each.kind === "copy" ? "copies" : "orders";
  return h("a", { class: "small", href: `#/${page}/${encodeURIComponent(each.reference)}` }, "more");
}
