// Doing something: what stops or sells takes two steps. First the server says what would happen, and gives a code;
// the second step sends the code back. The nonce makes a step that is sent twice one step.

import { Failure, get, mayControl, post } from "./api.js";
import { h } from "./dom.js";

const POLL_MS = 300;

/** A dialog about one action. `target` and `action` may be chosen in it when they are not given. */
export function ask({ action, target = "all", title, text, details = {}, needsReason = true, danger = true, done = () => {} }) {
  const nonce = crypto.randomUUID();
  const said = h("p", { role: "status", "aria-live": "polite" });
  const reason = h("input", { name: "reason", maxLength: 200, placeholder: "for whoever reads it later" });
  const by = h("input", { name: "by", maxLength: 40, autocomplete: "name", value: localStorage.getItem("by") ?? "", placeholder: "your name" });
  const venueId = h("input", { name: "venue_order_id", maxLength: 64, required: Boolean(details.ask_venue_order_id) });
  const preview = h("div", { class: "body" });
  const go = h("button", { class: danger ? "danger" : "main" }, "Go on…");
  const close = h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Leave it");
  const form = h("form", {}, h("h2", {}, title), text ? h("p", {}, text) : null,
    details.ask_venue_order_id ? h("label", {}, "The order's id at the brokerage", venueId) : null,
    needsReason ? [h("label", {}, "Who", by), h("label", {}, "Why", reason)] : null, preview, said, h("p", { class: "row" }, go, close));
  const dialog = h("dialog", { "aria-label": title }, form);
  let code = null;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    try {
      localStorage.setItem("by", by.value);
      const told = details.ask_venue_order_id ? { accepted_as: venueId.value.trim() } : details;
      const answer = await post("controls", { action, target, reason: reason.value, by: by.value, details: told, nonce, ...(code ? { code } : {}) });
      if (answer.code) {
        code = answer.code;
        preview.replaceChildren(h("h3", {}, "This is what would happen"), h("ul", {}, answer.preview.map((line) => h("li", {}, line))));
        go.textContent = answer.confirm ?? "Yes, do it";
        go.disabled = false;
        go.focus();
        return;
      }
      for (const each of form.querySelectorAll("label")) each.hidden = true;
      await follow(answer, { said, go, close, preview });
      done();
    } catch (error) {
      said.textContent = error instanceof Failure ? error.message : "That did not work.";
      said.className = "loss";
      go.disabled = false;
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** Wait for the bot's word on it, and show what was done. */
async function follow(request, { said, go, close, preview }) {
  let state = request;
  go.hidden = true;
  close.textContent = "Close";
  while (state.state === "asked" || state.state === "taken") {
    if (state.running === false) {
      said.textContent = "Written down.";
      return showLines(preview, state);
    }
    said.textContent = state.state === "asked" ? "Asked; waiting for the bot…" : "The bot is at it…";
    showLines(preview, state);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    state = await get(`controls/${request.id}`);
  }
  said.textContent = { done: "Done.", refused: "Refused.", failed: "It did not work." }[state.state] ?? state.state;
  said.className = state.state === "done" ? "gain" : "loss";
  showLines(preview, state);
}

function showLines(preview, state) {
  preview.replaceChildren(h("ul", {}, (state.lines ?? []).map((line) => h("li", {}, line))));
}

/** A button that asks; nothing for whoever may only look. */
export function controlButton(label, options, { level = "" } = {}) {
  if (!mayControl()) return null;
  return h("button", { type: "button", class: level, onclick: () => ask(options) }, label);
}

/** The button in the header: stop entries, or sell. */
export function askToStop() {
  const dialog = h("dialog", { "aria-label": "Stop" }, h("div", { class: "body" },
    h("h2", {}, "Stop"),
    h("p", {}, "Nothing happens before you have seen what it would do and said yes."),
    choice(dialogClose, "Stop all entries", "No account buys anything; stops, targets and copied exits go on.",
      { action: "kill", target: "all", title: "Stop all entries" }),
    choice(dialogClose, "Stop, and sell everything", "No account buys anything, and everything that is held is sold now.",
      { action: "flatten", target: "all", title: "Stop and sell everything" }),
    choice(dialogClose, "Let entries go on again", "Lifts what was stopped before.",
      { action: "resume", target: "all", title: "Go on", danger: false }),
    h("p", { class: "quietly small" }, "One account, brokerage or market: on its own page."),
    h("form", { method: "dialog" }, h("button", { class: "quiet" }, "Close"))));
  function dialogClose() { dialog.close(); }
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function choice(close, label, text, options) {
  return h("div", { class: "choice" },
    h("button", { type: "button", class: options.danger === false ? "" : "danger", onclick: () => { close(); ask(options); } }, label),
    h("span", { class: "quietly small" }, text));
}
