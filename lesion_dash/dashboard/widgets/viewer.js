// The viewer on the page: controls, keys, and what is said of a place.
const AXES = ["x", "y", "z"];
const STEP = 1, LEAP = 10; // mm
const ZOOM = 1.25;
const VIEWS = {
  multiplanar: "Planes", axial: "Axial", coronal: "Coronal", sagittal: "Sagittal", render: "3-D",
  mosaic: "Mosaic",
};
const KEYS = "Arrow keys move the crosshair left, right, up and down, page up and page down to the "
  + "front and to the back: 1 mm, with Shift 10 mm. Plus and minus zoom, r resets the view, f is "
  + "full screen.";
const NO_WEBGL = "This browser has no WebGL 2, which the interactive viewer needs: nilearn draws the "
  + "map instead.";

const tenths = (value) => Math.round(value * 10) / 10 + 0; // no -0

function hasWebgl() {
  const context = document.createElement("canvas").getContext("webgl2");
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return Boolean(context);
}

function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function button(text, title, press) {
  const node = make("button", { type: "button", textContent: text, title, onclick: press });
  node.setAttribute("aria-label", title);
  return node;
}

function toggle(text, title, isOn, press) {
  const node = button(text, title, () => {
    const isNow = node.getAttribute("aria-pressed") !== "true";
    node.setAttribute("aria-pressed", isNow);
    press(isNow);
  });
  node.setAttribute("aria-pressed", isOn);
  return node;
}

function numberField(name, onNumber, properties = {}) {
  const node = make("input", { type: "number", step: "any", ...properties });
  node.setAttribute("aria-label", name);
  node.addEventListener("change", () => onNumber(node.value === "" ? null : node.valueAsNumber));
  return node;
}

function rangeField(name, value, onValue) {
  const node = make("input", { type: "range", min: 0, max: 1, step: 0.01, value });
  node.setAttribute("aria-label", name);
  node.addEventListener("input", () => onValue(node.valueAsNumber));
  return node;
}

function chosen(name, options, value, onValue) {
  const node = make("select", {}, ...Object.entries(options).map(([key, text]) =>
    make("option", { value: key, textContent: text, selected: key === value })));
  node.setAttribute("aria-label", name);
  node.addEventListener("change", () => onValue(node.value));
  return node;
}

const field = (text, ...controls) => make("label", {}, make("span", { textContent: text }), ...controls);

