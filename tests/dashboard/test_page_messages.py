"""What a page sends to widgets: whatever is not listed is dropped, and no file comes back."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1
from served_dashboard import Served, kernel_of, message, serving

from lesion_dash.dashboard.page_messages import INPUTS, permitted
from lesion_dash.dashboard.widgets.viewer import LayerData, Viewer

CONTENT = "what-only-the-account-may-read"
NAN, INF = float("nan"), float("inf")
State = dict[str, Any]


class Page:
    """A page that sends what no browser would, and keeps all that it is sent."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.received: list[bytes] = []

    async def send(self, kind: str, content: State, **more: Any) -> None:
        await self._connection.write_message(message(kind, content, **more), binary=True)

    async def settle(self) -> None:
        """Hear until the kernel is done with all that was sent."""
        await self.send("comm_info_request", {})
        # The kernel takes messages in order, and what it sends on this channel is in order too.
        while not is_done(await self._hear(), "comm_info_request"):
            pass

    async def _hear(self) -> bytes:
        raw: bytes | None = await self._connection.read_message()
        assert raw is not None, "the connection was closed"
        self.received.append(raw)
        return raw

    async def update(self, model_id: str, state: State) -> None:
        data = {"method": "update", "state": state, "buffer_paths": []}
        await self.send("comm_msg", {"comm_id": model_id, "data": data})

    async def custom(self, model_id: str, content: Any) -> None:
        data = {"method": "custom", "content": content}
        await self.send("comm_msg", {"comm_id": model_id, "data": data})

    async def states(self) -> dict[str, State]:
        """The state of every widget, by its id."""
        control = uuid.uuid4().hex
        opened = {"comm_id": control, "target_name": "jupyter.widget.control", "data": {}}
        await self.send("comm_open", opened, version="1.0.0")
        await self.settle()
        before = len(self.received)
        request = {"comm_id": control, "data": {"method": "request_states"}}
        await self.send("comm_msg", request)
        await self.settle()
        for raw in self.received[before:]:
            _, parts = deserialize_msg_from_ws_v1(raw)
            data = json.loads(parts[3]).get("data", {})
            if data.get("method") == "update_states":
                return {key: held["state"] for key, held in data["states"].items()}
        raise AssertionError("no states were sent")


def is_done(raw: bytes, kind: str) -> bool:
    """Whether a message says that the kernel is done with a message of this kind."""
    _, parts = deserialize_msg_from_ws_v1(raw)
    header, parent, _, content = (json.loads(part) for part in parts[:4])
    is_idle = header["msg_type"] == "status" and content["execution_state"] == "idle"
    return is_idle and parent.get("msg_type") == kind


@pytest.fixture(scope="module")
def served(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "secret").write_text(CONTENT)
    # What the kernel may not open at all would prove nothing of the messages.
    with serving(folder, sample_data, LESION_DASH_READABLE=str(folder)) as dashboard:
        yield dashboard


@asynccontextmanager
async def visit(served: Served, opens_tabs: bool = False) -> AsyncIterator[Page]:
    """A page, with all its tabs opened where each of their widgets is to be tried."""
    kernel = kernel_of(served.open_page())
    try:
        async with served.connect(kernel, Cookie=served.cookie) as connection:
            page = Page(connection)
            if opens_tabs:
                states = await page.states()
                tabs = [key for key, state in states.items() if len(state.get("titles", ())) > 4]
                for index in range(len(states[tabs[0]]["titles"])):
                    await page.update(tabs[0], {"selected_index": index})
            await page.settle()
            yield page
    finally:
        served.end(kernel)


def kind_of(state: State) -> str:
    """Module and class of a widget of anywidget's, else its model's name."""
    return str(state.get("_anywidget_id") or state["_model_name"])


