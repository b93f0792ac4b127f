// A button that closes a message, as Escape does wherever one is.
function render({ model, el }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "ld-close";
  button.textContent = "×";
  button.title = "Close this message (Escape)";
  button.setAttribute("aria-label", "Close this message");
  el.appendChild(button);
  const close = () => model.send({ type: "close" });
  const escape = (event) => {
    const isShown = button.offsetParent !== null;
    if (event.key === "Escape" && isShown && !event.defaultPrevented) close();
  };
  button.addEventListener("click", close);
  document.addEventListener("keydown", escape);
  return () => document.removeEventListener("keydown", escape);
}
export default { render };
