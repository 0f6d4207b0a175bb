// The frame: which page is shown, the word for the whole, keys, and whether the console can be heard.

import { Failure, mayControl, readSession, role, stream } from "./api.js";
import { askToStop } from "./controls.js";
import { empty, h, show } from "./dom.js";
import { ageText } from "./format.js";
import { signIn } from "./login.js";

// Each page is loaded when it is first opened. `keys` are pressed to go there.
const PAGES = [
  { path: "", name: "Overview", load: () => import("./home.js") },
  { path: "copies", name: "Copies", load: () => import("./copies.js") },
  { path: "orders", name: "Orders", load: () => import("./orders.js") },
  { path: "pnl", name: "P&L", load: () => import("./pnl.js") },
  { path: "markets", name: "Markets", load: () => import("./markets.js") },
  { path: "alerts", name: "Alerts", load: () => import("./alerts.js") },
  { path: "users", name: "Users", load: () => import("./users.js") },
  { path: "log", name: "Log", load: () => import("./log.js") },
  { path: "settings", name: "Settings", load: () => import("./settings.js") },
  { path: "positions", name: "Positions", load: () => import("./positions.js"), hidden: true },
  { path: "account", name: "Account", load: () => import("./account.js"), hidden: true },
  { path: "why", name: "Why", load: () => import("./why.js"), hidden: true },
  { path: "controls", name: "What was done", load: () => import("./history.js"), hidden: true },
];

const main = document.getElementById("main");
const word = document.getElementById("word");
const banner = document.getElementById("banner");
const foot = document.getElementById("foot");
const modeShown = document.getElementById("mode");

let leave = () => {};
let opened = 0;
let stopListening = null;
let lost = false;

