// The page's choices behind the # of its address: read once, kept up to date, never sent to a server.
const PATIENCE = 1000; // ms; browsers refuse an address that changes many times a second

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

  say();
  model.on("change:text", write);
  if (isOurs) window.addEventListener("hashchange", say);
  window.addEventListener("ld-back", tellBack);
  return () => {
    window.removeEventListener("hashchange", say);
    window.removeEventListener("ld-back", tellBack);
  };
}
export default { initialize };