function render({ model, el }) {
  const cleanups = [];
  const canvas = make("canvas", { tabIndex: 0 });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `Brain. ${KEYS}`);
  const stage = make("div", { className: "ld-viewer-stage" }, canvas);
  const root = make("div", { className: "ld-viewer-root" });
  el.append(root);
  if (!hasWebgl()) {
    withoutWebgl();
    return undefined;
  }

  const state = {
    k: model.get("k"), threshold: null, limits: null, colormap: "", opacity: 0.85, filled: false,
    contours: 0, blend: 0, mosaic: { plane: "A", spacing: 12 }, cut: 0,
  };
  const picture = new Picture(canvas, (mm) => place(mm));
  let pointer = null; // mm under the pointer, where it is over a plane
  let frame = 0, turn = 0, painted = 0, stops = [];
  let pending = picture.open().then(turnSides);

  // --- What is drawn ---------------------------------------------------------------------------
  const unpacked = new Map(); // by the id of the layer's model
  async function layerOf(reference) {
    const id = reference.slice("IPY_MODEL_".length);
    if (!unpacked.has(id)) {
      unpacked.set(id, model.widget_manager.get_model(id).then((data) => {
        data.on("comm:close", () => unpacked.delete(id));
        return unpack(data.get("facts"), data.get("content"));
      }));
    }
    return unpacked.get(id);
  }

  // What takes several steps is done one after the other; of layers, only those asked for last.
  function run(action) {
    pending = pending.then(action);
    return pending;
  }

  async function showLayers() {
    const mine = turn += 1;
    const layers = await Promise.all(model.get("layers").map(layerOf));
    run(() => mine === turn && layers.length && putLayers(layers));
  }

  async function putLayers(layers) {
    const { map, base } = picture, scan = picture.scan;
    await picture.show(layers);
    if (picture.scan !== scan) blend.value = state.blend = picture.scan?.blend ?? 0;
    if (picture.map !== map) Object.assign(state, { limits: null, threshold: null, colormap: "" });
    if (picture.base !== base) await takeView();
    picture.styleMarks(state);
    recolour();
    picture.moveTo(model.get("mm"));
    paint();
    if (!model.get("painted")) {
      model.set("painted", true);
      model.save_changes();
    }
  }

  function paint() {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(paintNow);
  }

  function paintNow() {
    if (!picture.base) return;
    const start = performance.now();
    picture.paint(state);
    root.dataset.painted = painted += 1;
    root.dataset.milliseconds = (performance.now() - start).toFixed(2);
    root.dataset.k = state.k;
    title.textContent = (picture.map?.title ?? "").replace("{k}", state.k);
    say();
  }

  function recolour() {
    const palette = picture.map
      ? paletteOf(picture.map, model.get("tables"), state.colormap) : new Uint8ClampedArray(1024);
    picture.colour(palette, state.opacity);
    describe();
  }

  function restyle() {
    picture.styleMarks(state);
    picture.niivue.drawScene();
  }

  // --- The place -------------------------------------------------------------------------------
  function place(mm) {
    const shown = mm.map(tenths);
    if (shown.every((v, i) => v === model.get("mm")[i])) return;
    model.set("mm", shown);
    model.save_changes();
    say();
  }

  function go(mm) {
    picture.moveTo(mm);
    place(mm);
  }

  function say() {
    const mm = model.get("mm");
    inputs.forEach((input, axis) => {
      if (input !== document.activeElement || input.dataset.mm !== String(mm[axis])) {
        input.value = input.dataset.mm = mm[axis];
      }
    });
    const words = (at) => picture.layers.map((layer) => wordsAt(layer, at, state.k)).filter(Boolean).join(" · ");
    readout.textContent = words(pointer ?? mm);
    readout.dataset.mm = pointer ?? mm;
  }

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== canvas) return;
    const right = model.get("radiological") ? -1 : 1;
    const ways = {
      ArrowLeft: [0, -right], ArrowRight: [0, right], ArrowDown: [2, -1], ArrowUp: [2, 1],
      PageDown: [1, -1], PageUp: [1, 1],
    };
    const actions = {
      "+": () => picture.zoom(ZOOM), "=": () => picture.zoom(ZOOM), "-": () => picture.zoom(1 / ZOOM),
      r: reset, f: fullScreen,
    };
    if (event.key in ways) {
      const [axis, sign] = ways[event.key];
      const mm = [...model.get("mm")];
      mm[axis] = Math.round(mm[axis]) + sign * (event.shiftKey ? LEAP : STEP);
      go(mm);
    } else if (event.key in actions) {
      actions[event.key]();
    }
    if (event.key in ways || event.key in actions) event.preventDefault();
    event.stopPropagation(); // NiiVue has keys of its own
  }

  function reset() {
    picture.resetView();
    choose("multiplanar");
  }

  async function fullScreen() {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await root.requestFullscreen();
  }

  function choose(view) {
    model.set("view", view);
    model.save_changes();
    look();
  }

  const look = () => run(takeView);

  async function takeView() {
    const view = model.get("view");
    views.value = view;
    root.dataset.view = view;
    if (!picture.base) return;
    await picture.lookAt(view, mosaicOf(state.mosaic, picture.base, canvas.width, canvas.height));
    picture.styleMarks(state);
    picture.niivue.setClipPlane([view === "render" && state.cut > 0 ? 0.5 - state.cut : 2, 270, 0]);
  }

  // --- Controls --------------------------------------------------------------------------------
  const views = chosen("View", VIEWS, model.get("view"), choose);
  const sides = toggle("R|L", "Radiological: the patient's left on the right", model.get("radiological"), (isOn) => {
    model.set("radiological", isOn);
    model.save_changes();
    turnSides();
  });
  const measure = toggle("mm", "Measure a distance: drag from one point to another", false, (isOn) => {
    picture.setDrag(isOn ? "measurement" : "crosshair");
    if (!isOn) picture.niivue.clearMeasurements();
  });
  const crosshair = toggle("+", "Crosshair", true, (isOn) => {
    picture.niivue.setCrosshairWidth(isOn ? CROSSHAIR : 0);
  });
  const low = numberField("Lowest colour at", () => limit());
  const high = numberField("Highest colour at", () => limit());
  const bar = make("div", { className: "ld-viewer-ramp" });
  const title = make("span", { className: "ld-viewer-title" });
  const legend = make("div", { className: "ld-viewer-legend" });
  const readout = make("output", { className: "ld-viewer-readout" });
  const inputs = AXES.map((axis, i) => numberField(`${axis} in mm`, (value) => {
    const mm = [...model.get("mm")];
    if (value !== null && Math.abs(value) <= 200) mm[i] = value;
    go(mm);
    inputs[i].value = model.get("mm")[i];
  }, { step: 1 }));

  const opacity = rangeField("Opacity of the map", state.opacity, (value) => { state.opacity = value; recolour(); });
  const threshold = numberField("Lowest value shown", (value) => { state.threshold = value; paint(); });
  const colormaps = chosen("Colour map", {}, "", (name) => { state.colormap = name; recolour(); });
  const style = chosen("Lesions", { outline: "Outline", filled: "Filled" }, "outline", (value) => {
    state.filled = value === "filled";
    restyle();
  });
  const contours = rangeField("Opacity of the atlas contours", state.contours, (value) => { state.contours = value; restyle(); });
  const blend = rangeField("Blend with the second scan", 0, (value) => { state.blend = value; restyle(); describe(); });
  const black = numberField("Black at", () => windowed());
  const white = numberField("White at", () => windowed());
  const mosaicPlane = chosen("Mosaic of planes", { A: "Axial", C: "Coronal", S: "Sagittal" }, "A", (plane) => {
    state.mosaic.plane = plane;
    look();
  });
  const spacing = numberField("Distance of the mosaic's slices in mm", (value) => {
    if (value >= 1) state.mosaic.spacing = value;
    look();
  }, { min: 1, max: 60, step: 1, value: state.mosaic.spacing });
  const cut = rangeField("Cut plane of the 3-D view", 0, (value) => { state.cut = value; look(); });

  const rows = {
    opacity: field("Map opacity", opacity), threshold: field("Threshold ≥", threshold),
    colormap: field("Colour map", colormaps), style: field("Lesions", style),
    contours: field("Atlas contours", contours), blend: field("Second scan", blend),
    window: field("Grey from", black, make("span", { textContent: "to" }), white),
    mosaic: field("Mosaic", mosaicPlane, make("span", { textContent: "every" }), spacing, "mm"),
    cut: field("3-D cut", cut),
  };
  const panel = make("div", { className: "ld-viewer-panel" }, ...Object.values(rows));
  const more = make("details", { className: "ld-viewer-more" }, make("summary", { textContent: "Display" }), panel);
  const bars = make("div", { className: "ld-viewer-bar" },
    views, button("−", "Zoom out", () => picture.zoom(1 / ZOOM)), button("+", "Zoom in", () => picture.zoom(ZOOM)),
    button("↺", "Reset the view", reset), sides, crosshair, measure, more,
    make("span", { className: "ld-viewer-space" }),
    button("PNG", "Save what is seen as PNG", () => savePicture(canvas, picture, keyOf())),
    button("⤢", "Full screen", fullScreen));
  bars.setAttribute("role", "group");
  bars.setAttribute("aria-label", "Viewer");
  const scale = make("div", { className: "ld-viewer-scale" }, title, low, bar, high, legend);
  const places = make("div", { className: "ld-viewer-place" }, ...inputs.flatMap((input, i) => [make("label", {}, AXES[i], input)]), "mm");
  places.setAttribute("role", "group");
  places.title = KEYS;
  root.append(bars, stage, make("div", { className: "ld-viewer-foot" }, places, readout), scale);

  function limit() {
    const { scale: own } = picture.map;
    const from = low.value === "" ? own.low : low.valueAsNumber;
    const to = high.value === "" ? own.high : high.valueAsNumber;
    state.limits = Number.isFinite(from) && to > from ? [from, to] : null;
    paint();
    describe();
  }

  function windowed() {
    const [from, to] = [black.valueAsNumber, white.valueAsNumber];
    if (to > from) run(() => picture.setWindow(windowedScan(), [from, to])).then(restyle);
  }

  // The scan that is seen: the background, or the one that is blended over it.
  const windowedScan = () => (picture.scan && state.blend >= 0.5 ? picture.scan : picture.base);

  // What is written below a picture that is saved: what the page says of its colours and its place.
  const keyOf = () => [
    { text: title.textContent },
    ...(bar.hidden ? [] : [{ text: low.value }, { stops }, { text: high.value }]),
    ...[...legend.childNodes].map((node) => ({ text: node.textContent, ...(node.sample ?? {}) })),
    { text: `at ${model.get("mm").join(", ")} mm: ${readout.textContent}` },
  ].filter((item) => item.text || item.stops);

  // What the colours stand for, and which of the controls there is something for.
  function describe() {
    const { map, layers, base } = picture;
    const has = (kind) => layers.some((layer) => layer.kind === kind);
    const tables = model.get("tables");
    title.textContent = (map?.title ?? "").replace("{k}", state.k);
    scale.hidden = !map;
    const isRamp = map?.kind === "value" && map.scale.kind !== "steps";
    for (const node of [low, bar, high]) node.hidden = !isRamp;
    low.disabled = map?.scale?.kind === "diverging";
    legend.replaceChildren();
    if (isRamp) {
      const [from, to] = state.limits ?? [map.scale.low, map.scale.high];
      high.value = to;
      low.value = map.scale.kind === "diverging" ? -to : from;
      stops = tables[state.colormap || map.scale.colormap];
      bar.style.background = `linear-gradient(to right, ${stops.map(([at, c]) => `rgb(${c}) ${at / 2.55}%`)})`;
      const [below, above] = map.scale.sides;
      const sides = below ? `◀ ${below} · ${above} ▶` : "";
      legend.textContent = [map.unit, sides].filter(Boolean).join(" · ");
    } else if (map) {
      const classes = map.kind === "overlap" ? map.classes.map(([, text, c]) => [text, c])
        : map.scale.steps.map(([, text, c]) => [text, c.slice(0, 3)]);
      legend.append(...classes.map(([text, c]) => swatch(text, c)));
    }
    for (const mask of layers.filter(({ kind }) => kind === "mask")) legend.append(swatch(mask.title, mask.colour, true));
    rows.opacity.hidden = !map;
    rows.threshold.hidden = map?.kind !== "value";
    rows.colormap.hidden = !isRamp;
    colormaps.replaceChildren(...Object.keys(tables).map((name) =>
      make("option", { value: name, textContent: name, selected: name === (state.colormap || map?.scale?.colormap) })));
    rows.style.hidden = !has("mask");
    rows.contours.hidden = !has("label");
    rows.blend.hidden = !has("scan");
    rows.blend.firstChild.textContent = picture.scan?.title ?? "";
    if (base) [black.value, white.value] = windowedScan().window.map((v) => Number(v.toPrecision(4)));
  }

  function turnSides() {
    const isRadiological = model.get("radiological");
    sides.setAttribute("aria-pressed", isRadiological);
    picture.niivue.setRadiologicalConvention(isRadiological);
  }

  // --- What the page and the kernel say --------------------------------------------------------
  function listen(target, name, action) {
    target.on(name, action);
    cleanups.push(() => target.off(name, action));
  }

  async function follow() {
    const reference = model.get("k_source");
    if (!reference) return;
    const slider = await model.widget_manager.get_model(reference.slice("IPY_MODEL_".length));
    // A slider of words has the number of the chosen one in place of a value.
    const trait = slider.get("value") === undefined ? "index" : "value";
    const take = () => { state.k = slider.get(trait); paint(); };
    listen(slider, `change:${trait}`, take);
    take();
  }

  listen(model, "change:layers", showLayers);
  listen(model, "change:mm", () => { picture.moveTo(model.get("mm")); say(); });
  listen(model, "change:radiological", turnSides);
  listen(model, "change:view", look);
  listen(model, "change:k", () => { if (!model.get("k_source")) { state.k = model.get("k"); paint(); } });
  listen(model, "change:k_source", follow);
  stage.addEventListener("keydown", press, true);
  stage.addEventListener("dblclick", (event) => {
    event.stopPropagation();
    const plane = picture.planeUnder(event);
    if (model.get("view") in SLICES) choose("multiplanar");
    else if (plane) choose(plane);
  }, true);
  canvas.addEventListener("mousemove", (event) => {
    pointer = picture.mmUnder(event)?.map(tenths) ?? null; // as a click there would have it
    say();
  });
  canvas.addEventListener("mouseleave", () => { pointer = null; say(); });
  // The wheel scrolls the page until the brain was clicked, then through its slices.
  stage.addEventListener("wheel", (event) => {
    if (event.ctrlKey) {
      event.preventDefault();
      picture.zoom(event.deltaY < 0 ? ZOOM : 1 / ZOOM);
    } else if (document.activeElement === canvas) return;
    event.stopPropagation();
  }, { capture: true, passive: false });
  const sizes = new ResizeObserver(() => picture.arrange());
  sizes.observe(stage);
  cleanups.push(() => sizes.disconnect(), () => picture.close());
  root.viewer = { picture, done: () => pending }; // what a test looks at
  model.set("webgl", "yes");
  model.save_changes();
  follow();
  showLayers();
  return () => cleanups.forEach((action) => action());

  function withoutWebgl() {
    root.className = "ld-viewer-fallback";
    const show = () => {
      root.replaceChildren(make("p", { textContent: NO_WEBGL }));
      if (!model.get("page")) return;
      // Made anew: Chromium never lays out the page of a frame that was hidden when it came.
      const frame = make("iframe", { title: "Map drawn by nilearn" });
      frame.setAttribute("sandbox", "allow-scripts"); // it reaches nothing of this page
      frame.srcdoc = model.get("page");
      root.append(frame);
    };
    model.on("change:page", show);
    show();
    model.set("webgl", "no");
    model.set("painted", true);
    model.save_changes();
  }
}

