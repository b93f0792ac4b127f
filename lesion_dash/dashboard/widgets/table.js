// A table that is sorted, searched and paged here; Python sends its rows and hears which is chosen.
const MOST_DECIMALS = 6, LARGEST = 1e15; // as in core/formats.py
const SIZES = [25, 50];
const MOST_AT_ONCE = 2000; // rows a browser lays out without a pause that is felt
const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

// ---- Numbers, by the rules of core/formats.py

function decimalsOf(size, how) {
  if (!size) return how.decimals;
  const exponent = Number(size.toExponential(how.significant - 1).split("e")[1]);
  const needed = Math.max(how.decimals, how.significant - 1 - exponent);
  if (how.most !== null) return Math.min(needed, how.most);
  return needed <= MOST_DECIMALS ? needed : null;
}

export function format(value, how) {
  if (value === null) return "";
  const size = Math.abs(value), decimals = decimalsOf(size, how);
  const strip = (text) => (how.strip && text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  const sign = value < 0 ? "−" : how.plus ? "+" : "";
  if (size >= LARGEST || decimals === null) {
    return sign + size.toExponential(how.significant - 1).replace("+", "").replace("-", "−");
  }
  let text = size.toFixed(decimals);
  if (!Number(text)) {
    return size && how.below ? `< ${(10 ** -decimals).toFixed(decimals)}` : strip((0).toFixed(how.decimals));
  }
  if (how.whole_from !== null && Number(text) >= how.whole_from) text = size.toFixed(0);
  const [whole, ...rest] = text.split(".");
  return sign + strip([whole.replace(/\B(?=(\d{3})+$)/g, ","), ...rest].join("."));
}

// ---- Which rows, in which order

function comparer(cells, isNumber, isDown) {
  const between = isNumber ? (a, b) => a - b : (a, b) => collator.compare(a, b);
  const isMissing = (value) => value === null || value === "";
  return (i, j) => {
    const a = cells[i], b = cells[j];
    if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b) || i - j; // at the end
    return (isDown ? between(b, a) : between(a, b)) || i - j;
  };
}

// As it is searched: "1016" finds 1,016, and "-3" finds −3.
const plain = (text) => text.toLowerCase().replaceAll(",", "").replaceAll("−", "-");

// Rows one after the other as they stand below each other: [row, level, number of its parts].
function arrange({ rows, parents, fits, compare, isOpen }) {
  const parts = new Map();
  for (const row of rows) {
    const parent = parents ? parents[row] : -1;
    if (!parts.has(parent)) parts.set(parent, []);
    parts.get(parent).push(row);
  }
  const kept = new Set();
  // A row that fits is shown with all of its parts, and with the rows that it is a part of.
  const keep = (row, isWithin) => {
    const isFit = isWithin || fits(row);
    const below = (parts.get(row) ?? []).map((part) => keep(part, isFit));
    const isKept = isFit || below.includes(true);
    if (isKept) kept.add(row);
    return isKept;
  };
  const order = [];
  const list = (siblings, level) => {
    const shown = siblings.filter((row) => kept.has(row));
    if (compare) shown.sort(compare);
    for (const row of shown) {
      const below = parts.get(row) ?? [];
      order.push([row, level, below.length]);
      if (below.length && isOpen(row)) list(below, level + 1);
    }
  };
  const top = parts.get(-1) ?? [];
  for (const row of top) keep(row, false);
  list(top, 1);
  return order;
}

// ---- Parts of the page

function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

// Names such as Right_Precentral_Gyrus may be broken after an underscore.
function breakable(text) {
  const parts = text.match(/[^_]*_|[^_]+/g) ?? [];
  return parts.flatMap((part, at) => (at ? [document.createElement("wbr"), part] : [part]));
}

// Of several controls, one is reached by Tab, and the others from it by the arrow keys.
function focusOne(nodes, node) {
  for (const each of nodes) each.tabIndex = each === node ? 0 : -1;
}

// What the reader chose, until the page is closed; a browser may forbid to keep anything.
function recall(name) {
  try {
    return JSON.parse(sessionStorage.getItem(`lesion-dash-${name}`)) ?? {};
  } catch {
    return {};
  }
}

function remember(name, state) {
  try {
    sessionStorage.setItem(`lesion-dash-${name}`, JSON.stringify(state));
  } catch { /* it is kept as long as the table is */ }
}

