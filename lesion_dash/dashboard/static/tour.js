// A tour: a small dialog beside one control after the other. Nothing is blocked; Escape ends it.
const KEY = "lesion-dash-tour";
const GAP = 10, EDGE = 8; // px beside the control, and from the edge of the window
const PATIENCE = 120; // looks for the first control, a quarter of a second apart
let isOffered = false; // once for each page, however often the widget is drawn
// Read now, before the page writes its own choices there: whether a link with choices was opened.
const isShared = document.body.dataset.voila !== undefined && window.location.hash.includes("=");

const wasSeen = () => {
  try { return localStorage.getItem(KEY) !== null; } catch { return true; } // it could not be remembered
};
const remember = () => {
  try { localStorage.setItem(KEY, "seen"); } catch { /* a browser that keeps nothing */ }
};

function render({ model, el }) {
  const button = add(el, "button", "ld-menu-button", "Tour");
  Object.assign(button, { type: "button", title: "Five steps through the first page" });
  let dialog = null, step = 0, marked = null, before = null, places = [];

  function add(parent, tag, name, text = "") {
    const made = document.createElement(tag);
    made.className = name;
    made.textContent = text;
    return parent.appendChild(made);
  }

  const app = () => el.closest(".ld-app");

  function target({ place, label }) {
    const part = app()?.querySelector(place);
    const fields = label ? [...(part?.querySelectorAll(".ld-field") ?? [])] : [];
    const found = fields.find((one) => one.querySelector(".ld-label")?.textContent.includes(label)) ?? part;
    return found?.offsetParent ? found : null;
  }

  // From any page: Python opens the first, where the steps are.
  function start(looks = 0) {
    if (dialog) return close();
    if (!target(model.get("steps")[0]) && looks < PATIENCE) {
      if (looks === 0) model.send({ type: "start" });
      return setTimeout(start, 50, looks + 1);
    }
    open();
  }

  function open() {
    before = document.activeElement;
    places = [];
    for (let part = app(); part; part = part.parentElement) places.push([part, part.scrollTop]);
    dialog = add(app(), "div", "ld-tour");
    dialog.setAttribute("role", "dialog");
    dialog.setAttribute("aria-labelledby", "ld-tour-title");
    dialog.setAttribute("aria-describedby", "ld-tour-text");
    const head = add(dialog, "div", "ld-tour-head");
    const title = add(head, "h2", "", "");
    title.id = "ld-tour-title";
    const text = add(dialog, "p", "");
    text.id = "ld-tour-text";
    const foot = add(dialog, "div", "ld-tour-foot");
    const count = add(foot, "span", "ld-tour-count");
    const press = (words, action) => {
      const made = add(foot, "button", "jupyter-widgets jupyter-button ld-button", words);
      made.type = "button";
      made.addEventListener("click", action);
      return made;
    };
    const end = press("End tour", close);
    const back = press("Back", () => go(step - 1));
    const next = press("Next", () => go(step + 1));
    dialog.parts = { title, text, count, end, back, next };
    document.addEventListener("keydown", keys);
    window.addEventListener("resize", lay);
    document.addEventListener("scroll", lay, true);
    go(0);
  }

  function go(number) {
    const steps = model.get("steps");
    if (number < 0) return;
    if (number >= steps.length) {
      close();
      for (const [part, top] of places) part.scrollTop = top; // where the tour began
      return;
    }
    step = number;
    const { title, text, count, back, next, end } = dialog.parts;
    title.textContent = steps[step].title;
    text.textContent = steps[step].text;
    count.textContent = `${step + 1} of ${steps.length}`;
    back.disabled = step === 0;
    const isLast = step === steps.length - 1;
    next.textContent = isLast ? "Done" : "Next";
    end.hidden = isLast;
    marked?.classList.remove("ld-tour-here");
    marked = target(steps[step]);
    marked?.classList.add("ld-tour-here");
    marked?.scrollIntoView({ block: "nearest" });
    lay();
    next.focus({ preventScroll: true });
  }

  // Beside the control: on the right, the left, below or above, where there is room.
  function lay() {
    const { offsetWidth: width, offsetHeight: height } = dialog;
    const [wide, high] = [document.documentElement.clientWidth, window.innerHeight];
    const box = marked?.getBoundingClientRect() ?? { left: wide / 2, right: wide / 2, top: 60, bottom: 60 };
    const limit = (value, most) => Math.max(EDGE, Math.min(value, most - EDGE));
    let x = limit(box.left, wide - width), y = limit(box.top, high - height);
    if (box.right + GAP + width < wide) x = box.right + GAP;
    else if (box.left - GAP - width > 0) x = box.left - GAP - width;
    else if (box.bottom + GAP + height < high) y = box.bottom + GAP;
    else y = limit(box.top - GAP - height, high - height);
    // A part of the page above may be what “fixed” is measured from.
    Object.assign(dialog.style, { left: "0", top: "0" });
    const zero = dialog.getBoundingClientRect();
    Object.assign(dialog.style, { left: `${x - zero.left}px`, top: `${y - zero.top}px` });
  }

  function keys(event) {
    if (event.key === "Escape") {
      event.preventDefault();
      close();
    } else if (dialog.contains(event.target)) {
      if (event.key === "ArrowRight") go(Math.min(step + 1, model.get("steps").length - 1));
      if (event.key === "ArrowLeft") go(step - 1);
    }
  }

  function close() {
    if (!dialog) return;
    const hadFocus = dialog.contains(document.activeElement);
    document.removeEventListener("keydown", keys);
    window.removeEventListener("resize", lay);
    document.removeEventListener("scroll", lay, true);
    marked?.classList.remove("ld-tour-here");
    dialog.remove();
    dialog = marked = null;
    remember();
    if (hadFocus) (before?.isConnected && before !== document.body ? before : button).focus();
  }

  // On first use: when there is something to point to, and nobody has begun with something else.
  function offer(looks) {
    if (isShared || wasSeen() || dialog || looks > PATIENCE || !el.isConnected) return;
    if (target(model.get("steps")[0])) return open();
    setTimeout(offer, 250, looks + 1);
  }

  button.addEventListener("click", () => start());
  if (!isOffered) {
    isOffered = true;
    setTimeout(offer, 250, 0);
  }
  return close;
}
export default { render };