// -- pages ---------------------------------------------------------------------------------------------------------
function where() {
  const [path, ...rest] = location.hash.replace(/^#\/?/, "").split("?")[0].split("/").map(decodeURIComponent);
  const query = new URLSearchParams(location.hash.split("?")[1] ?? "");
  return { page: PAGES.find((each) => each.path === path) ?? PAGES[0], rest, query };
}

async function openPage() {
  const number = (opened += 1);
  const { page, rest, query } = where();
  leave();
  leave = () => {};
  showNavigation(page);
  main.replaceChildren(h("p", { class: "empty" }, `Loading ${page.name}…`));
  try {
    const module = await page.load();
    if (number !== opened) return;
    const root = h("div", { class: "page" });
    root.style.display = "contents";
    const dispose = await module.render(root, { rest, query });
    if (number !== opened) return dispose?.();
    leave = () => dispose?.();
    if (!root.querySelector("h1")) root.prepend(h("h1", { class: "visually-hidden" }, module.title ?? page.name));
    main.replaceChildren(root);
    document.title = `${module.title ?? page.name} · NIJA`;
    if (!main.contains(document.activeElement)) main.focus({ preventScroll: true });
  } catch (error) {
    if (number === opened) main.replaceChildren(sorry(error));
  }
}

function sorry(error) {
  const why = error instanceof Failure ? error.message : `This page could not be shown (${error.message}).`;
  return h("section", { class: "card", data: { sorry: "" } }, h("h1", {}, "Not now"), empty(why),
    h("p", {}, h("button", { type: "button", onclick: openPage }, "Try again")));
}

function showNavigation(current) {
  const links = PAGES.filter((page) => !page.hidden).map((page, index) =>
    h("a", { href: `#/${page.path}`, title: `Key ${index + 1}`, "aria-current": page === current ? "page" : null }, page.name));
  const bar = document.getElementById("pages");
  bar.replaceChildren(...links);
  const link = bar.querySelector("[aria-current]");
  if (link) bar.scrollLeft = link.offsetLeft - (bar.clientWidth - link.offsetWidth) / 2;
}

// -- the word for the whole -------------------------------------------------------------------------------------------
function showOverview(said) {
  if (said.error) return showLost(said.error);
  show(word, said.word, (value) => value.state === "trading" ? "Trading" : `${value.text}: ${value.why}`);
  word.dataset.state = said.word.state;
  word.title = said.word.why;
  modeShown.textContent = said.mode;
  modeShown.dataset.mode = said.mode;
  showBanner(said.running ? "" : said.said);
  show(foot, [said.build, said.mode, said.drilled.text, Math.floor((said.uptime_seconds ?? -60) / 60)], () => [
    h("span", {}, `${said.mode === "live" ? "LIVE: real money" : "PAPER: prices and profit are made up"}`),
    h("span", {}, said.uptime_seconds === null ? "not running" : `up ${ageText(said.uptime_seconds)}`),
    h("span", {}, "build ", h("code", {}, said.build.build)),
    h("span", {}, "configuration ", h("code", {}, said.build.configuration)),
    h("span", { title: "python bot.py drill --last" }, said.drilled.text),
    h("a", { href: "#/controls" }, "what was done, and by whom"),
  ]);
}

function showLost(why) {
  word.textContent = "Not known";
  word.dataset.state = "lost";
  showBanner(why);
}

function showBanner(text, kind = "bad") {
  banner.hidden = !text;
  banner.dataset.kind = kind;
  if (banner.textContent !== text) banner.textContent = text;
}

document.addEventListener("connection", ({ detail }) => {
  if (detail.connected) {
    if (!lost) return;
    lost = false;
    showBanner("");
    // After a restart the server may know us under another token; a page that could not be shown is tried again.
    readSession().catch(() => {});
    if (main.querySelector("[data-sorry]")) openPage();
    return;
  }
  lost = true;
  word.dataset.state = "lost";
  word.textContent = "Connection lost";
  showBanner("The console cannot be heard. What is shown is old; it comes back by itself.", "note");
});

// -- signing in -------------------------------------------------------------------------------------------------------
document.addEventListener("signed-out", () => begin());

async function begin() {
  let session;
  try {
    session = await readSession();
  } catch (error) {
    showLost(error.message);
    setTimeout(begin, 2000);
    return;
  }
  if (session.role === "none") {
    stopListening?.();
    stopListening = null;
    leave();
    word.textContent = "Signed out";
    word.dataset.state = "unknown";
    document.getElementById("pages").replaceChildren();
    document.getElementById("stop").hidden = true;
    main.replaceChildren(signIn(begin));
    return;
  }
  document.getElementById("stop").hidden = !mayControl();
  stopListening ??= stream.listen("overview", showOverview);
  openPage();
}

// -- keys and buttons ---------------------------------------------------------------------------------------------------
function help() {
  const dialog = h("dialog", { "aria-labelledby": "help-title" }, h("div", { class: "body" },
    h("h2", { id: "help-title" }, "Keys"),
    h("dl", { class: "list" },
      PAGES.filter((page) => !page.hidden).map((page, index) => h("div", { class: "row" }, h("dt", {}, h("kbd", {}, index + 1)), h("dd", {}, page.name))),
      h("div", { class: "row" }, h("dt", {}, h("kbd", {}, "/")), h("dd", {}, "search on this page")),
      h("div", { class: "row" }, h("dt", {}, h("kbd", {}, "s")), h("dd", {}, "stop, or sell")),
      h("div", { class: "row" }, h("dt", {}, h("kbd", {}, "?")), h("dd", {}, "this list"))),
    h("p", { class: "quietly small" }, `You are signed in to ${role() === "control" ? "look and to control" : "look"}.`),
    h("form", { method: "dialog", class: "row" }, h("button", { class: "main" }, "Close"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const page = PAGES.filter((each) => !each.hidden)[Number(event.key) - 1];
  if (page) location.hash = `#/${page.path}`;
  else if (event.key === "?") help();
  else if (event.key === "s" && mayControl()) askToStop();
  else if (event.key === "/") {
    const search = main.querySelector("input[type=search]");
    if (!search) return;
    search.focus();
  } else return;
  event.preventDefault();
}

function changeTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
}

const theme = localStorage.getItem("theme");
if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
document.getElementById("theme").addEventListener("click", changeTheme);
document.getElementById("help").addEventListener("click", help);
document.getElementById("stop").addEventListener("click", () => askToStop());
document.addEventListener("keydown", onKey);
window.addEventListener("hashchange", openPage);
begin();

