// Every market of the brokerages that are watched: live prices, what moves, what is looked at closely, one of them whole.

import { get, mayControl, post, stream } from "./api.js";
import { candleChart, lineChart, sparkline } from "./charts.js";
import { KeptTable, card, empty, h, pill, show } from "./dom.js";
import { age, amount, price, quantity, since, words } from "./format.js";
import { exits } from "./home.js";
import { VirtualList } from "./virtual_list.js";

export const title = "Markets";
const ROW = 40;
const REREAD_MS = 30_000;
const TABS = [["all", "All"], ["focus", "Focus"], ["movers", "Movers"], ["held", "Held"], ["favourites", "Favourites"]];
const HEADS = [["symbol", "market"], ["last", "last"], ["bid", "bid", "wide"], ["ask", "ask", "wide"], ["change", "hour"], ["spread", "spread"], ["", "", "wide"], ["word", "why not", "wide"]];

export async function render(root, { rest }) {
  return rest[0] ? renderOne(root, rest[0]) : renderAll(root);
}

async function renderAll(root) {
  const known = new Map();
  const state = { tab: "all", search: "", by: "symbol", down: false };
  const tabs = h("div", { class: "tabs", role: "tablist" });
  const search = h("input", { type: "search", placeholder: "Search", "aria-label": "Search markets" });
  const counted = h("p", { class: "small quietly", role: "status" });
  const list = new VirtualList({ height: ROW, build: buildRow, fill: fillRow, label: "Markets" });
  const head = h("div", { class: "market-row market-head", role: "row" }, h("span", {}, ""), HEADS.map(([by, text, wide]) =>
    h("span", { role: "columnheader", class: [wide ?? "", ["last", "bid", "ask", "change", "spread"].includes(by) ? "number" : ""].join(" ").trim() || null }, by ? h("button", { type: "button", onclick: () => sortBy(by) }, text) : text)));
  root.append(card("Markets", { more: [counted] }, h("div", { class: "row" }, tabs, search), h("div", { class: "markets", role: "table", "aria-label": "Markets" }, head, list.element)));

  function sortBy(by) {
    state.down = state.by === by ? !state.down : by !== "symbol" && by !== "word";
    state.by = by;
    draw();
  }

  async function read() {
    const said = await get("markets");
    const focus = new Set(said.focus.map((each) => `${each.broker} ${each.symbol}`));
    const movers = new Set(said.movers.map((each) => `${each.broker} ${each.symbol}`));
    const favourites = new Set(said.favourites.map((each) => `${each.broker} ${each.symbol}`));
    const held = new Set(said.held.map((each) => `${each.account_id.split("_").at(-1)} ${each.symbol}`));
    const said_of = new Map(said.words.map((each) => [`${each.account_id} ${each.symbol}`, each]));
    for (const each of said.markets) {
      const key = `${each.broker} ${each.symbol}`;
      known.set(key, { ...known.get(key), ...numbers(each), key, broker: each.broker, symbol: each.symbol, tradable: each.tradable, status: each.status, line: each.line,
        focus: focus.has(key), mover: movers.has(key), favourite: favourites.has(key), held: held.has(key), word: said_of.get(key), pricedAt: each.age_seconds === null ? null : Date.now() - 1000 * each.age_seconds });
    }
    counted.textContent = `${known.size} markets; ${said.sources.map((each) => `${each.broker} by ${each.source}`).join(", ") || "nobody looks at any market"}`;
    draw();
  }

  function numbers(each) {
    const [bid, ask, last] = [each.bid, each.ask, each.last].map((text) => text === null ? null : Number(text));
    return { bidText: each.bid, askText: each.ask, lastText: each.last, bid, ask, last, change: each.change_percent === null || each.change_percent === undefined ? null : Number(each.change_percent), spread: bid && ask ? 200 * (ask - bid) / (ask + bid) : null };
  }

  function draw() {
    const wanted = state.search.toUpperCase();
    const keep = { all: () => true, focus: (one) => one.focus, movers: (one) => one.mover, held: (one) => one.held, favourites: (one) => one.favourite }[state.tab];
    const rows = [...known.values()].filter((one) => keep(one) && (!wanted || one.symbol.includes(wanted)));
    const value = { symbol: (one) => one.symbol, word: (one) => one.word?.rule ?? "", last: (one) => one.last, bid: (one) => one.bid, ask: (one) => one.ask, change: (one) => one.change, spread: (one) => one.spread }[state.by];
    rows.sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      if (a === null || b === null) return (a === null) - (b === null);
      return (a < b ? -1 : a > b ? 1 : one.symbol < other.symbol ? -1 : 1) * (state.down ? -1 : 1);
    });
    list.show(rows);
    list.element.setAttribute("aria-rowcount", String(rows.length));
    tabs.replaceChildren(...TABS.map(([name, text]) => h("button", { type: "button", role: "tab", "aria-selected": String(state.tab === name), onclick: () => { state.tab = name; draw(); } }, `${text}${name === "all" ? "" : ` ${[...known.values()].filter({ focus: (one) => one.focus, movers: (one) => one.mover, held: (one) => one.held, favourites: (one) => one.favourite }[name]).length}`}`)));
  }

  function moved(rows) {
    for (const [broker, symbol, bid, ask, last] of rows) {
      const one = known.get(`${broker} ${symbol}`);
      if (!one) continue;
      Object.assign(one, numbers({ bid, ask, last, change_percent: null }), { change: changeNow(one, Number(last)), pricedAt: Date.now() });
    }
    list.draw();
  }

  function changeNow(one, last) {
    return one.line?.length && one.line[0] ? 100 * (last / one.line[0] - 1) : one.change;
  }

  search.addEventListener("input", () => { state.search = search.value.trim(); draw(); });
  await read();
  const stop = stream.listen("markets", moved);
  const timer = setInterval(() => read().catch(() => {}), REREAD_MS);
  return () => { stop(); clearInterval(timer); list.close(); };
}

