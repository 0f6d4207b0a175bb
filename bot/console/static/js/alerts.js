// What a person should look at, and everything that happened.

import { get } from "./api.js";
import { controlButton } from "./controls.js";
import { KeptTable, card, h, pill, show } from "./dom.js";
import { since, words } from "./format.js";
import { eventList } from "./home.js";

export const title = "Alerts";

export async function render(root) {
  const table = new KeptTable({
    caption: "Alerts", hideCaption: true, key: (row) => row.id, nothing: "No alert: nothing needs you.",
    columns: [
      { head: "what", cell: (row) => h("span", {}, pill(words(row.cause), row.cleared_at ? "plain" : row.severity === "critical" ? "bad" : "note"), ` ${row.text}`) },
      { head: "about", cell: (row) => row.subject },
      { head: "since", cell: (row) => since(row.since) },
      { head: "state", cell: (row) => row.cleared_at ? h("span", {}, "over ", since(row.cleared_at)) : row.acked_by ? `seen by ${row.acked_by}` : h("span", {}, pill("open", "bad")) },
      { head: "", cell: (row) => row.cleared_at || row.acked_by ? "" : controlButton("I have seen it", { action: "ack_alert", target: String(row.id), title: "Seen", danger: false, needsReason: false }) },
    ],
  });
  const account = h("input", { type: "search", placeholder: "account", "aria-label": "Events of one account" });
  const events = h("div");
  root.append(card("Alerts", {}, table.element), card("Events", { more: [account] }, events));
  async function update() {
    const [alerts, said] = await Promise.all([get("alerts").catch(() => ({ alerts: [] })), get("events", { limit: 100, account: account.value.trim() }).catch((error) => ({ events: [], error }))]);
    table.update(alerts.alerts);
    show(events, said.events, () => said.error ? h("p", { class: "loss" }, said.error.message) : eventList(said.events));
  }
  account.addEventListener("change", () => update());
  await update();
  const timer = setInterval(() => update().catch(() => {}), 2000);
  return () => clearInterval(timer);
}
