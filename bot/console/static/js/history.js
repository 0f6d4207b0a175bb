// What was done on this page or by the API, and by whom. Nothing is ever removed from it.

import { get } from "./api.js";
import { KeptTable, card, h, pill } from "./dom.js";
import { since, words } from "./format.js";

export const title = "What was done";

export async function render(root) {
  const table = new KeptTable({
    caption: "Controls, newest first", hideCaption: true, key: (row) => row.id, nothing: "Nothing was ever asked for.",
    columns: [
      { head: "what", cell: (row) => `${words(row.action)} ${row.target === "all" ? "everything" : row.target}` },
      { head: "when", cell: (row) => since(row.at) },
      { head: "who", cell: (row) => `${row.actor} (${row.address || row.role})` },
      { head: "why", cell: (row) => row.reason },
      { head: "became", cell: (row) => h("span", {}, pill(words(row.state), row.state === "done" ? "good" : row.state === "refused" || row.state === "failed" ? "bad" : "note"), h("br"), (row.lines ?? []).map((line) => [h("span", { class: "small" }, line), h("br")])) },
    ],
  });
  root.append(card("What was done, and by whom", {}, table.element));
  const update = async () => table.update((await get("controls")).controls);
  await update();
  const timer = setInterval(() => update().catch(() => {}), 2000);
  return () => clearInterval(timer);
}
