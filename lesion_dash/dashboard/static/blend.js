// Three slices of a template and an image: blend, flicker and checkerboard without asking Python.
const SQUARES = 8; // of the checkerboard, along the longer side
const HALF_PERIOD = 600; // ms that each image is shown while flickering; less than one flash a second
const REGION = 1, LESION = 2;
const COLOURS = { [REGION]: [255, 176, 59], [LESION]: [255, 92, 200] };
const FILL = 0.22;

function render({ model, el }) {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const view = { share: 0.5, isChecked: false, isFilled: true };
  let timer = null;
  let before = 0.5; // the share while nothing flickers

  const box = add(el, "div", "ld-blend");
  const row = add(box, "div", "ld-slices");
  const bar = add(box, "div", "ld-blend-bar");
  const first = add(bar, "span", "ld-blend-end");
  const slider = add(bar, "input");
  Object.assign(slider, { type: "range", min: 0, max: 100, step: 1, value: 50 });
  slider.setAttribute("aria-label", "Blend from template to image");
  const second = add(bar, "span", "ld-blend-end");
  const said = add(bar, "output", "ld-blend-said");
  const flick = button("Flicker", "Show template and image in turn");
  const check = button("Checkerboard", "Squares of template and image in turn");
  const fill = button("Fill", "Fill region and lesion, not their outline alone");
  const foot = add(box, "div", "ld-blend-foot");
  const readout = add(foot, "output", "ld-blend-readout");
  const legend = add(foot, "span", "ld-blend-legend");
  const boxes = { [REGION]: switchFor(REGION), [LESION]: switchFor(LESION) };

  const figures = [0, 1, 2].map((number) => {
    const figure = add(row, "figure");
    const canvas = add(figure, "canvas");
    const caption = add(figure, "figcaption");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Slice, empty yet");
    listen(canvas, number);
    return { canvas, caption, layers: null };
  });

  const empty = add(row, "div", "ld-blend-empty");

  function add(parent, tag, name) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    parent.appendChild(made);
    return made;
  }

  function button(text, title) {
    const made = add(bar, "button", "jupyter-widgets jupyter-button ld-button");
    Object.assign(made, { type: "button", textContent: text, title });
    made.setAttribute("aria-pressed", "false");
    return made;
  }

  // Shows and hides the marks of a kind; its name says what they are.
  function switchFor(bit) {
    const label = add(legend, "label");
    const input = add(label, "input");
    Object.assign(input, { type: "checkbox", checked: true });
    add(label, "i").style.background = `rgb(${COLOURS[bit]})`;
    const text = add(label, "span");
    input.addEventListener("change", draw);
    return { label, input, text };
  }

  function press(made, isOn) {
    made.setAttribute("aria-pressed", String(isOn));
    made.classList.toggle("mod-active", isOn);
  }

  // See widgets/idle.js.
  const busy = (step) => document.dispatchEvent(new CustomEvent("ld-busy", { detail: step }));

  // While Python works on a place, the newest one asked for meanwhile waits.
  let isAsking = false, waiting = null;
  function ask(message) {
    if (isAsking) {
      if (!waiting) busy(1);
      waiting = message;
      return;
    }
    isAsking = true;
    model.send(message);
    setTimeout(answered, 1000); // a place that changes nothing gets no answer
  }
  function answered() {
    isAsking = false;
    if (!waiting) return;
    const next = waiting;
    waiting = null;
    ask(next);
    busy(-1);
  }

  function listen(canvas, number) {
    const go = (event) => {
      const place = canvas.place;
      if (!place) return;
      const x = (event.offsetX - place.x) / place.width;
      const y = (event.offsetY - place.y) / place.height;
      if (x >= 0 && x <= 1 && y >= 0 && y <= 1) ask({ pane: number, x, y });
    };
    canvas.addEventListener("pointerdown", (event) => { if (event.button === 0) go(event); });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons & 1) go(event); });
    canvas.addEventListener("keydown", (event) => {
      const pane = model.get("panes")[number];
      if (!pane) return;
      const turn = { PageUp: 1, PageDown: -1 }[event.key];
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const step = way[event.key];
      if (!turn && !step) return;
      event.preventDefault();
      if (turn) return ask({ pane: number, turn });
      const [x, y] = [0, 1].map((axis) => pane.cross[axis] + step[axis] * pane.step[axis]);
      if (x >= 0 && x <= 1 && y >= 0 && y <= 1) ask({ pane: number, x, y });
    });
  }

  const bytes = (name) => {
    const found = model.get(name);
    return new Uint8Array(found.buffer, found.byteOffset, found.byteLength);
  };

  function offscreen(width, height, paint) {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    paint(pixels);
    context.putImageData(image, 0, 0);
    return canvas;
  }

  const grey = (values, start) => (pixels) => {
    for (let i = 0; i < pixels.length; i++) {
      const one = values[start + i];
      pixels[i] = 0xff000000 | (one << 16) | (one << 8) | one;
    }
  };

  const tint = (marks, start, bit) => (pixels) => {
    const [r, g, b] = COLOURS[bit];
    const colour = 0xff000000 | (b << 16) | (g << 8) | r;
    for (let i = 0; i < pixels.length; i++) if (marks[start + i] & bit) pixels[i] = colour;
  };

  // The edges between pixels inside and outside, in shares of the slice.
  function outline(marks, start, width, height, bit) {
    const path = new Path2D();
    const is = (x, y) => x >= 0 && y >= 0 && x < width && y < height
      && (marks[start + x + y * width] & bit) !== 0;
    let isEmpty = true;
    for (let y = 0; y <= height; y++) {
      for (let x = 0; x <= width; x++) {
        const here = is(x, y);
        if (here !== is(x - 1, y)) { path.moveTo(x, y); path.lineTo(x, y + 1); isEmpty = false; }
        if (here !== is(x, y - 1)) { path.moveTo(x, y); path.lineTo(x + 1, y); isEmpty = false; }
      }
    }
    return isEmpty ? null : path;
  }

  // Everything that follows from what Python sent; blending only paints it.
  function prepare() {
    const panes = model.get("panes");
    const [template, image, marks] = ["template", "image", "marks"].map(bytes);
    let start = 0;
    figures.forEach((figure, number) => {
      const pane = panes[number];
      figure.layers = null;
      if (!pane) return;
      const [width, height] = pane.pixels;
      const end = start + width * height;
      if (end > Math.min(template.length, image.length)) return;
      const layers = {
        width, height,
        template: offscreen(width, height, grey(template, start)),
        image: offscreen(width, height, grey(image, start)),
        marks: [],
      };
      if (end <= marks.length) {
        for (const bit of [REGION, LESION]) {
          const path = outline(marks, start, width, height, bit);
          if (path) {
            layers.marks.push({ bit, path, fill: offscreen(width, height, tint(marks, start, bit)) });
          }
        }
      }
      figure.layers = layers;
      start = end;
      figure.caption.textContent = pane.title;
      const words = `${pane.title}; left of the screen: ${pane.edges[0]}; arrow keys move the `
        + "crosshair, page up and down the slice";
      figure.canvas.setAttribute("aria-label", words);
    });
    tell();
    draw();
  }

  function tell() {
    const [below, above] = model.get("names");
    const can = model.get("can_blend");
    first.textContent = below;
    second.textContent = above;
    const share = Math.round(100 * view.share);
    said.textContent = !can ? "" : view.isChecked ? "squares"
      : share === 0 ? below : share === 100 ? above : `${share} % image`;
    slider.disabled = flick.disabled = check.disabled = !can;
    flick.textContent = still.matches ? "Swap" : "Flicker";
    press(flick, timer !== null);
    press(check, view.isChecked);
    press(fill, view.isFilled);
    empty.textContent = model.get("panes").length ? "" : model.get("empty");
    readout.textContent = model.get("readout");
    for (const [bit, name] of [[REGION, "region_name"], [LESION, "lesion_name"]]) {
      const { label, text } = boxes[bit];
      label.hidden = !model.get(name);
      label.title = `Show or hide ${model.get(name)}`;
      text.textContent = model.get(name);
    }
    fill.disabled = Object.values(boxes).every(({ label }) => label.hidden);
  }

  // The slice as large as fits, in the proportions of its millimetres.
  function fit(canvas, mm) {
    const scale = Math.min(canvas.clientWidth / mm[0], canvas.clientHeight / mm[1]);
    const [width, height] = [mm[0] * scale, mm[1] * scale];
    const x = (canvas.clientWidth - width) / 2, y = (canvas.clientHeight - height) / 2;
    return { x, y, width, height };
  }

  function paint(canvas, pane, layers) {
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [canvas.clientWidth, canvas.clientHeight].map((edge) => Math.round(edge * ratio));
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    context.imageSmoothingEnabled = false;
    const place = (canvas.place = fit(canvas, pane.mm));
    const whole = [place.x, place.y, place.width, place.height];
    const can = model.get("can_blend");
    context.drawImage(can ? layers.template : layers.image, ...whole);
    if (can && view.isChecked) {
      context.save();
      context.clip(squares(place));
      context.drawImage(layers.image, ...whole);
      context.restore();
    } else if (can && view.share > 0) {
      context.globalAlpha = view.share;
      context.drawImage(layers.image, ...whole);
      context.globalAlpha = 1;
    }
    marked(context, place, layers);
    context.strokeStyle = "#4a5c68";
    context.lineWidth = 1;
    context.strokeRect(...whole);
    cross(context, place, pane.cross);
    letters(context, place, pane.edges);
    const stamp = model.get("stamp");
    if (stamp) stamped(context, canvas, stamp);
  }

  function squares({ x, y, width, height }) {
    const edge = Math.max(width, height) / SQUARES;
    const path = new Path2D();
    for (let i = 0; i * edge < width; i++) {
      for (let j = 0; j * edge < height; j++) {
        if ((i + j) % 2) path.rect(x + i * edge, y + j * edge, edge, edge);
      }
    }
    return path;
  }

  function marked(context, place, layers) {
    for (const { bit, path, fill: filled } of layers.marks) {
      if (!boxes[bit].input.checked) continue;
      if (view.isFilled) {
        context.globalAlpha = FILL;
        context.drawImage(filled, place.x, place.y, place.width, place.height);
        context.globalAlpha = 1;
      }
      const matrix = new DOMMatrix()
        .translate(place.x, place.y)
        .scale(place.width / layers.width, place.height / layers.height);
      const line = new Path2D();
      line.addPath(path, matrix);
      context.strokeStyle = `rgb(${COLOURS[bit]})`;
      context.lineWidth = 1.5;
      context.stroke(line);
    }
  }

  // Open in the middle, so that what it points to is seen.
  function cross(context, { x, y, width, height }, [across, down]) {
    const [cx, cy, gap] = [x + across * width, y + down * height, 7];
    context.strokeStyle = "#46c8ff";
    context.beginPath();
    context.moveTo(cx, y); context.lineTo(cx, Math.max(y, cy - gap));
    context.moveTo(cx, Math.min(y + height, cy + gap)); context.lineTo(cx, y + height);
    context.moveTo(x, cy); context.lineTo(Math.max(x, cx - gap), cy);
    context.moveTo(Math.min(x + width, cx + gap), cy); context.lineTo(x + width, cy);
    context.stroke();
  }

  // At the edges of the slice, so that no letter is taken for its neighbour's.
  function letters(context, { x, y, width, height }, [left, right, top, bottom]) {
    const [cx, cy] = [x + width / 2, y + height / 2];
    context.font = "600 15px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 3;
    context.strokeStyle = "#000";
    context.fillStyle = "#fff";
    for (const [text, px, py] of [
      [left, x + 11, cy], [right, x + width - 11, cy],
      [top, cx, y + 12], [bottom, cx, y + height - 12],
    ]) {
      context.strokeText(text, px, py);
      context.fillText(text, px, py);
    }
  }

  function stamped(context, canvas, text) {
    const [w, h] = [canvas.clientWidth, canvas.clientHeight];
    context.save();
    context.translate(w / 2, h / 2);
    context.rotate(-Math.PI / 8);
    context.font = `700 ${Math.round(Math.min(w, h) / 7)}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 5;
    context.strokeStyle = "rgba(0, 0, 0, 0.75)";
    context.fillStyle = "#ff8a75";
    context.strokeText(text, 0, 0);
    context.fillText(text, 0, 0);
    context.restore();
  }

  function draw() {
    const panes = model.get("panes");
    figures.forEach(({ canvas, caption, layers }, number) => {
      if (!canvas.clientWidth) return;
      if (layers && panes[number]) return paint(canvas, panes[number], layers);
      canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
      canvas.place = null;
      caption.textContent = "";
    });
  }

  function blend(share) {
    view.share = share;
    slider.value = Math.round(100 * share);
    tell();
    draw();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
  }

  function turn() {
    if (document.hidden || !row.offsetParent || still.matches) {
      stop(); // nobody looks, or nothing is to move
      tell();
      return;
    }
    blend(view.share < 0.5 ? 1 : 0);
  }

  slider.addEventListener("input", () => {
    stop();
    view.isChecked = false;
    blend(slider.valueAsNumber / 100);
  });
  flick.addEventListener("click", () => {
    view.isChecked = false;
    const wasOn = timer !== null;
    stop();
    if (wasOn) return blend(before); // the mix that was looked at
    if (!still.matches) {
      before = view.share;
      timer = setInterval(turn, HALF_PERIOD);
    }
    blend(view.share < 0.5 ? 1 : 0); // at once, and all there is where nothing moves
  });
  check.addEventListener("click", () => {
    stop();
    view.isChecked = !view.isChecked;
    tell();
    draw();
  });
  fill.addEventListener("click", () => {
    view.isFilled = !view.isFilled;
    tell();
    draw();
  });

  // Several traits change together: prepare once.
  let isWaiting = false;
  const soon = () => {
    if (isWaiting) return;
    isWaiting = true;
    queueMicrotask(() => { isWaiting = false; prepare(); });
  };
  for (const name of ["panes", "template", "image", "marks", "names", "can_blend", "stamp", "empty", "readout",
    "region_name", "lesion_name"]) model.on(`change:${name}`, soon);
  model.on("change:panes", answered);
  const away = () => { if (document.hidden) { stop(); tell(); } };
  const calmed = () => { stop(); tell(); };
  document.addEventListener("visibilitychange", away);
  still.addEventListener("change", calmed);
  const watcher = new ResizeObserver(draw);
  watcher.observe(row);
  prepare();
  return () => {
    stop();
    watcher.disconnect();
    document.removeEventListener("visibilitychange", away);
    still.removeEventListener("change", calmed);
  };
}
export default { render };
