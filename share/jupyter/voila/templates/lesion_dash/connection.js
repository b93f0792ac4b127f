// Says when the kernel or the server behind the page is gone, and offers the way back; what was chosen
// meanwhile is sent again. Nothing here talks to the kernel unless a connection was made anew, so that
// a page nobody looks at is still culled.
(() => {
  const GRACE = 2500; // ms that a connection may be away before a word is said of it
  const BEAT = 30000; // ms between looks at the server while all is well
  const RETRY = 4000; // ms between looks while it is not
  const PATIENCE = 60000; // ms in which the page should have opened
  const ENDED = ["autorestarting", "restarting", "terminating", "dead"];
  const SAID = {
    silent: [
      "The dashboard does not answer: what is shown stays. What you choose now is followed once it " +
        "answers; press buttons again then.",
      "Reconnect",
    ],
    ended: ["The computation behind this page has ended: reload the page to go on.", "Reload"],
    unopened: ["The dashboard did not open: reload the page, or ask whoever runs it.", "Reload"],
  };

  const bar = document.getElementById("ld-lost");
  const [words, button] = bar.children;
  const base = document.body.dataset.baseUrl.replace(/voila\/$/, "");
  let kernel = null, away = null, timer = null, turn = 0;
  let hasBegun = false, hasEnded = false, hasFailed = false, isLeaving = false, wasSilent = false;
  const unheard = new Map(); // choices the kernel has not dealt with: message, and widget and names

  const script = () => document.querySelector('script[src$="/voila.js"]');
  const OPEN = ".ld-app .ld-card, .ld-banner, .jp-OutputArea-output pre";
  const isOpen = () => document.querySelector(OPEN);
  const isOff = () => kernel && kernel.connectionStatus !== "connected";

  function show(what) {
    const [sentence, label] = SAID[what] ?? ["", ""];
    document.documentElement.classList.toggle("ld-stopped", what === "unopened");
    if (words.textContent !== sentence) {
      words.textContent = sentence;
      button.textContent = label;
    }
    bar.hidden = !sentence;
  }

  async function ask(method, address) {
    try {
      const settings = { method, cache: "no-store", signal: AbortSignal.timeout(8000) };
      return (await fetch(address, settings)).status;
    } catch {
      return 0;
    }
  }

  // Below 500: a proxy in front of a server that is gone answers for it.
  const answers = (status) => status > 0 && status < 500;

  // A file that every Voila has, without its content.
  const reach = async () => !script() || answers(await ask("HEAD", script().src));

  async function look() {
    clearTimeout(timer);
    const mine = ++turn;
    const found = hasEnded ? "ended" : await judge();
    if (isLeaving || mine !== turn) return; // a newer look knows better
    show(found);
    timer = setTimeout(look, found ? RETRY : BEAT);
  }

  async function judge() {
    if (!document.hidden && !(await reach())) {
      wasSilent = true;
      return "silent";
    }
    if (!isOpen() && (hasFailed || performance.now() > PATIENCE)) return "unopened";
    // A first connection may take its time on a busy computer: another one would only end it.
    if (!isOff() && wasSilent && hasBegun) {
      // The network was away: a connection that seems open may lead nowhere.
      wasSilent = false;
      kernel.reconnect().catch(() => {});
      return "silent";
    }
    if (!isOff() || !hasBegun) return "";
    if (performance.now() - away < GRACE) return bar.hidden ? "" : "silent";
    const status = await ask("GET", `${base}api/kernels/${kernel.id}`);
    if (!answers(status)) return "silent";
    if (status >= 400) {
      hasEnded = true;
      return "ended";
    }
    kernel.reconnect().catch(() => {}); // looked at again soon
    return "silent";
  }

  // Notes every choice until the kernel has dealt with it.
  function listen(_, { msg, direction }) {
    const { comm_id, data, execution_state } = msg.content ?? {};
    if (direction === "send" && msg.header.msg_type === "comm_msg" && data?.method === "update") {
      unheard.set(msg.header.msg_id, [comm_id, Object.keys(data.state)]);
    } else if (direction === "recv" && execution_state === "idle") {
      unheard.delete(msg.parent_header.msg_id);
    }
  }

  // The choices that never arrived, or may not have, each with its widget. A widget whose message was
  // lost would wait for the answer for ever, and keep back every later choice: it is set free.
  function takeMissed(models) {
    const queued = new Set((kernel._pendingMessages ?? []).map((msg) => msg.header.msg_id));
    const waiting = new Map(), missed = new Map();
    const add = (id, names) => missed.set(id, [...(missed.get(id) ?? []), ...names]);
    for (const [message, [id, names]] of [...unheard]) {
      if (queued.has(message)) {
        waiting.set(id, (waiting.get(id) ?? 0) + 1); // it is sent now
      } else {
        unheard.delete(message);
        add(id, names);
      }
    }
    for (const [id, model] of models) {
      const due = waiting.get(id) ?? 0;
      if (model._pending_msgs === due) continue;
      add(id, Object.keys(model._msg_buffer ?? {}));
      Object.assign(model, { _pending_msgs: due, _msg_buffer: null });
      model._expectedEchoMsgIds?.clear?.(); // these echoes do not come
    }
    return [...missed].filter(([id]) => models.has(id)).map(([id, names]) => {
      const model = models.get(id);
      return [model, Object.fromEntries(names.map((name) => [name, model.get(name)]))];
    });
  }

  // After every new connection the widgets take what the kernel knows, also of what was chosen while
  // it was not heard; then that is chosen again.
  async function catchUp() {
    const manager = window.jupyterapp?.widgetManager;
    if (!manager?._modelsSync) return;
    const missed = takeMissed(manager._modelsSync);
    await kernel.requestKernelInfo();
    for (let i = 0; manager._kernelRestoreInProgress && i < 100; i++) {
      await new Promise((done) => setTimeout(done, 100));
    }
    for (const [model, values] of missed) {
      model.set(values);
      model.save(values, { patch: true });
    }
  }

  function follow(found) {
    kernel = found;
    kernel.anyMessage.connect(listen);
    const changed = () => {
      if (!isOff()) {
        if (hasBegun) catchUp().catch(() => {}); // where that fails, the connection broke again
        hasBegun = true;
        away = null;
        look();
      } else if (away === null) {
        away = performance.now();
        setTimeout(look, GRACE);
      }
    };
    kernel.connectionStatusChanged.connect(changed);
    changed();
    kernel.statusChanged.connect((_, status) => {
      // A kernel that was started anew knows nothing of this page, however well it is.
      hasEnded = hasEnded || ENDED.includes(status);
      if (hasEnded) look();
    });
  }

  button.addEventListener("click", async () => {
    button.disabled = true;
    // A reload while nothing answers would take away what is shown.
    if (await reach()) {
      if (words.textContent === SAID.silent[0]) await look();
      else window.location.reload();
    }
    button.disabled = false;
  });

  const waiting = setInterval(() => {
    const found = window.jupyterapp?.widgetManager?.kernel;
    if (found) {
      clearInterval(waiting);
      follow(found);
    }
  }, 250);
  // A page whose end never came, or whose script did not.
  const fail = () => { hasFailed = true; look(); };
  window.addEventListener("load", () => { if (!script()) fail(); });
  window.addEventListener("error", (event) => { if (event.target === script()) fail(); }, true);
  for (const name of ["online", "offline"]) window.addEventListener(name, look);
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", () => { isLeaving = true; clearTimeout(timer); });
  window.addEventListener("pageshow", () => { isLeaving = false; look(); });
})();
