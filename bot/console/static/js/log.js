// The log's last lines; a text to look for may be an account, an order, a signal.

import { get } from "./api.js";
import { card, h, show } from "./dom.js";

export const title = "Log";

export async function render(root, { query }) {
  const level = h("select", {}, ["DEBUG", "INFO", "WARNING", "ERROR"].map((name) => h("option", { value: name, selected: name === (query.get("level") ?? "INFO") }, `${name.toLowerCase()} and worse`)));
  const contains = h("input", { type: "search", value: query.get("contains") ?? "", placeholder: "account, order, signal" });
  const follow = h("input", { type: "checkbox", checked: true });
  const lines = h("div", { class: "log", tabIndex: 0, role: "log", "aria-label": "Log" });
  root.append(card("Log", {}, h("div", { class: "row" }, h("label", {}, "Level", level), h("label", {}, "With", contains), h("label", { class: "check" }, follow, "follow")), lines));
  async function update() {
    const said = await get("log", { level: level.value, contains: contains.value.trim(), limit: 400 });
    const atEnd = follow.checked;
    show(lines, said.lines, () => said.lines.length ? said.lines.map((line) => h("div", { class: line.level }, `${line.time.slice(11, 23)} ${line.level} [${line.thread}] ${line.message}`, line.more ? h("pre", {}, line.more) : null)) : h("p", { class: "empty" }, "No such line."));
    if (atEnd) requestAnimationFrame(() => { lines.scrollTop = lines.scrollHeight; });
  }
  for (const field of [level, contains]) field.addEventListener("input", () => update().catch(() => {}));
  await update();
  const timer = setInterval(() => follow.checked && update().catch(() => {}), 2000);
  return () => clearInterval(timer);
}
