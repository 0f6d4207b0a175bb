// Everything that is held, with the distance to each exit.

import { get } from "./api.js";
import { card, h } from "./dom.js";
import { positionsTable } from "./home.js";

export const title = "Open positions";
const EVERY_MS = 2000;

export async function render(root) {
  const table = positionsTable();
  const counted = h("p", { class: "small quietly", role: "status" });
  root.append(card("Open positions", { more: [counted] }, table.element));
  async function update() {
    const { positions } = await get("positions");
    counted.textContent = `${positions.length} held, nearest to an exit first`;
    table.update(positions);
  }
  await update();
  const timer = setInterval(() => update().catch(() => {}), EVERY_MS);
  return () => clearInterval(timer);
}