function buildRow() {
  const cells = ["star", "name", "last", "bid", "ask", "change", "spread", "line", "word"];
  const row = h("div", { class: "market-row", role: "row" });
  row.cells_by_name = Object.fromEntries(cells.map((name) => {
    const wide = ["bid", "ask", "line", "word"].includes(name);
    const cell = h("span", { role: "cell", class: [wide ? "wide" : "", ["last", "bid", "ask", "change", "spread"].includes(name) ? "number" : ""].join(" ").trim() || null });
    row.append(cell);
    return [name, cell];
  }));
  return row;
}

function fillRow(row, one) {
  const cell = row.cells_by_name;
  if (row.shows !== one.key) {
    row.shows = one.key;
    row.line_drawn = null;
    cell.name.replaceChildren(h("a", { href: `#/markets/${one.symbol.replace("/", "-")}` }, one.symbol), one.held ? pill("held", "good") : "");
  }
  if (row.favourite !== one.favourite || cell.star.childNodes.length === 0 || row.star_of !== one.key) {
    row.favourite = one.favourite;
    row.star_of = one.key;
    cell.star.replaceChildren(star(one));
  }
  put(cell.last, one.lastText === null ? "no price" : price(one.lastText));
  put(cell.bid, one.bidText === null ? "" : price(one.bidText));
  put(cell.ask, one.askText === null ? "" : price(one.askText));
  put(cell.change, one.change === null ? "" : `${one.change > 0 ? "+" : ""}${amount(String(one.change))}\u00a0%`);
  cell.change.className = `number ${one.change > 0 ? "gain" : one.change < 0 ? "loss" : ""}`;
  put(cell.spread, one.spread === null ? "" : `${amount(String(one.spread), 3)}\u00a0%`);
  put(cell.word, one.tradable ? (one.word ? `${words(one.word.rule || one.word.stage)}: ${one.word.detail}` : "") : one.status);
  if (row.line_drawn !== one.line) {
    row.line_drawn = one.line;
    cell.line.replaceChildren(sparkline(one.line ?? []));
  }
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function star(one) {
  const button = h("button", { type: "button", class: "star", disabled: !mayControl(), "aria-pressed": String(one.favourite), "aria-label": `${one.symbol} is ${one.favourite ? "" : "not "}a favourite`, onclick: async () => {
    one.favourite = !one.favourite;
    button.setAttribute("aria-pressed", String(one.favourite));
    try {
      await post("controls", { action: one.favourite ? "add_favourite" : "remove_favourite", target: one.broker, details: { symbol: one.symbol }, reason: "", nonce: crypto.randomUUID() });
    } catch {
      one.favourite = !one.favourite;
      button.setAttribute("aria-pressed", String(one.favourite));
    }
  } }, "★");
  return button;
}

// -- one market ----------------------------------------------------------------------------------------------------------
async function renderOne(root, name) {
  const body = h("div");
  body.style.display = "contents";
  root.append(body);
  async function update() {
    const said = await get(`markets/${name}`);
    show(body, { ...said, now: Math.floor(Date.now() / 5000) }, () => whole(said));
  }
  await update();
  const timer = setInterval(() => update().catch(() => {}), 5000);
  return () => clearInterval(timer);
}

function whole(said) {
  return [
    h("section", { class: "card" }, h("h1", {}, said.symbol), said.listed.map((one) => h("div", {}, h("h2", {}, one.broker, " ", pill(one.status, one.tradable ? "good" : "note"), " ", one.why.map((why) => [pill(why, "plain"), " "])),
      h("dl", { class: "tiles" }, fact("Bid", one.bid === undefined ? "no price" : price(one.bid), one.bid_quantity ? `${quantity(one.bid_quantity)} there` : ""), fact("Ask", one.ask === undefined ? "no price" : price(one.ask)), fact("Last", price(one.last_price ?? null)), fact("Spread", one.spread_percent ? `${one.spread_percent} %` : "unknown"), fact("Price is of", age(one.price_age_seconds ?? one.age_seconds ?? null)), fact("Smallest order", `${quantity(one.minimum_quantity)} / ${amount(one.minimum_notional)}`))))),
    charts(said),
    card("Our positions", {}, said.positions.length ? h("ul", { class: "list" }, said.positions.map((one) => {
      const state = said.exits.find((each) => each.account_id === one.account_id);
      return h("li", {}, h("a", { href: `#/account/${encodeURIComponent(one.account_id)}` }, one.account_id), `: ${quantity(one.quantity)} bought at ${price(one.average_entry_price)}, `, since(one.opened_at, { before: "held ", after: "" }), h("br"), exits(state ? { ...state, rules: JSON.parse(state.rules_json), reason: "", faults: "" } : null));
    })) : empty("Nobody holds it.")),
    card("Why it is not bought", {}, said.words.length ? h("ul", { class: "list" }, said.words.map((one) => h("li", {}, h("a", { href: `#/why/${encodeURIComponent(one.account_id)}?symbol=${encodeURIComponent(said.symbol)}` }, one.account_id), ` ${words(one.stage)} `, pill(words(one.rule || one.stage), "note"), ` ${one.detail} `, since(one.since)))) : empty("No master has looked at it yet.")),
    card("Our trades", {}, trades(said)),
  ];
}

function fact(name, value, besides = "") {
  return h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, value), besides ? h("dd", { class: "small quietly" }, besides) : null);
}

