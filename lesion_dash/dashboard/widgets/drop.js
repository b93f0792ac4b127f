// A place to drop files and folders, or to choose them. Python is told names and sizes, says which
// files it takes, and gets these in parts, the next ones when those before were written.
const MESSAGE = 2 ** 22; // bytes
const MOST_PARTS = 200; // of a message; the server takes 1,000 parts, of which some are its own
const STEP = 250; // ms between two texts that a screen reader would read

function render({ model, el }) {
  const make = (kind, name, parent, more = {}) => {
    const made = parent.appendChild(document.createElement(kind));
    made.className = name;
    return Object.assign(made, more);
  };
  const zone = make("div", "ld-drop", el, { role: "group" });
  const ask = make("span", "ld-drop-ask", zone);
  const buttons = make("span", "ld-drop-buttons", zone);
  const button = (text, action, title = "") =>
    make("button", "jupyter-button ld-button", buttons, { type: "button", textContent: text, onclick: action, title });
  const chooser = (label, isFolder) => {
    const input = make("input", "", zone, { type: "file", multiple: true, hidden: true });
    input.setAttribute("aria-label", label);
    input.webkitdirectory = isFolder;
    input.addEventListener("change", () => {
      const files = [...input.files].map((file) => [file.webkitRelativePath || file.name, file]);
      input.value = "";
      offer(files);
    });
    return input;
  };
  const files = chooser("Choose files of this computer", false);
  const folder = chooser("Choose a folder of this computer", true);
  const choosing = [
    button("Folder …", () => folder.click(), "Choose a folder of this computer"),
    button("Files …", () => files.click(), "Choose files of this computer"),
  ];
  const cancel = button("Cancel", () => {
    model.send({ type: "cancel", turn: current?.turn ?? 0 });
    end("Cancelled: nothing was kept.");
  });
  const bar = make("progress", "ld-drop-bar", zone, { max: 1 });
  const status = make("span", "ld-drop-status", zone);
  status.setAttribute("role", "status");
  const rename = () => {
    ask.textContent = model.get("ask");
    zone.setAttribute("aria-label", ask.textContent);
  };
  rename();

  let current = null; // the drop that is being sent: its turn, its files, how far it has come
  let said = 0;
  function show(text, isSending) {
    status.textContent = text;
    for (const one of choosing) one.hidden = isSending;
    cancel.hidden = bar.hidden = !isSending;
  }
  function end(text) {
    current = null;
    show(text, false);
  }
  end("");

  function offer(found) {
    if (!found.length) return;
    const most = model.get("most_offered");
    const turn = Math.floor(Math.random() * 2 ** 40);
    current = { turn, files: found.map(([, file]) => file), sent: 0, bytes: 0, total: 0, queue: [] };
    show("Checking names and sizes …", true);
    bar.removeAttribute("value");
    // One more than is allowed, and Python says so.
    const named = found.slice(0, most + 1).map(([path, file]) => [path, file.size]);
    model.send({ type: "offer", turn, files: named });
  }

  function progress() {
    if (Date.now() - said < STEP && current.sent < current.count) return;
    said = Date.now();
    const number = (value) => value.toLocaleString("en");
    status.textContent = `${number(current.sent)} of ${number(current.count)} files`;
    bar.value = current.total ? current.bytes / current.total : 1;
  }

  async function sendNext() {
    const mine = current;
    const parts = [];
    const contents = [];
    let room = MESSAGE;
    try {
      while (mine.queue.length && room > 0 && parts.length < MOST_PARTS) {
        const next = mine.queue[0];
        const file = mine.files[next.index];
        const part = await file.slice(next.start, next.start + room).arrayBuffer();
        parts.push([next.index, next.start]);
        contents.push(part);
        next.start += part.byteLength;
        room -= part.byteLength;
        mine.bytes += part.byteLength;
        if (next.start >= file.size) {
          mine.queue.shift();
          mine.sent += 1;
        }
      }
    } catch {
      if (current !== mine) return;
      // Moved, changed, or not to be read: the browser does not say which.
      model.send({ type: "cancel", turn: mine.turn });
      end("A file could not be read by the browser: nothing was kept.");
      return;
    }
    if (current !== mine) return;
    progress();
    model.send({ type: "parts", turn: mine.turn, parts }, undefined, contents);
  }

  function hear(message) {
    if (message.type === "say") {
      if (!current) show(message.text, false);
      return;
    }
    if (!current || message.turn !== current.turn) return;
    if (message.type === "send") {
      current.queue = message.files.map((index) => ({ index, start: 0 }));
      current.count = message.files.length;
      current.total = message.files.reduce((sum, index) => sum + current.files[index].size, 0);
      sendNext();
    } else if (message.type === "written") {
      sendNext();
    } else if (message.type === "end") {
      end(message.text || "Reading …");
    }
  }

  // A folder that is dropped is gone through by the browser, a hundred names at a time.
  async function walk(entry, found, most) {
    if (found.length > most) return;
    if (entry.isFile) {
      const file = await new Promise((done, failed) => entry.file(done, failed));
      found.push([entry.fullPath.replace(/^\//, ""), file]);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const entries = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!entries.length) return;
      for (const one of entries) await walk(one, found, most);
    }
  }

  async function drop(event) {
    event.preventDefault();
    leave();
    if (current) return;
    // The list of what was dropped is empty once this function waits.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const plain = [...event.dataTransfer.files].map((file) => [file.name, file]);
    const found = [];
    try {
      for (const entry of entries) await walk(entry, found, model.get("most_offered"));
    } catch {
      end("The folder could not be read by the browser: nothing was sent.");
      return;
    }
    offer(entries.length ? found : plain);
  }

  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const over = (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    zone.classList.add("ld-over");
  };
  const leave = () => zone.classList.remove("ld-over");
  const dropped = (event) => { if (holdsFiles(event)) drop(event); };
  // The part of the page around is there once the widget is shown; a tab that is hidden takes none.
  let place = null;
  const waiting = setTimeout(() => {
    place = (model.get("around") && el.closest(model.get("around"))) || zone;
    place.addEventListener("dragover", over);
    place.addEventListener("dragleave", leave);
    place.addEventListener("drop", dropped);
  }, 0);
  model.on("msg:custom", hear);
  model.on("change:ask", rename);
  return () => {
    clearTimeout(waiting);
    model.off("msg:custom", hear);
    model.off("change:ask", rename);
    place?.removeEventListener("dragover", over);
    place?.removeEventListener("dragleave", leave);
    place?.removeEventListener("drop", dropped);
  };
}
export default { render };
