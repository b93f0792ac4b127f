// Coronal, sagittal and axial slice of the brain in one picture, with a map over it in colours.
const ORDER = [1, 0, 2]; // the slices from the upper left; the last corner is for words

function render({ model, el }) {
  const box = add(el, "div", "ld-maps");
  const empty = add(box, "p", "ld-maps-empty");
  const figures = [];
  for (const number of ORDER) {
    const canvas = add(box, "canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    listen(canvas, number);
    figures[number] = canvas;
  }
  const words = add(box, "div", "ld-maps-words");
  const value = add(words, "b");
  const remark = add(words, "span");

  function add(parent, tag, name) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    parent.appendChild(made);
    return made;
  }

  // While Python works on a place, the newest one asked for meanwhile waits.
  let isAsking = false, waiting = null;
  function ask(message) {
    if (isAsking) { waiting = message; return; }
    isAsking = true;
    model.send(message);
  }
  function answered() {
    isAsking = false;
    if (waiting) { const next = waiting; waiting = null; ask(next); }
  }

  function listen(canvas, number) {
    const go = (event) => {
      const x = event.offsetX / canvas.clientWidth, y = event.offsetY / canvas.clientHeight;
      if (x >= 0 && x <= 1 && y >= 0 && y <= 1) ask({ pane: number, x, y });
    };
    canvas.addEventListener("pointerdown", (event) => { if (event.button === 0) go(event); });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons & 1) go(event); });
    canvas.addEventListener("keydown", (event) => {
      const pane = model.get("panes")[number];
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const step = way[event.key];
      if (!pane || !step) return;
      event.preventDefault();
      const [x, y] = [0, 1].map((axis) => pane.cross[axis] + step[axis] * pane.step[axis]);
      if (x >= 0 && x <= 1 && y >= 0 && y <= 1) ask({ pane: number, x, y });
    });
  }

  const bytes = (name) => {
    const found = model.get(name);
    return new Uint8Array(found.buffer, found.byteOffset, found.byteLength);
  };

  function picture(start, [width, height]) {
    const [under, over, palette] = ["under", "over", "palette"].map(bytes);
    const image = new ImageData(width, height);
    const pixels = image.data;
    for (let i = 0; i < width * height; i++) {
      const grey = under[start + i], entry = 4 * over[start + i];
      const share = palette[entry + 3] / 255;
      for (let c = 0; c < 3; c++) pixels[4 * i + c] = grey + share * (palette[entry + c] - grey);
      pixels[4 * i + 3] = 255;
    }
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  function paint(canvas, pane, image) {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.imageSmoothingEnabled = false;
    context.drawImage(image, 0, 0, width, height);
    cross(context, pane.cross[0] * width, pane.cross[1] * height, width, height);
    letters(context, width, height, pane);
  }

  // With a gap in the middle, so that the voxel is seen.
  function cross(context, x, y, width, height) {
    const gap = 5;
    for (const [colour, line] of [["rgba(0,0,0,0.7)", 3], ["#fff", 1.2]]) {
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.beginPath();
      context.moveTo(x, 0); context.lineTo(x, y - gap);
      context.moveTo(x, y + gap); context.lineTo(x, height);
      context.moveTo(0, y); context.lineTo(x - gap, y);
      context.moveTo(x + gap, y); context.lineTo(width, y);
      context.stroke();
    }
  }

  function letters(context, width, height, pane) {
    const [left, right] = pane.edges;
    context.textBaseline = "top";
    for (const [text, x, y, align, font, colour] of [
      [left, 5, 4, "left", "600 15px", "#ffd34d"],
      [right, width - 5, 4, "right", "600 15px", "#ffd34d"],
      [pane.title, width / 2, height - 17, "center", "12px", "#dfe8ee"],
    ]) {
      context.font = `${font} system-ui, sans-serif`;
      context.textAlign = align;
      // On black, so that the crosshair does not cross it.
      const wide = context.measureText(text).width + 6;
      const before = { left: 3, center: wide / 2, right: wide - 3 }[align];
      context.fillStyle = "#000";
      context.fillRect(x - before, y - 3, wide, 20);
      context.fillStyle = colour;
      context.fillText(text, x, y);
    }
  }

  // Millimetres are as long in one slice as in the next.
  function layOut(panes) {
    const [sagittal, coronal, axial] = panes.map((pane) => pane.mm);
    const [wide, high] = [coronal[0] + sagittal[0], coronal[1] + axial[1]];
    box.style.aspectRatio = `${wide} / ${high}`;
    box.style.gridTemplateColumns = `${coronal[0]}fr ${sagittal[0]}fr`;
    box.style.gridTemplateRows = `${coronal[1]}fr ${axial[1]}fr`;
  }

  function draw() {
    const panes = model.get("panes");
    const isEmpty = panes.length !== 3;
    empty.textContent = model.get("empty");
    box.classList.toggle("ld-maps-none", isEmpty);
    [value.textContent, remark.textContent] = [model.get("value"), model.get("remark")];
    if (isEmpty) return;
    layOut(panes);
    const sizes = panes.map((pane) => pane.pixels[0] * pane.pixels[1]);
    if (bytes("over").length < sizes[0] + sizes[1] + sizes[2]) return;
    let start = 0;
    panes.forEach((pane, number) => {
      const canvas = figures[number];
      if (canvas.clientWidth) paint(canvas, pane, picture(start, pane.pixels));
      start += sizes[number];
      const side = `left of the screen: ${pane.edges[0]}`;
      const said = `${model.get("name")}, ${pane.name}, ${pane.title}, ${side}; arrow keys move`;
      canvas.setAttribute("aria-label", said);
    });
  }

  let isDue = false;
  function drawSoon() {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => { isDue = false; draw(); });
  }

  // Python sends nothing while this is not on the screen.
  const seer = new IntersectionObserver((entries) => {
    model.set("visible", entries[entries.length - 1].isIntersecting);
    model.save_changes();
  });
  const watcher = new ResizeObserver(drawSoon);
  seer.observe(box);
  watcher.observe(box);
  const traits = ["panes", "under", "over", "palette", "value", "remark", "empty"];
  const changes = traits.map((trait) => `change:${trait}`).join(" ");
  model.on(changes, drawSoon);
  model.on("change:answered", answered);
  drawSoon();
  return () => {
    seer.disconnect();
    watcher.disconnect();
    model.off(changes, drawSoon);
    model.off("change:answered", answered);
  };
}
export default { render };
