// Copies the link to what is shown, saves it as a file, and hands such a file to Python.
function render({ model, el }) {
  const group = el.appendChild(document.createElement("div"));
  group.className = "ld-menu";
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Session");

  function button(text, title, action) {
    const made = group.appendChild(document.createElement("button"));
    Object.assign(made, { type: "button", textContent: text, title });
    made.addEventListener("click", () => action(made));
    return made;
  }

  function say(made, text, before) {
    made.textContent = text;
    setTimeout(() => { made.textContent = before; }, 2500);
  }

  // In JupyterLab the address is that of Lab, and tells nothing of the choices.
  if (document.body.dataset.voila !== undefined) {
    const title = () => model.get("lacking") || "Copy the address of what is shown, with all choices";
    const copy = button("Copy link", title(), async (made) => {
      try {
        await navigator.clipboard.writeText(window.location.href);
        say(made, model.get("lacking") ? "Copied in part" : "Copied", "Copy link");
      } catch {
        say(made, "Copy it from the address bar", "Copy link"); // a browser that keeps it to itself
      }
    });
    model.on("change:lacking", () => { copy.title = title(); });
  }
  const save = "Save the choices as a small file, to come back to them or to send them";
  button("Save session", save, () => model.send({ type: "save" }));
  const input = document.createElement("input");
  Object.assign(input, { type: "file", accept: ".json", hidden: true });
  button("Open session", "Open a file that “Save session” has written", () => input.click());
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
