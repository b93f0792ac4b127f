// Light or dark: the button that swaps them, and what they are now, which figures follow.
function render({ model, el }) {
  const theme = window.lesionDashTheme; // of our page; JupyterLab has themes of its own
  const inLab = () => document.body.dataset.jpThemeLight === "false";
  const isDark = () => (theme ? theme.current() === "dark" : inLab());
  let button = null;
  if (theme) {
    button = el.appendChild(document.createElement("button"));
    Object.assign(button, { type: "button", className: "ld-menu-button" });
    button.addEventListener("click", theme.swap);
  }

  function tell() {
    const other = isDark() ? "Light" : "Dark";
    if (button) {
      button.textContent = other;
      button.setAttribute("aria-label", `${other} colours`);
      button.title = `Show the page in ${other.toLowerCase()} colours`;
    }
    if (model.get("dark") === isDark()) return;
    model.set("dark", isDark());
    model.save_changes();
  }

  const watcher = new MutationObserver(tell);
  watcher.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  document.addEventListener("lesion-dash-theme", tell);
  tell();
  return () => {
    watcher.disconnect();
    document.removeEventListener("lesion-dash-theme", tell);
  };
}
export default { render };
