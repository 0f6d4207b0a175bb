// Did they all copy? A signal, and one line per user.

import { get } from "./api.js";
import { KeptTable, card, empty, h, pill, show } from "./dom.js";
import { amount, clock, gain, price, quantity, since, words } from "./format.js";

export const title = "Copies";
const EVERY_MS = 1500;
const LEVELS = { copied: "good", partly_copied: "good", failed: "bad", planned: "note", skipped: "note", superseded: "plain" };

export async function render(root, { rest }) {
  return rest[0] ? renderOne(root, rest[0]) : renderAll(root);
}

async function renderAll(root) {
  const table = new KeptTable({
    caption: "Signals, newest first", hideCaption: true, key: (row) => row.signal_id, nothing: "No signal yet: no master has traded.",
    columns: [
      { head: "what", cell: (row) => h("a", { href: `#/copies/${row.signal_id}` }, `${row.side} ${row.symbol}`) },
      { head: "when", cell: (row) => since(row.executed_at) },
      { head: "master", cell: (row) => row.broker },
      { head: "kind", secondary: true, cell: (row) => row.kind },
      { head: "price", number: true, secondary: true, cell: (row) => price(row.price) },
      { head: "answers", cell: (row) => answers(row.users) },
      { head: "slowest", number: true, cell: (row) => slowest(row.users) },
    ],
  });
  const sum = h("p");
  root.append(card("Did they all copy?", {}, sum, table.element));
  async function update() {
    const { signals } = await get("copies", { limit: 50 });
    const users = signals.flatMap((each) => each.users);
    const missing = users.filter((each) => each.status === "planned").length;
    const failed = users.filter((each) => each.status === "failed").length;
    show(sum, [signals.length, users.length, missing, failed], () => signals.length
      ? `Of the last ${signals.length} signals: ${users.length} answers, ${missing} still to come, ${failed} failed.` : "");
    table.update(signals);
  }
  await update();
  const timer = setInterval(() => update().catch(() => {}), EVERY_MS);
  return () => clearInterval(timer);
}

function answers(users) {
  const counted = new Map();
  for (const each of users) counted.set(each.status, (counted.get(each.status) ?? 0) + 1);
  if (!counted.size) return pill("nobody follows", "plain");
  return h("span", {}, [...counted].map(([status, number]) => [pill(`${number} ${words(status)}`, LEVELS[status]), " "]));
}

function slowest(users) {
  const known = users.map((each) => each.latency_ms).filter((each) => each !== null && each !== undefined);
  return known.length ? `${Math.max(...known).toLocaleString("en-US")} ms` : "";
}

async function renderOne(root, id) {
  const head = h("section", { class: "card" });
  const table = new KeptTable({
    caption: "One line per user", hideCaption: true, key: (row) => row.account_id, nothing: "Nobody follows this master.",
    columns: [
      { head: "user", cell: (row) => h("a", { href: `#/account/${encodeURIComponent(row.account_id)}` }, row.name ?? row.account_id) },
      { head: "answer", cell: (row) => h("span", {}, pill(words(row.status), LEVELS[row.status]), row.reason ? ` ${words(row.reason)}` : "", row.detail ? h("span", { class: "small quietly" }, h("br"), row.detail) : null) },
      { head: "place", number: true, secondary: true, cell: (row) => row.rank === null ? "" : String(row.rank + 1) },
      { head: "asked", number: true, cell: (row) => row.planned_quantity === null ? "" : quantity(row.planned_quantity) },
      { head: "got", number: true, cell: (row) => row.filled_quantity === null ? "" : quantity(row.filled_quantity) },
      { head: "at", number: true, cell: (row) => row.average_price === null ? "" : price(row.average_price) },
      { head: "slippage", number: true, cell: (row) => row.slippage_percent === null || row.slippage_percent === undefined ? "" : `${amount(row.slippage_percent, 3)}\u00a0%` },
      { head: "latency", number: true, cell: (row) => row.latency_ms === null || row.latency_ms === undefined ? "" : `${row.latency_ms} ms` },
      { head: "order", secondary: true, cell: (row) => row.client_order_id ? h("a", { href: `#/orders/${row.client_order_id}` }, h("code", {}, row.client_order_id.slice(0, 8))) : "" },
    ],
  });
  const fidelity = h("div");
  root.append(head, card("Every user", {}, table.element), card("What it cost them, compared with the master's share", {}, fidelity));
  async function update() {
    const said = await get(`copies/${encodeURIComponent(id)}`);
    show(head, said, () => [h("h1", {}, `${said.kind === "exit" ? "Exit" : "Entry"}: ${said.side} ${said.symbol}`),
      h("p", {}, `The ${said.broker} master, ${clock(said.executed_at)}, at ${price(said.price)}: ${said.kind === "exit" ? `${amount(String(100 * said.size))} % of its position` : `${quantity(said.quantity)} for ${amount(said.size)}`}.`),
      h("p", { class: "small quietly" }, "Signal ", h("code", {}, said.signal_id), " ", h("a", { href: `#/log?contains=${said.signal_id.slice(0, 8)}` }, "in the log"))]);
    table.update(said.users);
    show(fidelity, said.users.map((each) => each.fidelity), () => said.users.map(fidelityOf));
  }
  await update();
  const timer = setInterval(() => update().catch(() => {}), EVERY_MS);
  return () => clearInterval(timer);
}

function fidelityOf(user) {
  const lines = user.fidelity ?? [];
  if (!lines.length) return h("p", { class: "small quietly" }, `${user.name ?? user.account_id}: nothing to compare yet.`);
  return lines.map((line) => h("p", {}, h("strong", {}, user.name ?? user.account_id), ": ", line.difference === null ? h("span", { class: "quietly" }, line.why_unknown || "not known") : [gain(line.difference), " = "],
    line.parts.map((part, index) => [index ? " + " : "", h("span", { class: "small" }, `${words(part.cause)} `, gain(part.amount))])));
}
