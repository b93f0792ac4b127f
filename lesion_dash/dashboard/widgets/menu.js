// A button with a menu below it, as in the ARIA authoring practices: arrows, Home, End, Escape.
function makeMenu(parent, text, title) {
  const box = parent.appendChild(document.createElement("div"));
  box.className = "ld-menu-box";
  const button = box.appendChild(document.createElement("button"));
  Object.assign(button, { type: "button", title, className: "ld-menu-button" });
  button.textContent = text;
  button.setAttribute("aria-haspopup", "menu");
  const list = box.appendChild(document.createElement("div"));
  list.className = "ld-menu-list";
  list.setAttribute("role", "menu");
  list.setAttribute("aria-label", title);
  const items = () => [...list.children];

  function open(isOpen) {
    list.hidden = !isOpen;
    button.setAttribute("aria-expanded", String(isOpen));
  }

  function close(isFocused) {
    if (list.hidden) return;
    open(false);
    if (isFocused) button.focus();
  }

  function add(words, action, role = "menuitem") {
    const item = list.appendChild(document.createElement("button"));
    Object.assign(item, { type: "button", textContent: words, tabIndex: -1 });
    item.setAttribute("role", role);
    item.addEventListener("click", () => { close(true); action(); });
    return item;
  }

  button.addEventListener("click", () => {
    open(list.hidden);
    if (!list.hidden) items()[0]?.focus();
  });
  box.addEventListener("keydown", (event) => {
    const all = items(), at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Escape" && !list.hidden) close(true);
    else if (to === undefined) return;
    else {
      if (list.hidden) open(true);
      all.at(to % all.length)?.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  });
  box.addEventListener("focusout", (event) => { if (!box.contains(event.relatedTarget)) close(false); });
  open(false);
  return { button, add };
}
