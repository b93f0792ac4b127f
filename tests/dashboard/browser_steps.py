"""What tests do on a page in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

LONG = 90_000  # ms; a first start compiles everything, on a machine that may be busy
SIZES = ((1280, 800), (1920, 1080))


def wait_for_text(page: Any, selector: str, text: str) -> None:
    """Wait until a part of the page holds a text; options have spaces that break no line."""
    code = """([at, text]) =>
        document.querySelector(at)?.textContent.replace(/\u00a0/g, " ").includes(text)"""
    page.wait_for_function(code, arg=[selector, text], timeout=LONG)


def wait_for_change(page: Any, selector: str, before: str) -> None:
    code = "([at, text]) => document.querySelector(at).innerText !== text"
    page.wait_for_function(code, arg=[selector, before], timeout=LONG)


def choose_option(field: Any, text: str) -> None:
    """Choose the first option of a list with this text, once it is offered."""
    field.locator("option", has_text=text).first.wait_for(state="attached", timeout=LONG)
    # ipywidgets writes every space of an option as one that does not break.
    options = field.locator("option").all_inner_texts()
    field.select_option(label=next(o for o in options if text in o.replace("\u00a0", " ")))


def download(page: Any, press: Callable[[], None]) -> tuple[str, bytes]:
    with page.expect_download(timeout=LONG) as waiting:
        press()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


# What a click leads to may be sent with the next frame.
FRAMES = "async () => { for (let i = 0; i < 2; i += 1) await new Promise(requestAnimationFrame); }"


def settle(page: Any) -> None:
    """Wait until the page says that nothing is to come any more: no job, message or drawing."""
    page.wait_for_selector(".ld-app[data-idle]", state="attached", timeout=LONG)
    page.evaluate(FRAMES)
    page.wait_for_selector(".ld-app[data-idle=true]", state="attached", timeout=LONG)


def page_names(page: Any) -> list[str]:
    """The names of all pages, those under Tools last."""
    page.get_by_role("tab").first.wait_for(timeout=LONG)
    names = page.locator(".ld-nav :is([role=tab], [role=menuitemradio])")
    return [str(name) for name in names.evaluate_all("all => all.map((one) => one.textContent)")]


def open_tab(page: Any, name: str) -> None:
    page.get_by_role("tab").first.wait_for(timeout=LONG)
    tab = page.get_by_role("tab", name=name, exact=True)
    if tab.count() == 0:
        page.locator(".ld-nav-tools").click()
        tab = page.get_by_role("menuitemradio", name=name, exact=True)
    tab.click(timeout=LONG)
    page.get_by_role("tabpanel", name=name, exact=True).wait_for(timeout=LONG)
    settle(page)


def resize(page: Any, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function("([width]) => innerWidth === width", arg=[width])
    settle(page)


def assert_fits(page: Any, *parts: str) -> None:
    """Nothing is wider than the window, nor any of these parts."""
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for part in parts:
        box = page.locator(part).bounding_box()
        assert 0 <= box["x"] < box["x"] + box["width"] <= width, part
