// A button that puts a text onto the clipboard.
function render({ model, el }) {
  const button = document.createElement("button");
  button.className = "jupyter-widgets jupyter-button ld-button";
  button.type = "button";
  button.textContent = "Copy";
  button.title = "Copy the script";
  el.appendChild(button);
  const show = () => { button.disabled = !model.get("text"); };
  model.on("change:text", show);
  show();
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(model.get("text"));
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}
export default { render };
