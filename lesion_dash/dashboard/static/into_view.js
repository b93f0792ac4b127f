// Scrolls to a part of the page when Python asks; at once for those who want no motion.
function render({ model, el }) {
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  model.on("msg:custom", () => {
    const part = el.closest(".ld-app")?.querySelector(model.get("place"));
    part?.scrollIntoView({ block: "nearest", behavior: calm.matches ? "auto" : "smooth" });
  });
}
export default { render };
