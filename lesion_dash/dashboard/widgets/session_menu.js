// Copies the link to what is shown, saves it as a file, and hands such a file to Python.
function render({ model, el }) {
  const group = el.appendChild(document.createElement("div"));
  group.className = "ld-menu";
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Session");

  function say(made, text, before) {
    made.textContent = text;
    setTimeout(() => { made.textContent = before; }, 2500);
  }

  // In JupyterLab the address is that of Lab, and tells nothing of the choices.
  if (document.body.dataset.voila !== undefined) {
    const title = () => model.get("lacking") || "Copy the address of what is shown, with all settings";
    const copy = group.appendChild(document.createElement("button"));
    Object.assign(copy, { type: "button", textContent: "Link", title: title() });
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(window.location.href);
        say(copy, model.get("lacking") ? "Copied in part" : "Copied", "Link");
      } catch {
        say(copy, "Copy it from the address bar", "Link"); // a browser that keeps it to itself
      }
    });
    model.on("change:lacking", () => { copy.title = title(); });
  }
  const input = document.createElement("input");
  Object.assign(input, { type: "file", accept: ".json", hidden: true });
  const menu = makeMenu(group, "Session", "Save and restore the settings as a file");
  menu.add("Save session", () => model.send({ type: "save" }));
  menu.add("Open session", () => input.click());
  group.appendChild(input);
  input.addEventListener("change", async () => {
    const file = input.files[0];
    input.value = "";
    if (!file) return;
    const part = await file.slice(0, model.get("limit") + 1).arrayBuffer();
    model.send({ type: "open", name: file.name }, undefined, [part]);
  });
}
export default { render };