function render({ model, el }) {
  const options = model.get("options");
  const first = { order: options.order, search: "", size: options.rows, hidden: null };
  const state = { ...first, ...recall(options.name) };
  let content, selected, texts = [], page = 0, order = [], pinned = [], current = null;
  const open = new Set(); // positions of rows that are unfolded

  const search = make("input", {
    type: "search", placeholder: "Search", value: state.search, "aria-label": `Search in ${options.label}`,
  });
  const menu = make("details", { className: "ld-table-columns" });
  const size = make("select", { "aria-label": `Rows of ${options.label} on a page` });
  const info = make("span", { role: "status", className: "ld-table-info" });
  const pages = make("nav", { "aria-label": `Pages of ${options.label}` });
  const head = make("thead"), body = make("tbody"), top = make("tbody", { className: "ld-table-pinned" });
  const table = make("table", { "aria-label": options.label }, head, top, body);
  const scroller = make("div", { className: "ld-table-scroller" }, table);
  const hint = make("div", { className: "ld-table-hint", textContent: "More columns: scroll the table sideways →" });
  const keys = "Arrow keys move from row to row, Enter chooses.";
  if (options.canChoose) table.setAttribute("aria-description", keys);
  el.append(
    make("div", { className: "ld-table-top" }, search, menu),
    scroller,
    hint,
    make("div", { className: "ld-table-foot" }, info, size, pages),
  );
  el.classList.toggle("ld-clickable", options.canChoose);
  // The pager stays where it is on a last page of few rows.
  scroller.style.setProperty("--ld-rows", options.rows);

  // Until the reader chooses columns, those are hidden that few ask for.
  const hiddenKeys = () => state.hidden
    ?? content.columns.filter(({ isOptional }) => isOptional).map(({ key }) => key);
  const isShown = (column, at) => !at || !hiddenKeys().includes(column.key);
  const shownColumns = () => content.columns.filter(isShown);
  const textOf = (column, row) => {
    const value = column.cells[row];
    return column.format ? format(value, column.format) : value ?? "";
  };
  // Words are found in hidden columns as well: "parietal" finds A39rv_L by its lobe.
  const searched = (row) => (texts[row] ??= plain(
    content.columns.filter((column, at) => !column.format || isShown(column, at))
      .map((column) => textOf(column, row)).join("\n"),
  ));

  function keep(change) {
    Object.assign(state, change);
    remember(options.name, state);
  }

  function take() {
    content = model.get("content");
    selected = model.get("selected");
    texts = [];
    current = null;
    open.clear();
    const role = !options.canChoose ? null : content.parents ? "treegrid" : "grid";
    if (role) table.setAttribute("role", role);
    listColumns();
    sortRows();
    draw();
  }

  function sortRows() {
    const column = content.columns.find(({ key }) => key === state.order?.key);
    const words = plain(state.search).split(/\s+/).filter(Boolean);
    const first = content.count - content.pinned, { parents } = content;
    order = arrange({
      rows: Array.from({ length: first }, (_, row) => row),
      parents,
      fits: (row) => words.every((word) => searched(row).includes(word)),
      compare: column && comparer(column.cells, Boolean(column.format), state.order.isDown),
      isOpen: (row) => words.length > 0 || open.has(row),
    });
    pinned = arrange({
      rows: Array.from({ length: content.pinned }, (_, at) => first + at),
      parents,
      fits: () => true,
      isOpen: (row) => open.has(row),
    });
  }

  const lastPage = () => Math.max(Math.ceil(order.length / (state.size || Infinity)) - 1, 0);

  function draw() {
    const hadFocus = [...table.tBodies].some((part) => part.contains(document.activeElement));
    page = Math.min(page, lastPage());
    const start = page * (state.size || 0), end = state.size ? start + state.size : order.length;
    const columns = shownColumns();
    drawHead(columns);
    body.replaceChildren(...order.slice(start, end).map((entry) => makeRow(columns, ...entry)));
    top.replaceChildren(...pinned.map((entry) => makeRow(columns, ...entry)));
    if (!order.length && !content.pinned) body.append(makeEmpty(columns.length));
    drawFoot(start, Math.min(end, order.length));
    mark();
    if (hadFocus) rows().find((row) => row.tabIndex === 0)?.focus();
  }

  function drawHead(columns) {
    const focused = head.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const cells = columns.map((column) => {
      const isSorted = state.order?.key === column.key;
      const button = make("button", { type: "button", title: column.help }, ...breakable(column.title));
      button.dataset.key = column.key;
      button.append(make("span", { className: "ld-table-arrow", "aria-hidden": "true" }));
      button.addEventListener("click", () => sortBy(column));
      const cell = make("th", { scope: "col" }, button);
      cell.classList.toggle("ld-number", Boolean(column.format));
      cell.classList.toggle("ld-has-help", Boolean(column.help));
      if (isSorted) cell.setAttribute("aria-sort", state.order.isDown ? "descending" : "ascending");
      return cell;
    });
    head.replaceChildren(make("tr", {}, ...cells));
    const buttons = [...head.querySelectorAll("button")];
    const own = buttons.find((button) => button.dataset.key === focused);
    focusOne(buttons, own ?? buttons[0]);
    own?.focus();
  }

  // Numbers are first sorted from the largest, texts from A; a third time gives the order of before.
  function sortBy({ key, format: isNumber }) {
    const before = state.order?.key === key ? state.order.isDown : null;
    const begin = Boolean(isNumber);
    const isOver = before !== null && before !== begin;
    keep({ order: isOver ? null : { key, isDown: before === null ? begin : !begin } });
    page = 0;
    sortRows();
    draw();
  }

  function makeRow(columns, row, level, parts) {
    const cells = columns.map((column, at) => {
      const cell = make("td", {}, ...breakable(textOf(column, row)));
      cell.classList.toggle("ld-number", Boolean(column.format));
      cell.classList.toggle("ld-wraps", column.wraps);
      if (!at && content.parents) {
        cell.style.setProperty("--ld-level", level - 1);
        cell.prepend(make("span", { className: "ld-table-fold", "aria-hidden": "true" }));
      }
      return cell;
    });
    const node = make("tr", {}, ...cells);
    node.dataset.row = row;
    if (content.parents && options.canChoose) {
      node.setAttribute("aria-level", level);
      if (parts) node.setAttribute("aria-expanded", open.has(row) || Boolean(state.search.trim()));
    }
    if (parts) node.classList.add("ld-has-parts");
    return node;
  }

  function makeEmpty(columns) {
    const text = content.count ? "No row holds what is searched for" : options.empty;
    return make("tr", { className: "ld-table-empty" }, make("td", { colSpan: Math.max(columns, 1), textContent: text }));
  }

  function drawFoot(start, end) {
    const total = content.count - content.pinned, all = order.length;
    const isPart = state.search.trim() !== "";
    const number = (value) => value.toLocaleString("en");
    const words = all ? `${number(start + 1)} to ${number(end)} of ${number(all)}` : isPart ? "0" : "";
    info.textContent = isPart ? `${words} (of ${number(total)})` : words;
    const sizes = [...new Set([options.rows, ...SIZES])].sort((a, b) => a - b);
    const choices = sizes.map((rows) => new Option(`${rows} rows`, rows));
    if (total <= MOST_AT_ONCE) choices.push(new Option("All rows", 0));
    size.replaceChildren(...choices);
    if (![...sizes, total <= MOST_AT_ONCE ? 0 : null].includes(state.size)) state.size = options.rows;
    size.value = state.size;
    size.hidden = total <= sizes[0];
    drawPages();
  }

  function drawPages() {
    const last = lastPage();
    const ways = [
      ["First page", "«", 0], ["Previous page", "‹", page - 1],
      ["Next page", "›", page + 1], ["Last page", "»", last],
    ];
    const focused = pages.contains(document.activeElement) ? document.activeElement.ariaLabel : null;
    const buttons = ways.map(([name, sign, to]) => {
      const button = make("button", { type: "button", textContent: sign, "aria-label": name });
      // Not disabled: the focus would be lost at the last page.
      const isOff = to < 0 || to > last || to === page;
      if (isOff) button.setAttribute("aria-disabled", "true");
      else button.addEventListener("click", () => turn(to));
      return button;
    });
    const words = make("span", { textContent: `${page + 1} / ${last + 1}` });
    pages.replaceChildren(...buttons.slice(0, 2), words, ...buttons.slice(2));
    pages.hidden = last === 0;
    buttons.find((button) => button.ariaLabel === focused)?.focus();
  }

  function turn(to) {
    page = Math.min(Math.max(to, 0), lastPage());
    current = null;
    draw();
  }

  function listColumns() {
    const legend = make("legend", { textContent: `Columns of ${options.label}` });
    const boxes = content.columns.map(({ key, title }, at) => {
      const box = make("input", { type: "checkbox", checked: isShown({ key }, at), disabled: !at });
      box.addEventListener("change", () => {
        const others = hiddenKeys().filter((other) => other !== key);
        keep({ hidden: box.checked ? others : [...others, key] });
        texts = [];
        sortRows();
        draw();
      });
      return make("label", {}, box, title);
    });
    const summary = menu.querySelector("summary") ?? make("summary", { textContent: "Columns" });
    menu.replaceChildren(summary, make("fieldset", {}, legend, ...boxes));
    menu.hidden = content.columns.length < 2;
  }

  // ---- Choosing a row

  const rows = () => [...table.querySelectorAll("tr[data-row]")];

  function mark() {
    const every = options.canChoose ? rows() : [];
    for (const row of every) {
      const isChosen = Number(row.dataset.row) === selected;
      row.classList.toggle("selected", isChosen);
      row.setAttribute("aria-selected", isChosen);
    }
    const at = (position) => every.find((row) => Number(row.dataset.row) === position);
    focusOne(every, at(current) ?? at(selected) ?? every[0]);
  }

  function choose(row) {
    const position = Number(row.dataset.row);
    selected = selected === position ? null : position;
    current = position;
    mark();
    model.send({ edition: content.edition, row: selected });
  }

  function fold(row, isOpen = !open.has(Number(row.dataset.row))) {
    const position = Number(row.dataset.row);
    if (!row.classList.contains("ld-has-parts") || open.has(position) === isOpen) return;
    if (isOpen) open.add(position);
    else open.delete(position);
    current = position;
    sortRows();
    draw();
  }

  function goTo(row) {
    if (!row) return;
    current = Number(row.dataset.row);
    mark();
    row.focus();
  }

  function pressed(event) {
    const row = event.target.closest("tr[data-row]");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const every = rows(), at = every.indexOf(row);
    const isEnd = row === body.lastElementChild, isStart = at === 0;
    const ways = {
      ArrowDown: () => (isEnd && page < lastPage() ? move(page + 1, 0) : goTo(every[at + 1])),
      ArrowUp: () => (isStart && page > 0 ? move(page - 1, -1) : goTo(every[at - 1])),
      Home: () => goTo(every[0]),
      End: () => goTo(every.at(-1)),
      PageDown: () => page < lastPage() && move(page + 1, 0),
      PageUp: () => page > 0 && move(page - 1, 0),
      ArrowRight: () => fold(row, true),
      ArrowLeft: () => fold(row, false),
      Enter: () => choose(row),
      " ": () => choose(row),
    };
    if (!ways[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    ways[event.key]();
  }

  function move(to, at) {
    turn(to);
    goTo([...body.children].at(at));
  }

  function clicked(event) {
    const row = event.target.closest("tr[data-row]");
    const isCopying = event.detail < 2 && String(getSelection()).trim();
    if (!row || isCopying) return;
    if (event.target.closest(".ld-table-fold")) fold(row);
    else if (options.canChoose) choose(row);
    else fold(row);
  }

  function headPressed(event) {
    const buttons = [...head.querySelectorAll("button")], at = buttons.indexOf(event.target);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || to === undefined || !buttons[to]) return;
    event.preventDefault();
    focusOne(buttons, buttons[to]);
    buttons[to].focus();
  }

  search.addEventListener("input", () => {
    keep({ search: search.value });
    page = 0;
    sortRows();
    draw();
  });
  size.addEventListener("change", () => {
    keep({ size: Number(size.value) });
    draw();
  });
  head.addEventListener("keydown", headPressed);
  for (const part of [top, body]) {
    part.addEventListener("click", clicked);
    if (options.canChoose) part.addEventListener("keydown", pressed);
  }
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.stopPropagation();
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  const closeMenu = (event) => { if (!menu.contains(event.target)) menu.open = false; };
  document.addEventListener("pointerdown", closeMenu);

  const watcher = new ResizeObserver(() => {
    el.classList.toggle("ld-wider", scroller.scrollWidth > scroller.clientWidth + 1);
  });
  watcher.observe(scroller);
  watcher.observe(table);

  // Rows and the row that is chosen come in one message, and are shown together.
  let frame = 0;
  const later = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      if (model.get("content") !== content) take();
      else showChosen();
    });
  };
  function showChosen() {
    if (model.get("selected") === selected) return; // chosen here
    selected = model.get("selected");
    const at = order.findIndex(([row]) => row === selected);
    if (at >= 0 && state.size) page = Math.floor(at / state.size);
    draw();
  }
  model.on("change:content", later);
  model.on("change:selected", later);
  take();
  return () => {
    cancelAnimationFrame(frame);
    watcher.disconnect();
    document.removeEventListener("pointerdown", closeMenu);
  };
}
export default { render };
