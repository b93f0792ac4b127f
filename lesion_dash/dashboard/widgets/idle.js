// Tells, as data-idle of the dashboard, whether anything is still to come: jobs and delays of the
// kernel, messages it has not dealt with, delays of scripts here (an event "ld-busy" with +1 or −1),
// widgets that are being made, and changes of the page itself.
const CALM = 100; // ms without a change; longer than any two steps of one redraw are apart

function render({ model, el }) {
  const unanswered = new Set();
  let app = null, kernel = null, delays = 0, timer = null, turn = 0;

  const models = () => [...(window.jupyterapp?.widgetManager?._modelsSync?.values() ?? [])];
  const isBusy = () => model.get("busy") || unanswered.size > 0 || delays > 0;
  const set = (isIdle) => {
    if (app && app.dataset.idle !== String(isIdle)) app.dataset.idle = String(isIdle);
  };

  function stir() {
    turn += 1;
    set(false);
    clearTimeout(timer);
    timer = setTimeout(rest, CALM);
  }

  async function rest() {
    const mine = turn;
    if (isBusy()) return; // its end stirs again
    await Promise.allSettled(models().flatMap((one) => [one.state_change, ...Object.values(one.views ?? {})]));
    await new Promise(requestAnimationFrame);
    if (mine === turn && !isBusy()) set(true);
  }

  function sent(_, { msg, direction }) {
    if (direction !== "send" || msg.header.msg_type !== "comm_msg") return;
    unanswered.add(msg.header.msg_id);
    stir();
  }

  // After all messages that came before it were dealt with here.
  function heard(_, msg) {
    if (msg.header.msg_type !== "status" || msg.content.execution_state !== "idle") return;
    if (unanswered.delete(msg.parent_header.msg_id)) stir();
  }

  // What was on its way when the connection broke gets no answer, or is sent again.
  function connected() {
    unanswered.clear();
    stir();
  }

  const delayed = (event) => { delays += event.detail; stir(); };
  const watcher = new MutationObserver((changes) => {
    const isOwn = ({ target, attributeName }) => target === app && attributeName === "data-idle";
    if (!changes.every(isOwn)) stir();
  });
  const waiting = setTimeout(() => {
    app = el.closest(".ld-app");
    kernel = window.jupyterapp?.widgetManager?.kernel;
    kernel?.anyMessage.connect(sent);
    kernel?.iopubMessage.connect(heard);
    kernel?.connectionStatusChanged.connect(connected);
    if (app) watcher.observe(app, { childList: true, subtree: true, attributes: true, characterData: true });
    stir();
  }, 0);
  document.addEventListener("ld-busy", delayed);
  model.on("change:busy", stir);
  return () => {
    clearTimeout(waiting);
    clearTimeout(timer);
    watcher.disconnect();
    kernel?.anyMessage.disconnect(sent);
    kernel?.iopubMessage.disconnect(heard);
    kernel?.connectionStatusChanged.disconnect(connected);
    document.removeEventListener("ld-busy", delayed);
    model.off("change:busy", stir);
  };
}
export default { render };
