// What opens below the picker's buttons: a question, an answer, and the table of all sessions.
//
// Everything the kernel sends is other people's words: it is set as text, never as HTML.

const ROW = 30; // pixels; panel.css has the same
const SPARE = 8; // rows drawn beyond what is seen
const COLUMNS = ["name", "project", "agent", "last used", "time left"];

// The places in a row; what is shown stands from NAME up to USED.
const ID = 0;
const COLOR = 1;
const NAME = 2;
const USED = 7;
const GONE = 8;

/** The sessions, as the kernel told of them. */
class Table {
  constructor() {
    this.rows = new Map();
    this.words = new Map();
    this.ordered = [];
    this.total = undefined;
    this.current = "";
  }

  take({ kind, rows, gone, total, current }) {
    if (kind === "rows") {
      this.rows.clear();
      this.words.clear();
    }
    for (const row of rows) {
      this.rows.set(row[ID], row);
      this.words.set(row[ID], [...row.slice(NAME, USED), row[ID]].join(" ").toLowerCase());
    }
    for (const id of gone) {
      this.rows.delete(id);
      this.words.delete(id);
    }
    this.ordered = [...this.rows.values()].sort((a, b) => b[USED] - a[USED]);
    this.total = total;
    this.current = current;
  }

  /** The rows in which each of these words occurs. */
  matching(text) {
    const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (wanted.length === 0) return this.ordered;
    return this.ordered.filter((row) => {
      const words = this.words.get(row[ID]);
      return wanted.every((word) => words.includes(word));
    });
  }
}

