// Signing in. One password opens the page to look, another one to control as well.

import { Failure, post, readSession } from "./api.js";
import { h } from "./dom.js";

export function signIn(done) {
  const said = h("p", { class: "loss", role: "alert" });
  const password = h("input", { type: "password", name: "password", autocomplete: "current-password", required: true, autofocus: true });
  const button = h("button", { class: "main" }, "Sign in");
  const form = h("form", { class: "card", "aria-labelledby": "sign-in" },
    h("h1", { id: "sign-in" }, "Sign in"), h("label", {}, "Password", password), said, h("p", { class: "row" }, button));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    said.textContent = "";
    try {
      await post("sign-in", { password: password.value });
      await readSession();
      done();
    } catch (error) {
      said.textContent = error instanceof Failure ? capital(error.message) : "That did not work.";
      button.disabled = false;
      password.select();
    }
  });
  queueMicrotask(() => password.focus());
  return form;
}

function capital(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
