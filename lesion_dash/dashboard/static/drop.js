// A place to drop a file or to choose one; it is handed to Python in parts.
const PART = 2 ** 22;

function render({ model, el }) {
  const zone = document.createElement("label");
  const text = document.createElement("span");
  const input = document.createElement("input");
  zone.className = "ld-drop";
  input.type = "file";
  input.accept = model.get("endings");
  input.setAttribute("aria-label", "Choose an image of this computer");
  const ask = "Drop an image anywhere on this page, or click to choose one";
  text.textContent = ask;
  zone.append(text, input);
  el.appendChild(zone);

  async function send(file) {
    if (!file) return;
    if (file.size > model.get("limit")) {
      // Python says why, where all errors are shown.
      model.send({ name: file.name, size: file.size, start: 0 });
      return;
    }
    for (let start = 0; start < Math.max(file.size, 1); start += PART) {
      text.textContent = `Handing over ${file.name} ...`;
      const part = await file.slice(start, start + PART).arrayBuffer();
      model.send({ name: file.name, size: file.size, start }, undefined, [part]);
    }
    text.textContent = ask;
  }

  input.addEventListener("change", () => { send(input.files[0]); input.value = ""; });
  const over = (event) => { event.preventDefault(); zone.classList.add("ld-over"); };
  const leave = () => zone.classList.remove("ld-over");
  const drop = (event) => { event.preventDefault(); leave(); send(event.dataTransfer.files[0]); };
  // The page is there once the widget is shown; a tab that is hidden takes no drop.
  const place = () => el.closest(".ld-inspect") ?? zone;
  const listen = () => {
    const page = place();
    page.addEventListener("dragover", over);
    page.addEventListener("dragleave", leave);
    page.addEventListener("drop", drop);
    return page;
  };
  let page;
  const waiting = setTimeout(() => { page = listen(); }, 0);
  return () => {
    clearTimeout(waiting);
    page?.removeEventListener("dragover", over);
    page?.removeEventListener("dragleave", leave);
    page?.removeEventListener("drop", drop);
  };
}
export default { render };
