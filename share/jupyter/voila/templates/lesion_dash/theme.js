// Light or dark as the system is, until the reader chooses; set before anything is painted.
window.lesionDashTheme = (() => {
  const KEY = "lesion-dash-theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const natural = () => (system.matches ? "dark" : "light");
  let chosen = null;
  try { chosen = localStorage.getItem(KEY); } catch { /* a browser that keeps nothing */ }

  const current = () => (chosen === "dark" || chosen === "light" ? chosen : natural());
  const apply = () => {
    document.documentElement.dataset.ldTheme = current();
    document.dispatchEvent(new Event("lesion-dash-theme"));
  };
  const swap = () => {
    const wanted = current() === "dark" ? "light" : "dark";
    // Who goes back to what the system says follows it again.
    chosen = wanted === natural() ? null : wanted;
    try {
      if (chosen) localStorage.setItem(KEY, chosen);
      else localStorage.removeItem(KEY);
    } catch { /* kept for this page alone */ }
    apply();
  };
  system.addEventListener("change", apply);
  apply();
  return { current, swap };
})();