def events_of(kind: str) -> set[str]:
    """Every word in the module of a widget that could be the name of an event."""
    module = kind.rpartition(".")[0]
    if not module:
        return {"click", "submit"}
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    handlers = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and ("custom" in node.name or "received" in node.name or node.name.startswith("on_"))
    ]
    names = {
        node.value
        for handler in handlers
        for node in ast.walk(handler)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {name for name in names if re.fullmatch("[a-z_]{3,30}", name)}


def walk(states: dict[str, State], place: str) -> Iterator[tuple[str, str, Any]]:
    """Every synced trait of every widget set to a place outside, every event sent with it."""
    seen: set[tuple[str, str]] = set()
    for model_id, state in states.items():
        if state["_model_name"] == "LayoutModel" or "StyleModel" in state["_model_name"]:
            continue
        kind = kind_of(state)
        for trait in state:
            if (kind, trait) not in seen:
                yield "update", model_id, {trait: place}
            seen.add((kind, trait))
        if (kind, "") in seen:
            continue
        seen.add((kind, ""))
        for event in sorted(events_of(kind)):
            yield "custom", model_id, {"event": event, "type": event, "data": {"path": place}}


def test_no_trait_and_no_event_brings_a_file(served: Served) -> None:
    secret = str(served.log.parent / "secret")

    async def probe() -> tuple[list[bytes], dict[str, State], dict[str, State]]:
        async with visit(served, opens_tabs=True) as page:
            before = await page.states()
            assert any("Viewer" in kind_of(state) for state in before.values())
            for method, model_id, sent in walk(before, secret):
                await getattr(page, method)(model_id, sent)
            return page.received, before, await page.states()

    received, before, after = asyncio.run(asyncio.wait_for(probe(), 600))
    assert not any(CONTENT.encode() in raw for raw in received)
    holders = {
        (kind_of(state), trait)
        for model_id, state in after.items()
        for trait, value in state.items()
        if value == secret and before.get(model_id, {}).get(trait) != secret
    }
    assert holders <= {("TextModel", "value")}
    assert "Traceback" not in served.log.read_text()
    assert not any(b'"traceback"' in raw for raw in received)


def test_a_page_makes_no_widgets(served: Served) -> None:
    kinds = [
        kind
        for kind in vars(widgets).values()
        if isinstance(kind, type) and issubclass(kind, widgets.Widget)
    ]

    async def probe() -> set[str]:
        async with visit(served) as page:
            before = await page.states()
            for kind in kinds:
                names = ("_model_module", "_model_module_version", "_model_name")
                names += ("_view_module", "_view_module_version", "_view_name")
                state = {name: kind.class_traits()[name].default() for name in names}
                data = {"state": state, "buffer_paths": []}
                opened = {"comm_id": uuid.uuid4().hex, "target_name": "jupyter.widget"}
                await page.send("comm_open", opened | {"data": data}, version="2.1.0")
            return set(await page.states()) - set(before)

    assert asyncio.run(asyncio.wait_for(probe(), 120)) == set()


def test_a_buffer_sets_no_trait() -> None:
    # ipywidgets puts a buffer where its path says, whatever the state names.
    sent = {"method": "update", "state": {"painted": True}, "buffer_paths": [["page"]]}
    passed, dropped = permitted(Viewer, sent)
    assert passed == {"method": "update", "state": {"painted": True}}
    assert dropped == ["buffer_paths"]


def test_the_log_names_what_was_dropped_once_and_bounded(served: Served) -> None:
    async def probe() -> None:
        async with visit(served) as page:
            states = await page.states()
            viewer = next(key for key, held in states.items() if kind_of(held).endswith("Viewer"))
            for _ in range(3):
                await page.update(viewer, {"layers": []})
            for number in range(500):
                await page.update(viewer, {f"trait-{number}\nforged line": "x"})
            await page.settle()

    before = len(served.log.read_text())
    asyncio.run(asyncio.wait_for(probe(), 60))
    lines = served.log.read_text()[before:].splitlines()
    assert sum("Viewer.layers" in line for line in lines) == 1
    assert 10 < sum("dropped" in line for line in lines) < 100
    assert not any(line.startswith("forged") for line in lines)


def test_values_of_a_wrong_kind_show_no_traceback(served: Served) -> None:
    async def probe() -> list[bytes]:
        async with visit(served, opens_tabs=True) as page:
            states = await page.states()
            one_of_each = {kind_of(state): (key, state) for key, state in states.items()}
            for model_id, state in one_of_each.values():
                for trait in {"value", "index", "selected_index", "mm", "scene"} & set(state):
                    for value in ("x", None, -1, 10**400, {"a": []}, [[]]):
                        await page.update(model_id, {trait: value})
                await page.settle()
            return page.received

    before = len(served.log.read_text())
    received = asyncio.run(asyncio.wait_for(probe(), 120))
    assert not any(b'"traceback"' in raw for raw in received)
    lines = served.log.read_text()[before:].splitlines()
    assert any("TraitError" in line for line in lines)
    assert not any("Traceback" in line for line in lines)


def test_a_message_without_content_ends_the_connection(served: Served) -> None:
    kernel = kernel_of(served.open_page())
    whole = message("comm_msg", {"comm_id": "here"})
    for content in ("[]", "null", '"x"', "{", "[" * 100_000):
        broken = replace_content(whole, content.encode())
        assert served.send(kernel, broken) == (1003, "this is not a message to a kernel"), content
    served.end(kernel)


def replace_content(sent: bytes, content: bytes) -> bytes:
    """The message with other bytes in the place of its content."""
    _, parts = deserialize_msg_from_ws_v1(sent)
    body = [b"shell", *parts[:3], content]
    begins = [8 * (len(body) + 2)]
    for part in body:
        begins.append(begins[-1] + len(part))
    table = [len(begins), *begins]
    return b"".join([*(number.to_bytes(8, "little") for number in table), *body])


@pytest.mark.parametrize(
    "data",
    [
        *({}, {"method": None}, {"method": "custom"}, {"method": "request_state"}),
        *({"method": "update"}, {"method": "update", "state": ["value"]}),
        *({"method": "update", "state": {"max": 5}},),
        {"method": "custom", "content": {"event": ["click"]}},
        *({"method": "update", "state": {"value": value}} for value in (NAN, -INF, [1.0, NAN])),
    ],
)
def test_what_is_not_listed_and_what_is_no_number_is_dropped(data: State) -> None:
    assert permitted(widgets.FloatSlider, data)[0] is None


def test_of_an_event_nothing_but_its_name_is_passed_on() -> None:
    content = {"event": "click", "data": {"path": "/p"}, "extra": 1}
    passed, _ = permitted(widgets.Button, {"method": "custom", "content": content})
    assert passed == {"method": "custom", "content": {"event": "click"}}


def test_a_page_sets_no_layer_and_no_content_of_the_viewer() -> None:
    for trait in ("layers", "k_source", "page", "content", "facts", "tables", "_esm", "path"):
        passed, dropped = permitted(Viewer, {"method": "update", "state": {trait: "x"}})
        assert (passed, dropped) == (None, [trait])
    passed, _ = permitted(Viewer, {"method": "custom", "content": {"event": "add_volume"}})
    assert passed is None


def test_widgets_that_are_not_listed_take_nothing() -> None:
    for kind in (LayerData, widgets.HTML, widgets.Layout):
        for trait in kind.class_trait_names():
            passed, dropped = permitted(kind, {"method": "update", "state": {trait: "x"}})
            assert passed is None
            assert dropped == [trait] or trait in INPUTS[kind].unused


def test_every_listed_trait_is_one_of_its_class() -> None:
    for kind, allowed in INPUTS.items():
        assert allowed.traits <= set(kind.class_trait_names(sync=True)), kind