function swatch(text, colour, isOutline = false) {
  const sample = make("i", {});
  if (isOutline) sample.style.borderColor = `rgb(${colour})`;
  else sample.style.background = `rgb(${colour})`;
  const className = isOutline ? "ld-viewer-swatch ld-viewer-rim" : "ld-viewer-swatch";
  return make("span", { className, sample: { colour: `rgb(${colour})`, isOutline } }, sample, text);
}

// NiiVue's words for a mosaic: a plane and the mm of its slices.
function mosaicOf({ plane, spacing }, base, stageWidth, stageHeight) {
  const axis = { S: 0, C: 1, A: 2 }[plane];
  const first = base.affine[axis][3], edge = base.affine[axis][axis];
  const last = first + edge * (base.shape[axis] - 1);
  const cuts = [];
  for (let at = Math.ceil(first / spacing) * spacing; at <= last; at += spacing) cuts.push(at);
  const edges = [0, 1, 2].map((i) => base.shape[i] * Math.abs(base.affine[i][i]));
  const [width, height] = { S: [edges[1], edges[2]], C: [edges[0], edges[2]], A: [edges[0], edges[1]] }[plane];
  const sizeOf = (columns) => Math.min(
    stageWidth / (columns * width), stageHeight / (Math.ceil(cuts.length / columns) * height));
  const columns = cuts.map((_, i) => i + 1).reduce((best, n) => sizeOf(n) > sizeOf(best) ? n : best, 1);
  const lines = [];
  for (let at = 0; at < cuts.length; at += columns) lines.push(cuts.slice(at, at + columns).join(" "));
  return `${plane} ${lines.join(" ; ")}`;
}

