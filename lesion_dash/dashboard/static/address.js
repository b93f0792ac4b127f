// The page's choices behind the # of its address: read once, kept up to date, never sent to a server.
const PATIENCE = 1000; // ms; browsers refuse an address that changes many times a second
const LOOK = 20, LONGEST = 60000; // ms

// What the kernel tells a widget that is not there yet is lost for good, as when the script of sliders
// comes later than this one: it must not begin before all widgets are there.
function whenAllAreThere(go) {
  const began = performance.now();
  (function look() {
    const isThere = window.jupyterapp?.widgetManager?.restoredStatus;
    if (isThere || performance.now() - began > LONGEST) go();
    else setTimeout(look, LOOK);
  })();
}

function initialize({ model }) {
  // In JupyterLab the address is not ours.
  const isOurs = document.body.dataset.voila !== undefined;
  const told = () => (isOurs ? window.location.hash.slice(1) : "");
  const say = () => model.send({ address: told() });

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

  // The connection was made anew: what was sent to the page meanwhile did not arrive.
  const tellBack = () => model.send({ back: true });

  if (isOurs) whenAllAreThere(say);
  else say();
  model.on("change:text", write);
  if (isOurs) window.addEventListener("hashchange", say);
  window.addEventListener("ld-back", tellBack);
  return () => {
    window.removeEventListener("hashchange", say);
    window.removeEventListener("ld-back", tellBack);
  };
}
export default { initialize };
