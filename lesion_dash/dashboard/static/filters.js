// Which patients of a folder are shown: one line, the editor of the conditions, and the split.
const APART = 200; // ms between two questions; what changes meanwhile is one

function render({ model, el }) {
  const side = model.get("side");
  let rows = [];
  let timer = null, isWaiting = false;
  let counted = []; // what names a number of patients, which the other conditions change

  const box = add(el, "div", "ld-filter");
  const buttons = add(box, "div", "ld-filter-buttons");
  const status = add(box, "div", "ld-filter-said");
  status.setAttribute("role", "status");
  const count = add(status, "b"), why = add(status, "span");
  const join = button(box, "Undo the split", "Show A and B as they were before");
  const editor = drawer("Filter", `Filter the patients of ${side}`);
  const parting = side === "A" ? drawer("Split", "Split A into A and B") : null;
  const advice = add(editor, "p"), list = add(editor, "div", "ld-filter-rows");
  const hint = add(editor, "small", "ld-filter-hint", "Counts in brackets: after the other filters");
  const foot = add(editor, "div", "ld-filter-foot");
  const more = button(foot, "Add a condition", `Restrict ${side} by another column`);
  const clear = button(foot, "Clear", `Show all patients of ${side}`);
  join.addEventListener("click", () => model.send({ do: "join" }));
  const same = button(box, "Filter B as A", "");
  same.addEventListener("click", () => model.send({ do: "same" }));
  for (const offer of [join, same]) offer.classList.add("ld-filter-offer");

  function add(parent, tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    parent.appendChild(made);
    return made;
  }

  function button(parent, text, title) {
    const made = add(parent, "button", "jupyter-widgets jupyter-button ld-button", text);
    Object.assign(made, { type: "button", title });
    return made;
  }

  // A part below the line, opened and closed by a button in it.
  function drawer(text, name) {
    const toggle = button(buttons, text, name);
    const made = add(box, "div", "ld-filter-drawer");
    made.id = `ld-${text}-${side}-${Math.floor(Math.random() * 1e9)}`.toLowerCase();
    made.hidden = true;
    made.setAttribute("role", "group");
    made.setAttribute("aria-label", name);
    toggle.setAttribute("aria-label", name);
    toggle.setAttribute("aria-controls", made.id);
    toggle.setAttribute("aria-expanded", "false");
    toggle.addEventListener("click", () => open(made, made.hidden));
    made.toggle = toggle;
    return made;
  }

  function open(made, isOpen) {
    made.hidden = !isOpen;
    made.toggle.setAttribute("aria-expanded", String(isOpen));
    made.toggle.classList.toggle("mod-active", isOpen);
    box.classList.toggle("ld-open", !editor.hidden);
    const other = made === editor ? parting : editor;
    if (isOpen && other && !other.hidden) open(other, false);
    if (made === parting) drawParting();
    if (isOpen && made === editor && !rows.length && columns().length) addRow(false);
  }

  const columns = () => model.get("columns");
  const column = (name) => columns().find((one) => one.name === name);
  const withCount = (name, value, text) => () => {
    const { values = {}, missing = 0 } = model.get("left")[name] ?? {};
    return `${text} (${value === null ? missing : values[value] ?? 0})`;
  };
  const emptyRow = ({ name, form }) => form === "list"
    ? { column: name, form, values: [], missing: false }
    : { column: name, form, low: null, high: null, missing: false };

  // See widgets/idle.js.
  const busy = (step) => document.dispatchEvent(new CustomEvent("ld-busy", { detail: step }));

  // The first change asks at once, those that follow quickly together.
  function ask() {
    if (timer !== null) {
      if (!isWaiting) busy(1);
      isWaiting = true;
      return;
    }
    if (!rows.some(isUpsideDown)) model.send({ do: "ask", rows });
    timer = setTimeout(() => {
      timer = null;
      if (isWaiting) { isWaiting = false; ask(); busy(-1); }
    }, APART);
  }

  const isUpsideDown = (row) => row.form === "range" && row.low !== null && row.high !== null
    && row.low > row.high;

  function option(parent, value, text) {
    const made = add(parent, "option", "", text);
    made.value = value;
    return made;
  }

  function tick(parent, key, text, isTicked, set) {
    const label = add(parent, "label", "ld-filter-tick");
    const input = add(label, "input");
    Object.assign(input, { type: "checkbox", checked: isTicked });
    input.dataset.key = key;
    counted.push({ span: add(label, "span", "", text()), text });
    input.addEventListener("change", () => { set(input.checked); ask(); });
  }

  function drawRow(row, index) {
    const nth = `condition ${index + 1} of ${side}`;
    const item = add(list, "fieldset", "ld-filter-row");
    add(item, "legend", "ld-filter-legend", nth);
    const head = add(item, "div", "ld-filter-head");
    if (row.form === "fixed") {
      add(head, "span", "ld-filter-fixed", row.words);
    } else {
      const select = add(head, "select");
      select.setAttribute("aria-label", `Column of ${nth}`);
      select.dataset.key = `${index} column`;
      for (const one of columns()) option(select, one.name, one.caption);
      select.value = row.column;
      select.addEventListener("change", () => {
        rows[index] = emptyRow(column(select.value));
        draw();
        ask();
      });
    }
    const away = add(head, "button", "ld-filter-away", "×");
    Object.assign(away, { type: "button", title: "Remove" });
    away.setAttribute("aria-label", `Remove ${nth}: ${row.words ?? row.column}`);
    away.addEventListener("click", () => {
      rows.splice(index, 1);
      draw();
      more.focus();
      ask();
    });
    const known = column(row.column);
    if (row.form === "list" && known) drawList(item, row, known, index, nth);
    if (row.form === "range" && known) drawRange(item, row, known, index, nth);
  }

  function drawList(item, row, known, index, nth) {
    const box = add(item, "div", "ld-filter-list");
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", `Values of ${nth}: ${row.column}`);
    for (const { value } of known.values) {
      const text = withCount(row.column, value, value);
      tick(box, `${index} =${value}`, text, row.values.includes(value), (isOn) => {
        row.values = row.values.filter((one) => one !== value).concat(isOn ? [value] : []);
      });
    }
    if (known.missing) {
      tick(box, `${index} missing`, withCount(row.column, null, "no value"), row.missing,
        (isOn) => { row.missing = isOn; });
    }
    if (known.more) add(box, "small", "", `${known.more} more values are not listed`);
  }

  function drawRange(item, row, known, index, nth) {
    const line = add(item, "div", "ld-filter-range");
    const [first, last] = known.ends;
    const meant = add(item, "small", "", `Both ends count; ${last} to ${last} is ${last} alone.`);
    meant.id = `ld-range-${side}-${index}-${Math.floor(Math.random() * 1e9)}`.toLowerCase();
    meant.hidden = first === last || /[^\d.eE-]/.test(last);
    const fields = ["low", "high"].map((end, place) => {
      const label = add(line, "label", "", place ? "to" : "from");
      const input = add(label, "input");
      Object.assign(input, { type: "number", step: known.whole ? 1 : "any" });
      Object.assign(input, { placeholder: known.ends[place], value: row[end] ?? "" });
      input.setAttribute("aria-label", `${row.column} ${place ? "to" : "from"}, ${nth}`);
      input.setAttribute("aria-describedby", meant.id);
      input.dataset.key = `${index} ${end}`;
      input.addEventListener("keydown", (event) => {
        // An arrow key begins where the column does, not at 0.
        if (!/^Arrow(Up|Down)$/.test(event.key) || input.value !== "") return;
        const start = parseFloat(known.ends[place].replace(/[^\d.eE+-]|\+$/g, ""));
        if (Number.isFinite(start)) input.value = start;
      });
      input.addEventListener("change", () => {
        row[end] = input.value === "" ? null : input.valueAsNumber;
        check();
        ask();
      });
      return input;
    });
    const fault = add(item, "div", "ld-filter-fault");
    fault.setAttribute("role", "alert");
    const check = () => {
      const isWrong = isUpsideDown(row);
      fault.textContent = isWrong ? "The first number is the larger one." : "";
      for (const input of fields) input.setAttribute("aria-invalid", String(isWrong));
    };
    if (known.missing) {
      const text = withCount(row.column, null, "also those without a value");
      tick(item, `${index} missing`, text, row.missing,
        (isOn) => { row.missing = isOn; });
    }
  }

  function addRow(isFocused = true) {
    const used = rows.map((row) => row.column);
    const next = columns().find(({ name, values, form }) => !used.includes(name)
      && (form === "range" || values.length > 1)) ?? columns()[0];
    rows.push(emptyRow(next));
    draw();
    if (isFocused) list.querySelector(`[data-key="${rows.length - 1} column"]`)?.focus();
  }

  function draw() {
    const key = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const top = list.scrollTop;
    list.replaceChildren();
    counted = [];
    rows.forEach(drawRow);
    hint.hidden = !counted.length;
    list.scrollTop = top;
    clear.disabled = !rows.length;
    if (key) [...list.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key)?.focus();
  }

  more.addEventListener("click", () => addRow());
  clear.addEventListener("click", () => { rows = []; draw(); more.focus(); ask(); });

  // Only what holds two values at least can be split.
  const parts = () => model.get("parts");
  const parted = () => parts().filter((one) => one.kind === "number" ? one.cut !== null
    : one.values.length > 1);

  function drawParting() {
    if (!parting) return;
    parting.replaceChildren();
    if (parting.hidden) return;
    const offered = parted();
    if (!offered.length) {
      add(parting, "p", "", model.get("advice") || "No column holds two values.");
      return;
    }
    const label = add(parting, "label", "", "By");
    const select = add(label, "select");
    select.setAttribute("aria-label", "Column to split by");
    for (const one of offered) option(select, one.name, one.caption);
    const body = add(parting, "div", "ld-filter-parts");
    const go = button(parting, "Split", "Show the parts as A and B");
    const drawn = () => drawParts(body, parts().find((one) => one.name === select.value));
    let asked = drawn();
    select.addEventListener("change", () => { asked = drawn(); });
    go.addEventListener("click", () => {
      model.send({ do: "split", column: select.value, ...asked() });
      open(parting, false);
      parting.toggle.focus();
    });
  }

  // The controls of a split by one column; gives what they ask for.
  function drawParts(body, known) {
    body.replaceChildren();
    if (known.kind === "number") {
      const label = add(body, "label", "", "Cut-off");
      const input = add(label, "input");
      Object.assign(input, { type: "number", step: known.whole ? 1 : "any", value: known.cut });
      const said = add(body, "small");
      const say = () => {
        said.textContent = `A: ${known.name} < ${input.value}; B: ${known.name} ≥ ${input.value}`;
      };
      input.addEventListener("input", say);
      say();
      return () => ({ cut: input.value });
    }
    const common = [...known.values].sort((one, other) => other.count - one.count);
    const selects = ["A", "B"].map((name, place) => {
      const label = add(body, "label", "", `${name} is`);
      const select = add(label, "select");
      for (const { value, count } of known.values) option(select, value, `${value} (${count})`);
      select.value = common[place].value;
      return select;
    });
    return () => ({ a: selects[0].value, b: selects[1].value });
  }

  function tell() {
    count.textContent = model.get("count");
    why.textContent = model.get("why") && `: ${model.get("why")}`;
    join.hidden = !model.get("is_split");
    same.hidden = !model.get("of_other");
    same.title = `Show those patients of B of whom the same holds: ${model.get("of_other")}`;
    advice.textContent = model.get("advice");
    advice.hidden = !model.get("advice");
    list.hidden = foot.hidden = !columns().length;
    for (const one of [editor, parting]) {
      if (!one) continue;
      one.toggle.disabled = !model.get("is_ready");
      if (one.toggle.disabled && !one.hidden) open(one, false);
    }
  }

  function take() {
    rows = structuredClone(model.get("rows").rows);
    if (!rows.length && !editor.hidden && columns().length) return addRow(false);
    draw();
  }

  for (const name of ["count", "why", "advice", "is_ready", "is_split", "of_other"]) {
    model.on(`change:${name}`, tell);
  }
  model.on("change:columns", () => { tell(); draw(); });
  model.on("change:parts", drawParting);
  model.on("change:left", () => {
    for (const { span, text } of counted) span.textContent = text();
  });
  model.on("change:rows", take);
  tell();
  take();
  return () => clearTimeout(timer);
}
export default { render };
