// A widget's script from the server that gave the page: the browser keeps it for the next one.
const PAUSES = [0, 500, 2000, 8000]; // ms before each attempt
const MISSING = "This part of the page did not load: reload the page.";
const base = document.body.dataset.baseUrl.replace(/voila\/$/, "");
const address = new URL(`${base}scripts/NAME`, location.href).href;

// A browser does not ask again for what has failed once, unless its address is another.
async function fetched() {
  for (const pause of PAUSES) {
    await new Promise((done) => setTimeout(done, pause));
    const found = await import(pause ? `${address}?${pause}` : address).catch(() => null);
    if (found) return found.default;
  }
  return { render: tell };
}

// A widget without a script would hold back what the kernel says to all others.
function tell({ model, el }) {
  el.textContent = MISSING;
  Object.assign(el.style, { background: "Canvas", color: "CanvasText", padding: "8px" });
  if (model.get("painted") !== false) return;
  model.set("painted", true); // what waits for the brain need wait no longer
  model.save_changes();
}

export default await fetched();
