// Draws three grey slices with a crosshair, and tells Python where somebody clicked, or where the
// arrow keys lead to.
const KEYS = "; arrow keys move the crosshair";

function render({ model, el }) {
  const row = document.createElement("div");
  row.className = "ld-slices";
  el.appendChild(row);
  const figures = [0, 1, 2].map((number) => {
    const figure = document.createElement("figure");
    const canvas = document.createElement("canvas");
    const caption = document.createElement("figcaption");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", `Slice ${number + 1} of three${KEYS}`);
    figure.append(canvas, caption);
    row.appendChild(figure);
    canvas.addEventListener("click", (event) => {
      const place = canvas.place;
      if (!place) return;
      const x = (event.offsetX - place.x) / place.width;
      const y = (event.offsetY - place.y) / place.height;
      if (x >= 0 && x <= 1 && y >= 0 && y <= 1) model.send({ pane: number, x, y });
    });
    canvas.addEventListener("keydown", (event) => press(event, number));
    return { canvas, caption };
  });

  function press(event, number) {
    const pane = model.get("panes")[number];
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key];
    if (!pane || !way || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [x, y] = [0, 1].map((axis) => pane.cross[axis] + way[axis] / pane.pixels[axis]);
    if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1)) return;
    pane.cross = [x, y]; // the next key may come before Python's answer
    model.send({ pane: number, x, y });
  }

  function picture(pixels, start, width, height) {
    const image = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      const grey = pixels[start + i];
      image.data.set([grey, grey, grey, 255], 4 * i);
    }
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  // The slice as large as fits, in the proportions of its millimetres.
  function fit(canvas, mm) {
    const scale = Math.min(canvas.clientWidth / mm[0], canvas.clientHeight / mm[1]);
    const [width, height] = [mm[0] * scale, mm[1] * scale];
    const x = (canvas.clientWidth - width) / 2, y = (canvas.clientHeight - height) / 2;
    return { x, y, width, height };
  }

  function paint(canvas, pane, image) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * ratio;
    canvas.height = canvas.clientHeight * ratio;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.imageSmoothingEnabled = false;
    const { x, y, width, height } = (canvas.place = fit(canvas, pane.mm));
    context.drawImage(image, x, y, width, height);
    context.strokeStyle = "#4a5c68";
    context.strokeRect(x, y, width, height);
    const [cx, cy] = [x + pane.cross[0] * width, y + pane.cross[1] * height];
    context.strokeStyle = "#46c8ff";
    context.beginPath();
    context.moveTo(cx, y); context.lineTo(cx, y + height);
    context.moveTo(x, cy); context.lineTo(x + width, cy);
    context.stroke();
    letters(context, canvas, pane.edges);
  }

  function letters(context, canvas, [left, right, top, bottom]) {
    const [w, h] = [canvas.clientWidth, canvas.clientHeight];
    context.font = "600 15px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 3;
    context.strokeStyle = "#000";
    context.fillStyle = "#ffd34d";
    for (const [text, px, py] of [
      [left, 11, h / 2], [right, w - 11, h / 2], [top, w / 2, 12], [bottom, w / 2, h - 12],
    ]) {
      context.strokeText(text, px, py);
      context.fillText(text, px, py);
    }
  }

  function draw() {
    const panes = model.get("panes");
    const view = model.get("pixels");
    const pixels = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    let start = 0;
    figures.forEach(({ canvas, caption }, number) => {
      const pane = panes[number];
      if (!pane || !canvas.clientWidth) return;
      const [width, height] = pane.pixels;
      if (start + width * height > pixels.length) return;
      paint(canvas, pane, picture(pixels, start, width, height));
      start += width * height;
      caption.textContent = pane.title;
      canvas.setAttribute("aria-label", `${pane.title}; left of the screen: ${pane.edges[0]}${KEYS}`);
    });
  }

  const watcher = new ResizeObserver(draw);
  watcher.observe(row);
  model.on("change:pixels", draw);
  model.on("change:panes", draw);
  return () => watcher.disconnect();
}
export default { render };