function make(tag, className, attributes = {}, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

/** JupyterLab acts on keys before the element that has the focus sees them, unless told not to. */
function keepShortcutsOff({ target }) {
  target.setAttribute("data-lm-suppress-shortcuts", "true");
}

class View {
  constructor(model, el, table) {
    this.model = model;
    this.table = table;
    this.id = crypto.randomUUID?.() ?? String(Math.random());
    this.shown = [];
    this.active = -1;
    this.build(el);
    this.onMessage = (message) => this.receive(message);
    this.onBrowsing = () => this.open();
    model.on("msg:custom", this.onMessage);
    model.on("change:browsing", this.onBrowsing);
    this.sizes = new ResizeObserver(() => this.settle());
    this.sizes.observe(el);
    this.open();
    model.send({ kind: "shown", view: this.id });
  }

  close() {
    this.sizes.disconnect();
    this.model.off("msg:custom", this.onMessage);
    this.model.off("change:browsing", this.onBrowsing);
    this.model.send({ kind: "hidden", view: this.id });
  }

  build(el) {
    this.el = el;
    el.classList.add("vibekit-panel");
    this.question = make("form", "vibekit-question", { hidden: "" });
    this.question.addEventListener("submit", (event) => this.answer(event));
    this.question.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.dismiss();
    });
    this.status = make("div", "vibekit-status", { role: "status", "aria-live": "polite" });

    this.browser = make("div", "vibekit-browser", { hidden: "" });
    this.filter = make("input", "vibekit-filter", {
      type: "search",
      "aria-label": "Filter sessions",
      "aria-controls": `${this.id}-grid`,
      autocomplete: "off",
      spellcheck: "false",
    });
    this.filter.addEventListener("input", () => this.search());
    this.filter.addEventListener("keydown", (event) => this.key(event));
    this.count = make("div", "vibekit-count", { role: "status", "aria-live": "polite" });
    this.grid = make("div", "vibekit-grid", {
      id: `${this.id}-grid`,
      role: "grid",
      tabindex: "0",
      "aria-label": "All sessions",
      "aria-readonly": "true",
      "aria-colcount": String(COLUMNS.length),
    });
    const head = make("div", "vibekit-head vibekit-cells", { role: "row", "aria-rowindex": "1" });
    head.append(make("span", "", { "aria-hidden": "true" }));
    head.append(...COLUMNS.map((name) => make("span", "", { role: "columnheader" }, name)));
    this.body = make("div", "vibekit-body", { role: "rowgroup" });
    this.grid.append(head, this.body);
    this.grid.addEventListener("scroll", () => this.draw());
    this.grid.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("[data-place]");
      if (row) this.pick(Number(row.dataset.place));
    });
    this.browser.append(this.filter, this.grid, this.count);
    el.append(this.question, this.status, this.browser);
    // Other frontends listen after it.
    el.addEventListener("keydown", (event) => event.stopPropagation());
  }

  /** What can be done only when the panel is in the page, and again when its size changes. */
  settle() {
    const picker = this.el.closest(".vibekit-picker");
    if (picker) {
      picker.addEventListener("focusin", keepShortcutsOff);
      picker.setAttribute("role", "group");
      picker.setAttribute("aria-label", "Session picker");
    }
    this.draw();
  }

  receive(message) {
    if (message.kind === "ask") this.ask(message);
    if (message.kind === "say") this.say(message);
    if (message.kind === "rows" || message.kind === "patch") this.search();
  }

  // A question, asked in place

  ask({ text, yes, danger, fields }) {
    const asker = document.activeElement;
    if (!this.question.contains(asker)) this.dismissed = asker;
    const words = make("span", "vibekit-words", { id: `${this.id}-words` }, text);
    this.question.setAttribute("aria-labelledby", words.id);
    const labels = fields.map(({ key, label, value, hint }) => {
      const field = make("label", "vibekit-field", {}, label);
      const attributes = { type: "text", name: key, placeholder: hint, maxlength: "200" };
      const input = make("input", "", { ...attributes, autocomplete: "off", spellcheck: "false" });
      input.value = value;
      field.append(input);
      return field;
    });
    const confirm = make("button", danger ? "vibekit-danger" : "", { type: "submit" }, yes);
    const cancel = make("button", "", { type: "button" }, "Cancel");
    cancel.addEventListener("click", () => this.dismiss());
    this.question.replaceChildren(words, ...labels, confirm, cancel);
    this.question.hidden = false;
    const first = this.question.querySelector("input") ?? cancel;
    first.focus();
    first.select?.();
  }

  answer(event) {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(this.question));
    this.dismiss();
    this.model.send({ kind: "answer", values });
  }

  dismiss() {
    this.question.hidden = true;
    this.question.replaceChildren();
    if (this.dismissed?.isConnected) this.dismissed.focus();
    this.dismissed = undefined;
  }

  say({ text, bad }) {
    this.status.textContent = text;
    this.status.classList.toggle("vibekit-bad", bad);
  }

  // The table

  open() {
    const browsing = this.model.get("browsing");
    const opened = browsing && this.browser.hidden;
    this.browser.hidden = !browsing;
    if (opened) {
      this.opener = document.activeElement;
      this.search();
      if (this.opener?.closest(".vibekit-picker")?.contains(this.el)) this.filter.focus();
    }
  }

  leave() {
    this.model.set("browsing", false);
    this.model.save_changes();
    if (this.opener?.isConnected) this.opener.focus();
  }

  search() {
    if (this.browser.hidden) return;
    const text = this.filter.value;
    if (text !== this.searched) this.chosen = undefined;
    this.searched = text;
    this.shown = this.table.matching(text);
    const { total = 0 } = this.table;
    const said = total === 1 ? "1 session" : `${total.toLocaleString("en")} sessions`;
    this.filter.placeholder = `Filter ${said}`;
    const found = this.shown.length.toLocaleString("en");
    this.count.textContent = text.trim() === "" ? said : `${found} of ${said}`;
    this.grid.setAttribute("aria-rowcount", String(this.shown.length + 1));
    this.body.style.height = `${this.shown.length * ROW}px`;
    // The chosen row is followed where it goes; at first it is the current session's.
    const wanted = this.chosen ?? (text === "" ? this.table.current : undefined);
    const place = this.shown.findIndex((row) => row[ID] === wanted);
    this.active = place >= 0 ? place : Math.min(0, this.shown.length - 1);
    this.draw();
  }

  draw() {
    if (this.browser.hidden) return;
    const first = Math.max(0, Math.floor(this.grid.scrollTop / ROW) - SPARE);
    const seen = Math.ceil((this.grid.clientHeight || 10 * ROW) / ROW) + 2 * SPARE;
    const rows = this.shown.slice(first, first + seen);
    this.body.replaceChildren(...rows.map((row, index) => this.row(row, first + index)));
    const active = this.body.querySelector("[aria-selected=true]");
    if (active) this.grid.setAttribute("aria-activedescendant", active.id);
    else this.grid.removeAttribute("aria-activedescendant");
  }

  row(row, place) {
    const element = make("div", "vibekit-cells", {
      id: `${this.id}-${place}`,
      role: "row",
      "aria-rowindex": String(place + 2),
      "aria-selected": String(place === this.active),
      "data-place": String(place),
      title: row[ID],
    });
    element.classList.toggle("vibekit-gone", row[GONE]);
    if (row[ID] === this.table.current) element.setAttribute("aria-current", "true");
    element.style.top = `${place * ROW}px`;
    const dot = make("span", "vibekit-dot", { "aria-hidden": "true" });
    dot.style.backgroundColor = row[COLOR];
    const cells = row.slice(NAME, USED);
    element.append(dot, ...cells.map((text) => make("span", "", { role: "gridcell" }, text)));
    return element;
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.grid.clientHeight / ROW) - 2);
    const last = this.shown.length - 1;
    const typing = event.target === this.filter;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    const plain = !(event.ctrlKey || event.metaKey || event.altKey);
    if (event.key in steps) this.go(this.active + steps[event.key]);
    else if (event.key === "Home" && !typing) this.go(0);
    else if (event.key === "End" && !typing) this.go(last);
    else if (event.key === "Enter") this.pick(this.active);
    else if (event.key === "Escape") this.escape();
    else if (!typing && plain && event.key.length === 1) this.type(this.filter.value + event.key);
    else if (!typing && event.key === "Backspace") this.type(this.filter.value.slice(0, -1));
    else return;
    event.preventDefault();
  }

  go(place) {
    this.active = Math.max(0, Math.min(place, this.shown.length - 1));
    this.chosen = this.shown[this.active]?.[ID];
    const top = this.active * ROW;
    const space = this.grid.clientHeight - 2 * ROW; // below the head
    const { scrollTop } = this.grid;
    this.grid.scrollTop = Math.max(Math.min(scrollTop, top), top - space);
    this.draw();
  }

  type(text) {
    this.filter.value = text;
    this.filter.focus();
    this.search();
  }

  escape() {
    if (this.filter.value === "") this.leave();
    else this.type("");
  }

  pick(place) {
    const row = this.shown[place];
    if (row === undefined) return;
    this.active = place;
    this.chosen = row[ID];
    this.draw();
    this.model.send({ kind: "pick", id: row[ID] });
  }
}

export default () => {
  const table = new Table(); // of this widget, for all of its views
  return {
    initialize({ model }) {
      model.on("msg:custom", (message) => {
        if (message.kind === "rows" || message.kind === "patch") table.take(message);
      });
    },
    render({ model, el }) {
      const view = new View(model, el, table);
      return () => view.close();
    },
  };
};
