// Users: who they are, what they have set, whether they copy.

import { get } from "./api.js";
import { controlButton } from "./controls.js";
import { KeptTable, card, h, pill } from "./dom.js";
import { brokerage, words } from "./format.js";

export const title = "Users";
const EVERY_MS = 3000;

export async function render(root) {
  const table = new KeptTable({
    caption: "Users of the configuration", hideCaption: true, key: (row) => row.account, nothing: "No user is configured: config/users/ has none.",
    columns: [
      { head: "user", cell: (row) => h("a", { href: `#/account/${encodeURIComponent(row.account)}` }, `${row.name} at ${brokerage(row.broker)}`) },
      { head: "state", cell: (row) => state(row) },
      { head: "kind", secondary: true, cell: (row) => `${row.account_type}${row.shadow ? ", shadow" : ""}` },
      { head: "copies by", cell: (row) => settings(row.copy) },
      { head: "paused", cell: (row) => row.pauses.map((each) => each.symbol).join(", ") },
      { head: "", cell: (row) => h("span", { class: "row beside" }, controlButton("Pause…", { action: "pause", target: `account:${row.account}`, title: `Pause ${row.name}` }), controlButton("Go on…", { action: "resume", target: `account:${row.account}`, title: `Let ${row.name} go on`, danger: false })) },
      { head: "from", secondary: true, cell: (row) => h("code", {}, row.source) },
    ],
  });
  const besides = h("div");
  root.append(card("Users", {}, table.element), besides);
  async function update() {
    const said = await get("users");
    table.update(said.users);
    const lines = Object.entries(said.orphaned).map(([label, has]) => `${label} is in no file any more: ${has}`);
    besides.replaceChildren(...(lines.length ? [card("Without a file", {}, h("ul", { class: "list" }, lines.map((line) => h("li", { class: "gate" }, line))))] : []));
  }
  await update();
  const timer = setInterval(() => update().catch(() => {}), EVERY_MS);
  return () => clearInterval(timer);
}

function state(row) {
  if (!row.enabled) return pill(`switched off (${words(row.when_disabled)})`, "plain");
  if (!row.state) return pill("not taken up yet", "note");
  return h("span", {}, pill(row.state.trading ? "trading" : words(row.state.health), row.state.trading ? "good" : "note"), row.state.trading ? "" : h("span", { class: "small quietly" }, ` ${row.state.why_not_trading}`));
}

function settings(copy) {
  return h("span", { class: "small" }, Object.entries(copy).filter(([, value]) => !["null", "[]", ""].includes(value)).map(([name, value], index) => [index ? ", " : "", `${words(name)} ${words(value)}`]));
}
