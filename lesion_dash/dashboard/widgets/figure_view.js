// A figure drawn in Python, at the size at which it is shown here; where it is small, a button.
const QUIET = 150; // ms; a window that is being resized asks for no figure at each step

function render({ model, el }) {
  const isSmall = model.get("is_small");
  const frame = el.appendChild(document.createElement(isSmall ? "button" : "div"));
  frame.className = "ld-figure-view";
  const image = frame.appendChild(document.createElement("img"));
  const words = frame.appendChild(document.createElement("p"));
  if (isSmall) {
    Object.assign(frame, { type: "button", title: "Enlarge the figure" });
    frame.addEventListener("click", () => model.send({ enlarge: true }));
  }
  let address = "", timer = null, told = "";

  function paint() {
    const png = model.get("png"), isThere = png.byteLength > 0;
    if (address) URL.revokeObjectURL(address);
    address = isThere ? URL.createObjectURL(new Blob([png], { type: "image/png" })) : "";
    if (isThere) image.src = address;
    else image.removeAttribute("src");
    image.alt = model.get("alt");
    image.hidden = !isThere;
  }

  function say() {
    words.textContent = model.get("message");
    words.hidden = !model.get("message");
    frame.classList.toggle("ld-busy", model.get("busy"));
  }

  function wait(next) {
    const busy = (step) => document.dispatchEvent(new CustomEvent("ld-busy", { detail: step }));
    if (!timer !== !next) busy(next ? 1 : -1); // see idle.js
    clearTimeout(timer);
    timer = next;
  }

  // Nothing is told while it is hidden: then another view of the figure is seen.
  function measure() {
    wait(null);
    const size = [frame.clientWidth, frame.clientHeight].map(Math.round);
    const is_sharp = window.devicePixelRatio > 1;
    const now = [...size, is_sharp].join();
    if (now === told) return;
    told = now;
    model.send({ size, is_sharp });
  }
  const sizes = new ResizeObserver(() => {
    wait(setTimeout(measure, told ? QUIET : 0));
  });
  sizes.observe(frame);
  model.on("change:png change:alt", paint);
  model.on("change:message change:busy", say);
  paint();
  say();
  return () => {
    wait(null);
    sizes.disconnect();
    if (address) URL.revokeObjectURL(address);
  };
}
export default { render };
