// The button that swaps light and dark.
(() => {
  const button = document.querySelector("#ld-appearance button");
  const name = () => {
    const other = window.lesionDashTheme.current() === "dark" ? "Light" : "Dark";
    button.textContent = other;
    button.setAttribute("aria-label", `${other} colours`);
    button.title = `Show the page in ${other.toLowerCase()} colours`;
  };
  button.addEventListener("click", window.lesionDashTheme.swap);
  document.addEventListener("lesion-dash-theme", name);
  name();
})();