// The picture, and below it its key, in as many lines as that takes.
function savePicture(canvas, picture, key) {
  picture.niivue.drawScene(); // a canvas holds its picture only until the next frame
  const size = 14 * (window.devicePixelRatio || 1), line = 2 * size, bar = 9 * size;
  const sheet = make("canvas", { width: canvas.width });
  const pen = sheet.getContext("2d");
  const letters = { font: `${size}px sans-serif`, textBaseline: "middle" };
  Object.assign(pen, letters);
  const widthOf = ({ text, stops, colour }) => stops ? bar : pen.measureText(text).width + (colour ? line : 0);
  let [x, y] = [size, canvas.height + size];
  const places = key.map((item) => {
    if (x + widthOf(item) > sheet.width && x > size) [x, y] = [size, y + line];
    const place = [item, x, y];
    x += widthOf(item) + size;
    return place;
  });
  sheet.height = y + size; // which clears it, and its pen
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.drawImage(canvas, 0, 0);
  Object.assign(pen, letters, { lineWidth: size / 7 });
  for (const [item, left, middle] of places) drawKey(pen, item, left, middle, { size, bar });
  make("a", { href: sheet.toDataURL("image/png"), download: "lesion_dash_view.png" }).click();
}

// A colour bar, or a text with or without its colour.
function drawKey(pen, { text, stops, colour, isOutline }, left, middle, { size, bar }) {
  const box = [left, middle - size / 2, stops ? bar : size, size];
  if (stops) {
    pen.fillStyle = pen.createLinearGradient(left, 0, left + bar, 0);
    for (const [at, c] of stops) pen.fillStyle.addColorStop(at / 255, `rgb(${c})`);
    pen.fillRect(...box);
    return;
  }
  Object.assign(pen, { fillStyle: colour, strokeStyle: colour });
  if (colour && isOutline) pen.strokeRect(...box);
  else if (colour) pen.fillRect(...box);
  pen.fillStyle = "#fff";
  pen.fillText(text, left + (colour ? 1.5 * size : 0), middle);
}

return { render };
