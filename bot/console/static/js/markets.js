// Every market of the brokerages that are watched: live prices, what moves, what is looked at closely, one of them whole.

import { get, mayControl, post, stream } from "./api.js";
import { candleChart } from "./candles.js";
import { lineChart, sparkline } from "./charts.js";
import { KeptTable, card, empty, h, pill, show } from "./dom.js";
import { age, amount, brokerage, price, quantity, since, words } from "./format.js";
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
  const tabs = h("div", { class: "tabs", role: "group", "aria-label": "Which markets" }, TABS.map(([name, text]) =>
    h("button", { type: "button", onclick: () => { state.tab = name; list.toTop(); draw(); } }, text)));
  const search = h("input", { type: "search", placeholder: "Search", "aria-label": "Search markets" });
  const counted = h("p", { class: "small quietly", role: "status" });
  const list = new VirtualList({ height: ROW, build: buildRow, fill: fillRow, label: "Markets" });
  const head = h("div", { class: "market-row market-head", role: "row" }, h("span", { role: "columnheader", "aria-label": "favourite" }), HEADS.map(([by, text, wide]) =>
    h("span", { role: "columnheader", class: [wide ?? "", ["last", "bid", "ask", "change", "spread"].includes(by) ? "number" : ""].join(" ").trim() || null, "data-by": by, "aria-label": by ? null : "last hour" }, by ? h("button", { type: "button", onclick: () => sortBy(by) }, text) : text)));
  const nothing = empty("No such market.");
  const table = h("div", { class: "markets", role: "table", "aria-label": "Markets" }, h("div", { role: "rowgroup" }, head), list.element);
  root.append(card("Markets", { more: [counted] }, h("div", { class: "row" }, tabs, search), table, nothing));

  function sortBy(by) {
    state.down = state.by === by ? !state.down : by !== "symbol" && by !== "word";
    state.by = by;
    for (const each of head.children) each.setAttribute("aria-sort", each.dataset.by === by ? (state.down ? "descending" : "ascending") : "none");
    draw();
  }

  async function read() {
    const said = await get("markets");
    const focus = new Set(said.focus.map((each) => `${each.broker} ${each.symbol}`));
    const movers = new Set(said.movers.map((each) => `${each.broker} ${each.symbol}`));
    const favourites = new Set(said.favourites.map((each) => `${each.broker} ${each.symbol}`));
    const held = new Set(said.held.map((each) => `${each.account_id.split("_").at(-1)} ${each.symbol}`));
    const saidOf = new Map(said.words.map(([account, symbol, stage, rule, detail]) => [`${account} ${symbol}`, { stage, rule, detail }]));
    const listed = said.rows.map((row) => Object.fromEntries(said.columns.map((name, index) => [name, row[index]])));
    for (const each of listed) {
      const key = `${each.broker} ${each.symbol}`;
      const before = known.get(key);
      // What has come since by the stream is fresher than what was read.
      const fresher = before?.pricedAt > Date.now() - 1000 * (each.age_seconds ?? Infinity) ? {} : { ...numbers(each), pricedAt: each.age_seconds === null ? null : Date.now() - 1000 * each.age_seconds };
      known.set(key, { ...numbers(each), ...before, ...fresher, key, broker: each.broker, symbol: each.symbol, tradable: each.tradable, status: each.status, line: each.line,
        focus: focus.has(key), mover: movers.has(key), favourite: favourites.has(key), held: held.has(key), word: saidOf.get(key) });
    }
    const still = new Set(listed.map((each) => `${each.broker} ${each.symbol}`));
    for (const key of known.keys()) if (!still.has(key)) known.delete(key);
    counted.textContent = `${known.size} markets; ${said.sources.map((each) => `${brokerage(each.broker)} by ${each.source}`).join(", ") || "nobody looks at any market"}`;
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
    table.setAttribute("aria-rowcount", String(rows.length + 1));
    nothing.hidden = rows.length > 0;
    drawTabs();
  }

  // Kept, so that whoever is on one of them by keyboard stays there.
  function drawTabs() {
    const counts = { focus: 0, movers: 0, held: 0, favourites: 0 };
    for (const one of known.values()) {
      counts.focus += one.focus;
      counts.movers += one.mover;
      counts.held += one.held;
      counts.favourites += one.favourite;
    }
    TABS.forEach(([name, text], index) => {
      put(tabs.children[index], name === "all" ? text : `${text} ${counts[name]}`);
      tabs.children[index].setAttribute("aria-pressed", String(state.tab === name));
    });
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

  search.addEventListener("input", () => { state.search = search.value.trim(); list.toTop(); draw(); });
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
  put(cell.word, one.tradable ? (one.word ? `${words(one.word.rule || one.word.stage)}: ${one.word.detail}` : "") : words(one.status));
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
    h("section", { class: "card" }, h("h1", {}, said.symbol), said.listed.map(listing)),
    charts(said),
    (said.books ?? []).map(book),
    card("Our positions", {}, said.positions.length ? h("ul", { class: "list" }, said.positions.map((one) => {
      const state = said.exits.find((each) => each.account_id === one.account_id);
      return h("li", {}, h("a", { href: `#/account/${encodeURIComponent(one.account_id)}` }, one.account_id), `: ${quantity(one.quantity)} bought at ${price(one.average_entry_price)}, `, since(one.opened_at, { before: "held ", after: "" }), h("br"), exits(state ? { ...state, rules: JSON.parse(state.rules_json), reason: "", faults: "" } : null));
    })) : empty("Nobody holds it.")),
    card("Why it is not bought", {}, said.words.length ? h("ul", { class: "list" }, said.words.map((one) => h("li", {}, h("a", { href: `#/why/${encodeURIComponent(one.account_id)}?symbol=${encodeURIComponent(said.symbol)}` }, one.account_id), ` ${words(one.stage)} `, pill(words(one.rule || one.stage), "note"), ` ${one.detail} `, since(one.since)))) : empty("No master has looked at it yet.")),
    card("Our trades", {}, trades(said)),
  ];
}

