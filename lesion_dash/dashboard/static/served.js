// A widget's script from the server that gave the page: the browser keeps it for the next one.
// Each widget of a page has a copy of its own, as ipyniivue's script knows one canvas only.
const numbers = (window.lesionDashScripts ??= {});
const number = (numbers["NAME"] = (numbers["NAME"] ?? 0) + 1);
const base = document.body.dataset.baseUrl.replace(/voila\/$/, "");
const address = new URL(`${base}scripts/NAME?${number}`, location.href).href;
// A browser does not ask again for what has failed once, unless its address is another.
const script = await import(address).catch(() => import(`${address}again`));
export default script.default;
