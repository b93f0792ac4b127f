"""Something else than the usual on every page, and the ways it is kept and found."""

from __future__ import annotations

from typing import Any

from lesion_dash.dashboard.address import to_address
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.page_state import PageState
from lesion_dash.dashboard.pages import PAGES
from lesion_dash.dashboard.session import Session

NAMES = tuple(page.__name__.rpartition(".")[2] for page in PAGES)
BOLD = "sub-01_task-pictures_run-2_bold.nii.gz"
MASK = "sub-01_brain_mask.nii.gz"
ATLAS = "atlas//synthetic_atlas.nii.gz"

MADE: dict[str, dict[str, Any]] = {
    "compare": {"map": "std"},
    "chance": {"cohort": "b", "side": "two-sided", "permutations": 250, "seed": 9},
    "assign": {
        "source": "series",
        "file": MASK,
        "atlas": "synthetic_atlas",
        "threshold": 0.25,
        "signs": "both",
        "connectivity": 6,
        "min_size_mm3": 50.0,
        "lower_threshold": 0.5,
        "min_correlation": -0.5,
    },
    "roi": {
        "folder": "series",
        "runs": (BOLD,),
        "a": "house",
        "b": "face",
        "delay_s": 4.0,
        "repetition_time": 2.5,
        "fwhm_mm": 6.0,
        "mask": f"series//{MASK}",
        "test": "welch",
        "correction": "fdr",
        "map_key": "t",
        "threshold": -2.5,
        "threshold_side": "both",
        "steps": ('["dilate",2,"voxels",6]', '["regions","synthetic_atlas","Synthetic putamen L"]'),
        "connectivity": 6,
        "min_voxels": 4,
        "min_mm3": 30.0,
        "atlas": "synthetic_atlas",
    },
    "template": {
        "image": f"series//{MASK}",
        "template": f"series//{MASK}",
        "kind": "rigid",
        "lesion": f"series//{MASK}",
        "map": ATLAS,
        "region": "3",
        "threshold": 0.75,
        "background": "/4",
        "air": f"series//{MASK}",
        "coils": 8,
    },
    "inspect": {"file": f"series//{MASK}"},
}
"""Something else than the usual on every page."""


def open_app(root: DataRoot) -> App:
    app = App(AppContext(Session(root)))
    app.url_state.begin()
    app.context.wait()
    return app


def open_page(app: App, page: str) -> None:
    app.tabs.selected_index = NAMES.index(page)
    app.context.wait()


def arrive(app: App, text: str) -> None:
    app.url_state.bar._handle_custom_msg({"address": text}, [])
    app.context.wait()


def link_to(page: str, values: dict[str, Any]) -> str:
    return to_address(
        PageState(
            "cohort_a", "cohort_b", min_patients=4, map_key="n", page=page, inputs={page: values}
        )
    )


def find_widget(box: Any, kind: str, words: str = "") -> Any:
    """The first widget of a kind, or with words in it."""
    waiting = [box]
    while waiting:
        one = waiting.pop()
        if type(one).__name__ == kind or (words and words in str(getattr(one, "value", ""))):
            return one
        waiting += getattr(one, "children", ())
    raise AssertionError(kind or words)


def find_button(box: Any, words: str) -> Any:
    waiting = [box]
    while waiting:
        one = waiting.pop()
        if getattr(one, "description", "") == words:
            return one
        waiting += getattr(one, "children", ())
    raise AssertionError(words)


def steps_of(box: Any) -> list[str]:
    waiting, found = [box], []
    while waiting:
        one = waiting.pop()
        found += [str(option) for option in getattr(one, "options", ())]
        waiting += getattr(one, "children", ())
    return found