function listing(one) {
  const seen = one.bid !== undefined || one.last_price;
  const tiles = seen ? [fact("Bid", one.bid === undefined ? "no price" : price(one.bid), one.bid_quantity ? `${quantity(one.bid_quantity)} there` : ""),
    fact("Ask", one.ask === undefined ? "no price" : price(one.ask), one.ask_quantity ? `${quantity(one.ask_quantity)} there` : ""), fact("Last", price(one.last_price ?? null)),
    fact("Spread", one.spread_percent ? `${one.spread_percent} %` : "unknown"), fact("Price is of", age(one.price_age_seconds ?? one.age_seconds ?? null))] : [];
  return h("div", { class: "body" }, h("h2", {}, brokerage(one.broker), " ", pill(words(one.status), one.tradable ? "good" : "note"), " ", one.why.map((why) => [pill(words(why), "plain"), " "])),
    seen ? null : h("p", { class: "small quietly" }, "Nobody watches its price here; an account asks for it when it needs it."),
    h("dl", { class: "tiles" }, tiles, fact("Smallest order", `${quantity(one.minimum_quantity)} / ${amount(one.minimum_notional)}`)));
}

/** The best prices with what is there, bids beside asks. */
function book(one) {
  const levels = one.bids.map((bid, index) => ({ index, bid, ask: one.asks[index] ?? null }));
  const table = new KeptTable({ caption: `Book at ${brokerage(one.broker)}`, hideCaption: true, key: (row) => row.index, nothing: "The book is empty.", columns: [
    { head: "level", cell: (row) => String(row.index + 1) },
    { head: "wanted", number: true, cell: (row) => quantity(row.bid[1]) }, { head: "bid", number: true, cell: (row) => h("span", { class: "gain" }, price(row.bid[0])) },
    { head: "ask", number: true, cell: (row) => row.ask ? h("span", { class: "loss" }, price(row.ask[0])) : "" }, { head: "offered", number: true, cell: (row) => row.ask ? quantity(row.ask[1]) : "" } ] });
  table.update(levels);
  return card(`Book at ${brokerage(one.broker)}`, { more: [age(one.age_seconds)] }, table.element);
}

function fact(name, value, besides = "") {
  return h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, value), besides ? h("dd", { class: "small quietly" }, besides) : null);
}

function charts(said) {
  const candles = said.candles ?? [];
  if (candles.length) return candles.map((one) => card(`Candles at ${brokerage(one.broker)}`, {}, candleChart(one.candles, { title: `${said.symbol}, ${one.interval_minutes} min`, lines: one.indicators ?? [], levels: levels(said, one.broker), marks: marks(said, one.broker) }),
    (one.oscillators ?? []).map((line) => lineChart(line.values.map((value, index) => [index, value ?? NaN]), { title: line.name, height: 110 })),
    one.strategy ? h("p", { class: "small" }, h("strong", {}, words(one.strategy)), ` says of an entry now: ${one.answer}`) : null));
  return Object.entries(said.lines).filter(([, points]) => points.length > 1).map(([broker, points]) => card(`The last hour at ${brokerage(broker)}`, {}, sparkline(points.map((point) => point[1]), { width: 720, height: 160 })));
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

