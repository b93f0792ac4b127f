// The pages as tabs, those used rarely in the menu “Tools”, and a link over all of it to the brain.
function render({ model, el }) {
  const add = (parent, tag, name, text = "") => {
    const made = parent.appendChild(document.createElement(tag));
    Object.assign(made, { className: name, textContent: text });
    return made;
  };
  const app = () => el.closest(".ld-app");
  const skip = add(el, "a", "ld-skip", "Skip to brain");
  skip.href = "#";
  skip.addEventListener("click", (event) => {
    event.preventDefault(); // the address holds the choices
    choose(0);
    const target = app().querySelector(".ld-view :is(canvas, [tabindex], iframe, button)");
    requestAnimationFrame(() => {
      target?.focus();
      target?.scrollIntoView({ block: "nearest" });
    });
  });
  const brand = add(el, "div", "ld-brand");
  add(brand, "h1", "", "lesion_dash");
  add(brand, "span", "ld-root", model.get("root")).title = "The data root";
  const nav = add(el, "nav", "ld-nav");
  nav.setAttribute("aria-label", "Pages");
  const list = add(nav, "div", "ld-nav-tabs");
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", "Pages");
  const titles = model.get("titles"), first = model.get("first_tool");
  const menu = makeMenu(nav, "Tools", "Tools");
  menu.button.classList.add("ld-nav-tools");
  const tabs = titles.map((title, index) => {
    if (index >= first) return menu.add(title, () => choose(index), "menuitemradio");
    const tab = add(list, "button", "ld-nav-tab", title);
    tab.type = "button";
    tab.setAttribute("role", "tab");
    tab.addEventListener("click", () => choose(index));
    return tab;
  });
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: first - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    tabs[(to + first) % first].focus(); // Enter opens it: a page that is opened first is built first
  });

  function choose(index) {
    if (index === model.get("selected_index")) return;
    model.set("selected_index", index);
    model.save_changes();
  }

  function show() {
    const current = model.get("selected_index");
    tabs.forEach((tab, index) => {
      const isCurrent = index === current;
      tab.classList.toggle("ld-current", isCurrent);
      tab.setAttribute(index < first ? "aria-selected" : "aria-checked", String(isCurrent));
      if (index < first) tab.tabIndex = isCurrent || (current >= first && index === 0) ? 0 : -1;
    });
    const isTool = current >= first;
    menu.button.classList.toggle("ld-current", isTool);
    menu.button.textContent = isTool ? `Tools: ${titles[current]}` : "Tools";
    showPage();
  }

  // Here and not in the kernel, which may be busy.
  function showPage() {
    const pages = [...(app()?.querySelectorAll(":scope > .ld-pages > *") ?? [])];
    pages.forEach((page, index) => page.toggleAttribute("data-current", index === model.get("selected_index")));
    return pages.length === titles.length;
  }

  // What sticks below the header has to know how high it is, as it may need two rows.
  const measure = () => {
    const header = el.closest(".ld-header");
    if (header) app()?.style.setProperty("--ld-head", `${header.offsetHeight}px`);
  };
  const sizes = new ResizeObserver(measure);
  const watcher = new MutationObserver(() => { if (showPage()) watcher.disconnect(); });
  const waiting = setTimeout(() => {
    if (!showPage() && app()) watcher.observe(app(), { childList: true, subtree: true });
    if (el.closest(".ld-header")) sizes.observe(el.closest(".ld-header"));
  }, 0);
  model.on("change:selected_index", show);
  show();
  return () => {
    clearTimeout(waiting);
    watcher.disconnect();
    sizes.disconnect();
    model.off("change:selected_index", show);
  };
}
export default { render };
