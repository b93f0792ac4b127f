// The place of the crosshair in mm, to be typed; and the keys that move it in the picture beside.
const AXES = ["x", "y", "z"];
const STEP = 1, LEAP = 10; // mm
const LABEL = "Brain in three planes. Arrow keys move the crosshair left, right, up and down, page up "
  + "and page down to the front and to the back: 1 mm, with Shift 10 mm.";

function render({ model, el }) {
  const group = document.createElement("div");
  group.className = "ld-place-fields";
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Place of the crosshair, MNI coordinates in mm");
  group.title = "The arrow keys move the crosshair in the picture: 1 mm, with Shift 10 mm; "
    + "page up and page down move it to the front and to the back";
  const inputs = AXES.map((axis, number) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { type: "number", step: 1 });
    label.append(axis, input);
    group.append(label);
    input.addEventListener("change", () => go(number, input.valueAsNumber));
    return input;
  });
  group.append("mm");
  el.appendChild(group);

  const limit = model.get("limit");
  const fit = (value) => Math.min(Math.max(value, -limit), limit);

  function go(axis, value) {
    const place = [...model.get("mm")];
    if (!Number.isFinite(value)) return show();
    place[axis] = fit(value);
    model.set("mm", place);
    model.save_changes();
    show();
  }

  function show() {
    model.get("mm").forEach((value, number) => {
      inputs[number].value = Math.round(value * 10) / 10;
    });
  }

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const right = model.get("radiological") ? -1 : 1;
    const ways = {
      ArrowLeft: [0, -right], ArrowRight: [0, right], ArrowDown: [2, -1], ArrowUp: [2, 1],
      PageDown: [1, -1], PageUp: [1, 1],
    };
    const way = ways[event.key];
    if (!way || event.target.tagName !== "CANVAS") return;
    event.preventDefault();
    event.stopPropagation(); // niivue has other uses for some of them
    const [axis, sign] = way;
    go(axis, Math.round(model.get("mm")[axis]) + sign * (event.shiftKey ? LEAP : STEP));
  }

  // The picture comes when the browser is known to be able to draw it.
  const name = () => {
    const canvas = stage?.querySelector("canvas[tabindex]");
    canvas?.setAttribute("role", "application");
    canvas?.setAttribute("aria-label", LABEL);
  };
  let stage = null;
  const watcher = new MutationObserver(name);
  const waiting = setTimeout(() => {
    stage = el.closest(".ld-brain-stage");
    stage?.addEventListener("keydown", press, true);
    if (stage) watcher.observe(stage, { childList: true, subtree: true });
    name();
  }, 0);

  model.on("change:mm", show);
  show();
  return () => {
    clearTimeout(waiting);
    watcher.disconnect();
    stage?.removeEventListener("keydown", press, true);
  };
}
export default { render };