function charts(said) {
  const candles = said.candles ?? [];
  if (candles.length) return candles.map((one) => card(`Candles at ${one.broker}`, {}, candleChart(one.candles, { title: `${said.symbol}, ${one.interval_minutes} min`, lines: one.indicators ?? [], levels: levels(said, one.broker), marks: marks(said, one.broker) }),
    (one.oscillators ?? []).map((line) => lineChart(line.values.map((value, index) => [index, value ?? NaN]), { title: line.name, height: 110 })),
    one.strategy ? h("p", { class: "small" }, h("strong", {}, words(one.strategy)), ` says of an entry now: ${one.answer}`) : null));
  return Object.entries(said.lines).filter(([, points]) => points.length > 1).map(([broker, points]) => card(`The last hour at ${broker}`, {}, sparkline(points.map((point) => point[1]), { width: 720, height: 160 })));
}

function levels(said, broker) {
  return said.exits.filter((state) => state.account_id.split("_").at(-1) === broker).slice(0, 1).flatMap((state) => Object.entries(JSON.parse(state.rules_json)).map(([name, rule]) => ({ name: words(name), price: Number(rule.level) })));
}

function marks(said, broker) {
  return said.trades.filter((one) => one.account_id.split("_").at(-1) === broker).map((one) => ({ at: Date.parse(one.executed_at) / 1000, side: one.side, price: Number(one.price), text: `${one.account_id}: ${one.side} ${one.quantity} at ${one.price}` }));
}

function trades(said) {
  const table = new KeptTable({ caption: "Our trades", hideCaption: true, key: (row) => `${row.account_id} ${row.executed_at} ${row.quantity}`, first: 20, nothing: "None yet.", columns: [
    { head: "account", cell: (row) => row.account_id }, { head: "when", cell: (row) => since(row.executed_at) }, { head: "side", cell: (row) => row.side },
    { head: "quantity", number: true, cell: (row) => quantity(row.quantity) }, { head: "price", number: true, cell: (row) => price(row.price) } ] });
  table.update(said.trades);
  return table.element;
}

