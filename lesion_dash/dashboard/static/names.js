// Names for screen readers, which the widgets themselves do not give: ipywidgets puts no label on
// its controls, and DataTables none on its search fields. Read off what is seen on the page.
const CONTROLS = "select, input:not([type=radio]):not([type=checkbox]), textarea, [role=slider]";
let count = 0;
let wasOnTab = false;

const identify = (node) => (node.id ||= `ld-name-${++count}`);
const words = (node) => node?.textContent.trim() ?? "";
const put = (node, name, value) => {
  if (node && value && node.getAttribute(name) !== value) node.setAttribute(name, value);
};
const isNamed = (node) => node.hasAttribute("aria-label")
  || [...(node.labels ?? [])].some((label) => words(label));
const titleOf = (node) => words(node.closest(".ld-card")?.querySelector("h2"));

// The word beside one of several controls under one label, such as i, j and k.
const own = (control) => words(control.parentElement.querySelector(":scope > .widget-label"));

function nameField(field) {
  const label = field.querySelector(":scope > .ld-label");
  if (!label) return;
  const isMine = (node) => node.closest(".ld-field") === field;
  const hints = [...field.querySelectorAll(".ld-note .widget-html-content")].filter(isMine);
  for (const control of [...field.querySelectorAll(CONTROLS)].filter(isMine)) {
    const title = control.getAttribute("title");
    const more = own(control) || control.placeholder;
    if (title && title !== "null") put(control, "aria-label", title);
    else put(control, "aria-label", [words(label), more].filter(Boolean).join(": "));
    put(control, "aria-describedby", hints.map(identify).join(" "));
  }
  for (const box of [...field.querySelectorAll(".widget-radio-box")].filter(isMine)) {
    put(box, "role", "radiogroup");
    put(box, "aria-labelledby", identify(label));
  }
}

function nameChoice(choice) {
  const field = choice.closest(".ld-field")?.querySelector(":scope > .ld-label");
  const group = choice.querySelector(":scope > div");
  put(group, "role", "group");
  put(group, "aria-label", words(field) || titleOf(choice));
  for (const button of choice.querySelectorAll("button")) {
    put(button, "aria-pressed", String(button.classList.contains("mod-active")));
  }
}

function nameTable(table) {
  const title = titleOf(table);
  put(table.querySelector("table"), "aria-label", title);
  put(table.querySelector(".dt-search input"), "aria-label", `Search in ${title}`);
  put(table.querySelector(".dt-paging nav"), "aria-label", `Pages of ${title}`);
  if (!table.classList.contains("ld-clickable")) return;
  for (const row of table.querySelectorAll("tbody tr")) {
    if (!row.querySelector(".dt-empty")) put(row, "tabindex", "0");
    put(row, "aria-selected", String(row.classList.contains("selected")));
  }
}

// A table wider than its card says so; see `.ld-wider` in the style.
function markWide(table) {
  const inner = table.querySelector(".dt-layout-table > .dt-layout-cell");
  if (inner?.clientWidth) table.classList.toggle("ld-wider", inner.scrollWidth > inner.clientWidth + 1);
}

function nameTabs(tabs) {
  const heads = [...tabs.querySelectorAll(":scope > .lm-TabBar [role=tab]")];
  const contents = tabs.querySelector(":scope > .widget-tab-contents");
  const pages = [...(contents?.children ?? [])];
  const current = heads.find((head) => head.getAttribute("aria-selected") === "true");
  const page = pages.find((one) => !one.classList.contains("lm-mod-hidden"));
  put(tabs.querySelector(":scope > .lm-TabBar ul"), "aria-label", "Pages");
  if (document.body.dataset.voila) { // the page is the dashboard's alone
    put(tabs.querySelector(":scope > .lm-TabBar"), "role", "navigation");
    put(contents, "role", "main");
  }
  if (!current || !page) return;
  // A page that is opened for the first time makes all tabs anew, without the focus.
  if (wasOnTab && document.activeElement === document.body) current.focus();
  put(page, "role", "tabpanel");
  put(page, "aria-labelledby", identify(current));
}

// A control outside the fields is named by the word before it.
function nameOther(control) {
  if (isNamed(control) || control.title || control.closest(".ld-table, .ld-viewer")) return;
  const before = control.closest(".jupyter-widgets")?.previousElementSibling;
  const label = before?.matches(".widget-label") ? words(before) : "";
  put(control, "aria-label", [titleOf(control), label].filter(Boolean).join(": "));
}

function nameAll(root) {
  root.querySelectorAll(".ld-field").forEach(nameField);
  root.querySelectorAll(CONTROLS).forEach(nameOther);
  root.querySelectorAll(".widget-toggle-buttons").forEach(nameChoice);
  root.querySelectorAll(".ld-table").forEach(nameTable);
  root.querySelectorAll(".ld-table").forEach(markWide);
  root.querySelectorAll(".ld-tabs").forEach(nameTabs);
  // The buttons beside the title belong to the same landmark.
  put(root.querySelector(".ld-header"), "role", "banner");
  put(root.querySelector(".ld-header header"), "role", "presentation");
  for (const bar of root.querySelectorAll(".widget-hprogress .progress")) {
    put(bar, "role", "progressbar");
    put(bar, "aria-label", "Progress");
  }
  for (const banner of root.querySelectorAll(".ld-banner")) {
    put(banner, "role", "region");
    put(banner, "aria-label", "Message");
  }
}

// A row that can be clicked can be chosen with the keys as well.
function press(event) {
  const row = event.target.closest?.(".ld-clickable tbody tr");
  if (row !== event.target || ![" ", "Enter"].includes(event.key)) return;
  event.preventDefault();
  row.querySelector("td")?.click();
}

function noteFocus(event) {
  wasOnTab = Boolean(event.target.closest?.("[role=tab]"));
}

function render({ el }) {
  let root = null, frame = 0;
  const later = () => { frame ||= requestAnimationFrame(() => { frame = 0; nameAll(root); }); };
  const watcher = new MutationObserver(later);
  const waiting = setTimeout(() => {
    root = el.closest(".ld-app") ?? document.body;
    const what = { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] };
    watcher.observe(root, what);
    root.addEventListener("keydown", press);
    root.addEventListener("focusin", noteFocus);
    root.addEventListener("pointerdown", noteFocus);
    window.addEventListener("resize", later);
    later();
  }, 0);
  return () => {
    clearTimeout(waiting);
    cancelAnimationFrame(frame);
    watcher.disconnect();
    window.removeEventListener("resize", later);
    root?.removeEventListener("keydown", press);
    root?.removeEventListener("focusin", noteFocus);
    root?.removeEventListener("pointerdown", noteFocus);
  };
}
export default { render };
