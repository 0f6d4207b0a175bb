// A long list of which only what can be seen is in the page. Rows all have one height, so places are arithmetic.

const BESIDES = 8;

export class VirtualList {
  /** `build()` makes an empty row, `fill(element, item, index)` says one; `height` of a row is in pixels. */
  constructor({ height, build, fill, label }) {
    this.height = height;
    this.build = build;
    this.fillRow = fill;
    this.items = [];
    this.rows = [];
    this.inner = document.createElement("div");
    this.inner.className = "virtual-inner";
    this.element = document.createElement("div");
    this.element.className = "virtual";
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "rowgroup");
    this.element.setAttribute("aria-label", label);
    this.element.append(this.inner);
    this.element.addEventListener("scroll", () => this.draw(), { passive: true });
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.element);
  }

  show(items) {
    this.items = items;
    this.inner.style.height = `${items.length * this.height}px`;
    this.draw();
  }

  /** Other rows are shown from now on: from their beginning. */
  toTop() {
    this.element.scrollTop = 0;
  }

  /** Put the rows where they are seen; drawn at once, so that no jump ever shows nothing. */
  draw() {
    const seen = Math.ceil((this.element.clientHeight || 600) / this.height) + 2 * BESIDES;
    const first = Math.max(0, Math.min(Math.floor(this.element.scrollTop / this.height) - BESIDES, this.items.length - seen));
    const wanted = Math.min(seen, this.items.length - first);
    while (this.rows.length < wanted) {
      const row = this.build();
      row.style.position = "absolute";
      row.style.insetInline = "0";
      row.style.height = `${this.height}px`;
      this.inner.append(row);
      this.rows.push(row);
    }
    while (this.rows.length > wanted) this.rows.pop().remove();
    this.rows.forEach((row, offset) => {
      const index = first + offset;
      row.style.top = `${index * this.height}px`;
      row.setAttribute("aria-rowindex", String(index + 2));
      this.fillRow(row, this.items[index], index);
    });
  }

  close() {
    this.watcher.disconnect();
  }
}
