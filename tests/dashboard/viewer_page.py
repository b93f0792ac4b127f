"""A viewer on a page of its own, without kernel and server: what a browser makes of its state."""

from __future__ import annotations

import json
from typing import Any

from browser_steps import LONG

from lesion_dash.dashboard.scripts import viewer_script
from lesion_dash.dashboard.widgets.viewer import Viewer

ADDRESS = "http://127.0.0.1:9/"  # which nobody is asked for: all of it is answered here

# Stands for Jupyter's models: what is set is kept, and what is saved is told.
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Viewer</title>
<style>
body { margin: 0; font-family: sans-serif }
#here { height: 620px; display: flex }
#here > div { flex: 1 1 0 }
CSS</style><main id="here"></main>
<script type="module">
class Model {
  constructor(state) {
    Object.assign(this, { state, heard: {}, saved: [], widget_manager: manager });
  }
  get(name) { return this.state[name]; }
  set(name, value) {
    if (JSON.stringify(this.state[name]) === JSON.stringify(value)) return;
    this.state[name] = value;
    (this.heard[`change:${name}`] ?? []).forEach((action) => action());
  }
  save_changes() { this.saved.push(structuredClone(this.state)); }
  on(name, action) { (this.heard[name] ??= []).push(action); }
  off(name, action) { this.heard[name] = (this.heard[name] ?? []).filter((one) => one !== action); }
}
const models = {};
const manager = { get_model: async (id) => models[id] ??= await fetched(id) };
async function fetched(id) {
  const state = await (await fetch(`/state/${id}`)).json();
  if ("content" in state) state.content = await (await fetch(`/content/${id}`)).arrayBuffer();
  return new Model(state);
}
window.viewers = [];
const { default: widget } = await import("/viewer.js");
window.models = models;
window.Model = Model;
window.show = async (id) => {
  const el = document.createElement("div");
  document.getElementById("here").append(el);
  const model = await manager.get_model(id);
  const cleanup = widget.render({ model, el });
  window.viewers.push(el.firstChild.viewer);
};
window.isReady = true;
</script></html>"""


class ViewerPage:
    """Shows viewers in a page of a browser.

    Parameters
    ----------
    page : playwright.sync_api.Page
    *viewers : Viewer
    """

    def __init__(self, page: Any, *viewers: Viewer, css: str = "") -> None:
        self.page, self.viewers = page, viewers
        self._css = css + viewers[0]._css
        page.route(f"{ADDRESS}**", self._answer)
        page.goto(ADDRESS)
        page.wait_for_function("window.isReady", timeout=LONG)
        for viewer in viewers:
            page.evaluate("(id) => window.show(id)", viewer.model_id)
        for number in range(len(viewers)):
            self.wait(number)

    def _answer(self, route: Any) -> None:
        kind, _, name = route.request.url.removeprefix(ADDRESS).partition("/")
        if kind == "":
            route.fulfill(body=_PAGE.replace("CSS", self._css), content_type="text/html")
        elif kind == "viewer.js":
            route.fulfill(body=viewer_script(), content_type="text/javascript")
        elif kind in ("state", "content"):
            widget = _widgets()[name]
            state = widget.get_state()
            content = state.pop("content", None)
            if content is not None:
                state["content"] = None
            if kind == "state":
                route.fulfill(body=json.dumps(state), content_type="application/json")
            else:
                route.fulfill(body=bytes(content), content_type="application/octet-stream")
        else:
            route.abort()

    def wait(self, number: int = 0, painted: int = 1) -> None:
        """Wait until a viewer was painted so often."""
        code = """([number, painted]) => {
          const root = document.querySelectorAll(".ld-viewer-root")[number];
          return Number(root?.dataset.painted ?? 0) >= painted;
        }"""
        self.page.wait_for_function(code, arg=[number, painted], timeout=LONG)

    def set(self, name: str, value: Any, number: int = 0) -> None:
        """Set a trait of a viewer, as the kernel would."""
        self._set(self.viewers[number], name, value)

    def show(self, *layers: Any) -> None:
        """Let the first viewer show layers, as the kernel would."""
        viewer = self.viewers[0]
        viewer.show(*layers)
        self.set("layers", viewer.get_state("layers")["layers"])
        self.page.wait_for_function(
            "(titles) => String(window.viewers[0].picture.layers.map((l) => l.title)) === titles",
            arg=",".join(data.facts["title"] for data in viewer.layers[1:]),
            timeout=LONG,
        )
        self.settle()

    def change(self, name: str, value: Any, widget: Any = None) -> None:
        """Set a trait of a widget, by default the first viewer, and wait until all is drawn."""
        self._set(widget or self.viewers[0], name, value)
        self.settle()

    def type(self, label: str, text: str) -> None:
        """Type into a field, and wait until all is drawn."""
        field = self.page.get_by_label(label, exact=True)
        field.fill(text)
        field.press("Enter")
        self.settle()

    def slide(self, label: str, value: float) -> None:
        """Put a slider of the viewer somewhere."""
        code = """(node, value) => {
          node.value = value;
          node.dispatchEvent(new Event("input", { bubbles: true }));
        }"""
        self.page.get_by_label(label, exact=True).evaluate(code, value)

    def open_display(self) -> None:
        """Open the menu of what is seldom changed."""
        self.page.get_by_text("Display", exact=True).click()

    def settle(self) -> None:
        """Wait until nothing is left to be drawn."""
        code = """async () => {
          await Promise.all(window.viewers.map((viewer) => viewer.done()));
          for (let turn = 0; turn < 2; turn += 1) await new Promise(requestAnimationFrame);
        }"""
        self.page.evaluate(code)

    def get(self, name: str, number: int = 0) -> Any:
        """A trait as the page has it."""
        code = "([id, name]) => window.models[id].get(name)"
        return self.page.evaluate(code, [self.viewers[number].model_id, name])

    def _set(self, widget: Any, name: str, value: Any) -> None:
        code = "([id, name, value]) => window.models[id].set(name, value)"
        self.page.evaluate(code, [widget.model_id, name, value])


def _widgets() -> dict[str, Any]:
    from ipywidgets.widgets.widget import _instances

    return dict(_instances)
