// Every setting as it is in force, and where it came from.

import { get } from "./api.js";
import { KeptTable, card, h } from "./dom.js";

export const title = "Settings";

export async function render(root) {
  const { settings } = await get("settings");
  const search = h("input", { type: "search", placeholder: "Search", "aria-label": "Search settings" });
  const changed = h("input", { type: "checkbox" });
  const table = new KeptTable({
    caption: "Settings", hideCaption: true, key: (row) => row.name, group: (row) => row.name.includes(".") ? row.name.split(".")[0] : "general", nothing: "No such setting.",
    columns: [
      { head: "setting", cell: (row) => h("code", {}, row.name) },
      { head: "value", cell: (row) => h("strong", {}, row.value) },
      { head: "unit", secondary: true, cell: (row) => row.unit },
      { head: "from", cell: (row) => row.source },
      { head: "meaning", cell: (row) => row.description },
    ],
  });
  const update = () => {
    const wanted = search.value.trim().toLowerCase();
    table.update(settings.filter((row) => (!changed.checked || row.source !== "default") && (!wanted || `${row.name} ${row.description}`.toLowerCase().includes(wanted))));
  };
  search.addEventListener("input", update);
  changed.addEventListener("change", update);
  root.append(card("Settings in force", { more: [h("span", { class: "small quietly" }, "changed in config/nija.yaml or the environment, and read at the start")] }, h("div", { class: "row" }, search, h("label", { class: "check" }, changed, "only what is set somewhere")), table.element));
  update();
}
