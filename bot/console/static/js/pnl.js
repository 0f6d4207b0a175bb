// Did I make money? Equity, drawdown, days, markets, fees; for one account or all, over any days; as CSV.

import { get } from "./api.js";
import { barChart, lineChart } from "./charts.js";
import { KeptTable, card, empty, h, pill, show } from "./dom.js";
import { amount, gain, percent, words } from "./format.js";
import { tile } from "./home.js";

export const title = "P&L";

export async function render(root, { query }) {
  const { accounts } = await get("accounts");
  const account = h("select", { name: "account" }, h("option", { value: "" }, "all accounts"), accounts.map((each) => h("option", { value: each.account, selected: each.account === query.get("account") }, each.account)));
  const from = h("input", { type: "date", name: "from" });
  const to = h("input", { type: "date", name: "to" });
  const csv = h("a", { href: "#" }, "days as CSV");
  const fills = h("a", { href: "#" }, "fills as CSV");
  const body = h("div");
  body.style.display = "contents";
  root.append(card("Did I make money?", { more: [csv, fills] }, h("form", { class: "row", onsubmit: (event) => event.preventDefault() }, h("label", {}, "Account", account), h("label", {}, "From", from), h("label", {}, "To", to))), body);
  async function update() {
    const words = { account: account.value, from: from.value, to: to.value };
    const asked = new URLSearchParams(Object.entries(words).filter(([, value]) => value));
    csv.href = `/api/v1/pnl.csv?${asked}`;
    fills.href = `/api/v1/fills.csv?${new URLSearchParams(account.value ? { account: account.value } : {})}`;
    try {
      const said = await get("pnl", words);
      show(body, said, () => whole(said));
    } catch (error) {
      show(body, error.message, () => h("section", { class: "card" }, h("p", { class: "loss" }, error.message)));
    }
  }
  for (const field of [account, from, to]) field.addEventListener("change", update);
  await update();
  const timer = setInterval(() => update().catch(() => {}), 10_000);
  return () => clearInterval(timer);
}

function whole(said) {
  const parts = said.totals.map((one) => totals(one, said));
  if (said.accounts.length === 1) return [...parts, ...oneAccount(said.accounts[0])];
  return [...parts, ...allDays(said), card("By account", {}, accountsTable(said.accounts))];
}

function totals(one, said) {
  const unit = one.currencies.join(" + ");
  return card(`Everything in ${unit}`, { more: [pill(said.mode, said.mode === "live" ? "bad" : "plain")] }, h("dl", { class: "tiles" },
    tile("Made, after fees", gain(one.net)), tile("Realised, before fees", gain(one.realised)), tile("Change of unrealised", gain(one.unrealised_change)),
    tile("Fees", amount(one.fees)), tile("Net deposits", amount(one.net_deposits), "not counted as profit"), tile("Equity", amount(one.equity), `from ${amount(one.opening_equity)}`)),
    h("p", { class: "small quietly" }, `Days by the clocks of ${said.time_zone}. ${said.mode === "paper" ? "Paper: prices are made up, and so is any profit." : ""}`));
}

function allDays(said) {
  const byDay = new Map();
  for (const account of said.accounts) for (const day of account.days ?? []) byDay.set(day.day, (byDay.get(day.day) ?? 0) + Number(day.net ?? 0));
  if (said.totals.length !== 1) return [];
  return [card("By day", {}, barChart([...byDay].sort().map(([name, value]) => ({ name, value })), { title: "Made a day, after fees", unit: said.totals[0].currencies.join(" + ") }))];
}

function oneAccount(one) {
  const judged = one.judged ? `${one.wins} of ${one.judged} closing trades` : "no closing trade yet";
  const line = (one.equity_line ?? []).map(([at, value]) => [Date.parse(at), Number(value)]);
  const fall = (one.drawdown_line ?? []).map(([at, value]) => [Date.parse(at), -100 * Math.abs(Number(value))]);
  return [
    one.problem ? h("p", { class: "gate" }, one.problem) : null,
    card(one.account, {}, h("dl", { class: "tiles" }, tile("Win rate", one.win_rate === null ? "unknown" : percent(String(100 * one.win_rate), 0), judged), tile("Worst fall", one.max_drawdown === null ? "unknown" : percent(String(100 * one.max_drawdown))), tile("Turnover", amount(one.turnover)), tile("Had it only held", gain(one.hold)), tile("Fees of gross profit", one.fee_share === null ? "unknown" : percent(String(100 * one.fee_share))))),
    card("Equity", {}, lineChart(line, { title: "Equity", unit: one.currency })),
    fall.length > 1 ? card("Drawdown", {}, lineChart(fall, { title: "Below the highest until then", unit: "%", kind: "fall", height: 140 })) : null,
    card("By day", {}, barChart((one.days ?? []).map((day) => ({ name: day.day, value: Number(day.net ?? NaN) })), { title: "Made a day, after fees", unit: one.currency }), barChart((one.days ?? []).map((day) => ({ name: day.day, value: Number(day.fees ?? NaN) })), { title: "Fees a day", unit: one.currency, height: 90 })),
    card("By market", {}, one.by_asset?.length ? h("ul", { class: "list" }, one.by_asset.map((each) => h("li", {}, h("strong", {}, each.asset), " ", gain(each.net, { unit: one.currency }), h("span", { class: "small quietly" }, ` in ${each.closed} closed lots`)))) : empty("Nothing was closed in these days.")),
    card("Every day", {}, daysTable(one.days ?? [])),
  ];
}

function accountsTable(accounts) {
  const table = new KeptTable({ caption: "By account", hideCaption: true, key: (row) => row.account, nothing: "No account was ever seen.", columns: [
    { head: "account", cell: (row) => h("a", { href: `#/pnl?account=${encodeURIComponent(row.account)}` }, row.account) },
    { head: "made, after fees", number: true, cell: (row) => gain(row.net, { unit: row.currency }) },
    { head: "fees", number: true, cell: (row) => amount(row.fees) }, { head: "deposits", number: true, secondary: true, cell: (row) => amount(row.net_deposits) },
    { head: "equity", number: true, cell: (row) => amount(row.equity) }, { head: "trades", number: true, secondary: true, cell: (row) => String(row.trades) },
    { head: "worst fall", number: true, secondary: true, cell: (row) => row.max_drawdown === null ? "unknown" : percent(String(100 * row.max_drawdown)) },
    { head: "", cell: (row) => row.problem || "" } ] });
  table.update(accounts);
  return table.element;
}

function daysTable(days) {
  const table = new KeptTable({ caption: "Every day", hideCaption: true, key: (row) => row.day, first: 31, nothing: "No day yet.", columns: [
    { head: "day", cell: (row) => row.day }, { head: "made", number: true, cell: (row) => gain(row.net) }, { head: "realised", number: true, secondary: true, cell: (row) => gain(row.realised) },
    { head: "unrealised", number: true, secondary: true, cell: (row) => gain(row.unrealised_change) }, { head: "fees", number: true, cell: (row) => amount(row.fees) },
    { head: "deposits", number: true, secondary: true, cell: (row) => amount(row.net_deposits) }, { head: "equity", number: true, cell: (row) => amount(row.equity) },
    { head: "trades", number: true, cell: (row) => String(row.trades) }, { head: "proof", cell: (row) => h("span", {}, pill(words(row.status), row.status === "ok" ? "good" : "note"), row.problem ? ` ${row.problem}` : "") } ] });
  table.update([...days].reverse());
  return table.element;
}
