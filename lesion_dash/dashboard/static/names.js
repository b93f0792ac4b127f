// Names for screen readers, which the widgets themselves do not give: ipywidgets puts no label on
// its controls. Read off what is seen on the page.
const CONTROLS = "select, input:not([type=radio]):not([type=checkbox]), textarea, [role=slider]";
let count = 0;

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

// Each page is named by its tab, or by its item in the menu of tools.
function namePages(root) {
  const tabs = root.querySelectorAll(".ld-nav :is([role=tab], [role=menuitemradio])");
  const pages = root.querySelectorAll(":scope > .ld-pages > *");
  // Not in JupyterLab, where the page is not the dashboard's alone.
  if (document.body.dataset.voila) put(root.querySelector(":scope > .ld-pages"), "role", "main");
  pages.forEach((page, index) => {
    if (!tabs[index]) return;
    put(page, "role", "tabpanel");
    put(page, "aria-label", words(tabs[index]));
  });
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
  namePages(root);
  if (document.body.dataset.voila) put(root.querySelector(".ld-header"), "role", "banner");
  for (const bar of root.querySelectorAll(".widget-hprogress .progress")) {
    put(bar, "role", "progressbar");
    put(bar, "aria-label", "Progress");
  }
  for (const banner of root.querySelectorAll(".ld-banner")) {
    put(banner, "role", "region");
    put(banner, "aria-label", "Message");
  }
}

function render({ el }) {
  let root = null, frame = 0;
  const later = () => { frame ||= requestAnimationFrame(() => { frame = 0; nameAll(root); }); };
  const watcher = new MutationObserver(later);
  const waiting = setTimeout(() => {
    root = el.closest(".ld-app") ?? document.body;
    const what = { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] };
    watcher.observe(root, what);
    window.addEventListener("resize", later);
    later();
  }, 0);
  return () => {
    clearTimeout(waiting);
    cancelAnimationFrame(frame);
    watcher.disconnect();
    window.removeEventListener("resize", later);
  };
}
export default { render };
