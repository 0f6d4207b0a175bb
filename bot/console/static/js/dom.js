// Building the page. What comes from outside only ever becomes text: nothing here parses markup.

const NUMERIC = "number";

/** An element with properties and children; a child that is no node becomes text, null and false become nothing. */
export function h(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") made.className = value;
    else if (name === "data") Object.assign(made.dataset, value);
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && !(name === "list" || name === "form")) made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  append(made, children);
  return made;
}

/** The same for SVG. */
export function s(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== undefined) made.setAttribute(name, value);
  append(made, children);
  return made;
}

function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

const saidBefore = new WeakMap();

/** Build the children of an element anew, but only when `value` is another one than the last time. */
export function show(parent, value, build) {
  const said = JSON.stringify(value);
  if (saidBefore.get(parent) === said) return;
  saidBefore.set(parent, said);
  const made = document.createDocumentFragment();
  append(made, [build(value)]);
  replaceAndKeepFocus(parent, made);
}

const FOCUSABLE = "a[href], button, input, select, textarea, [tabindex]";

/** New children; whoever was on the third link stays on the third link. */
function replaceAndKeepFocus(parent, ...children) {
  const focused = parent.contains(document.activeElement) ? [...parent.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement) : -1;
  parent.replaceChildren(...children);
  if (focused >= 0) parent.querySelectorAll(FOCUSABLE)[focused]?.focus({ preventScroll: true });
}

/** A card with a heading; `more` stands beside it. */
export function card(title, { more = [], id = null } = {}, ...children) {
  return h("section", { class: "card", id, "aria-label": title }, h("header", {}, h("h2", {}, title), more), children);
}

export function pill(text, level = "plain") {
  return h("span", { class: "pill", data: { level } }, text);
}

export function empty(text) {
  return h("p", { class: "empty" }, text);
}

function classes(column) {
  return [column.number ? NUMERIC : "", column.secondary ? "secondary" : ""].filter(Boolean).join(" ") || null;
}

/**
 * A table that is kept: rows are known by their key, and only cells that say something else are replaced.
 * `columns`: [{ head, cell(row) → node or text, number, secondary }]; what is secondary is left out on a phone; the first one is the row's heading.
 */
export class KeptTable {
  constructor({ caption, columns, key, nothing = "Nothing here.", hideCaption = false, group = null, first = Infinity }) {
    this.first = first;
    this.all = h("button", { type: "button", hidden: true, onclick: () => { this.first = Infinity; this.update(this.shown); } });
    this.columns = columns;
    this.key = key;
    this.group = group;
    this.rows = new Map();
    this.body = h("tbody");
    const heads = columns.map((column) => h("th", { scope: "col", class: classes(column) }, column.head));
    this.table = h("table", { class: "stack" },
      h("caption", { class: hideCaption ? "visually-hidden" : null }, caption), h("thead", {}, h("tr", {}, heads)), this.body);
    this.nothing = empty(nothing);
    this.element = h("div", { class: "scroll" }, this.table, this.nothing, this.all);
    this.update([]);
  }

  /** Show these rows, in this order; of more than `first` the others wait behind a button. */
  update(every) {
    this.shown = every;
    const rows = every.slice(0, this.first);
    this.all.hidden = rows.length === every.length;
    this.all.textContent = `Show all ${every.length}`;
    const seen = new Set();
    let place = this.body.firstChild;
    let group = null;
    const put = (element) => {
      if (element !== place) this.body.insertBefore(element, place);
      else place = place.nextSibling;
    };
    for (const row of rows) {
      if (this.group && this.group(row) !== group) {
        group = this.group(row);
        put(this.heading(group));
        seen.add(`group:${group}`);
      }
      const key = String(this.key(row));
      seen.add(key);
      put(this.row(key, row));
    }
    for (const [key, kept] of this.rows) {
      if (!seen.has(key)) {
        kept.element.remove();
        this.rows.delete(key);
      }
    }
    this.table.hidden = rows.length === 0;
    this.nothing.hidden = rows.length > 0;
  }

  heading(group) {
    const key = `group:${group}`;
    let kept = this.rows.get(key);
    if (!kept) {
      kept = { element: h("tr", { class: "group" }, h("th", { colSpan: this.columns.length, scope: "rowgroup" }, group)), cells: [] };
      this.rows.set(key, kept);
    }
    return kept.element;
  }

  row(key, row) {
    let kept = this.rows.get(key);
    if (!kept) {
      const cells = this.columns.map((column, index) =>
        h(index === 0 ? "th" : "td", { scope: index === 0 ? "row" : null, class: classes(column), data: { label: column.head } }));
      kept = { element: h("tr", {}, cells), cells, said: [] };
      this.rows.set(key, kept);
    }
    this.columns.forEach((column, index) => {
      const made = column.cell(row);
      const said = made instanceof Node ? made.outerHTML : String(made ?? "");
      if (kept.said[index] === said) return;
      kept.said[index] = said;
      replaceAndKeepFocus(kept.cells[index], ...(made === null || made === undefined ? [] : [made]));
    });
    return kept.element;
  }
}
