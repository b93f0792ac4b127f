// The page's choices behind the # of its address: read once, kept up to date, never sent to a server.
const PATIENCE = 1000; // ms; browsers refuse an address that changes many times a second
const LOOK = 20, LONGEST = 20000; // ms

function initialize({ model }) {
  // In JupyterLab the address is not ours.
  const isOurs = document.body.dataset.voila !== undefined;
  const told = () => (isOurs ? window.location.hash.slice(1) : "");
  let isBegun = false, timer = null;
  const say = () => { if (isBegun) model.send({ address: told() }); };
  const begin = () => { isBegun = true; say(); };

  // What the kernel tells a widget that is not there yet is lost for good, as when the code of sliders
  // comes later than this: nothing is asked of it before all their models are there.
  const opened = performance.now();
  function look() {
    const isThere = !isOurs || window.jupyterapp?.widgetManager?.restoredStatus;
    if (isThere || performance.now() - opened > LONGEST) begin();
    else timer = setTimeout(look, LOOK);
  }

  function write() {
    const text = model.get("text");
    if (!isOurs || text === told()) return;
    const { pathname, search } = window.location;
    try {
      window.history.replaceState(window.history.state, "", pathname + search + (text && `#${text}`));
    } catch {
      setTimeout(write, PATIENCE);
    }
  }

  look();
  model.on("change:text", write);
  if (isOurs) window.addEventListener("hashchange", say);
  return () => {
    clearTimeout(timer);
    window.removeEventListener("hashchange", say);
  };
}
export default { initialize };
