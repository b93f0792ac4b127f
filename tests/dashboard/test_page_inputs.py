"""What is chosen on single pages comes back by a link and a file; whatever else is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visitor import Dropping, arrive, every_widget, find_button, open_app, send

from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.address import LONGEST, read_address, to_address, too_long_for
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.lab_steps import step_of, step_text
from lesion_dash.dashboard.page_inputs import INPUTS
from lesion_dash.dashboard.page_state import PageState, StateValidator, without_own
from lesion_dash.dashboard.pages import PAGES
from lesion_dash.dashboard.session_file import read_session, session_bytes
from lesion_dash.rois.recipe import InsideFile, InsideRegions, MoreIn
from lesion_dash.rois.steps import FillHoles, Morph

NAMES = tuple(page.__name__.rpartition(".")[2] for page in PAGES)
BOLD = "sub-01_task-pictures_run-2_bold.nii.gz"
MASK = "sub-01_brain_mask.nii.gz"
ATLAS = "atlas//synthetic_atlas.nii.gz"


@pytest.fixture(scope="module")
def root(sample_data: Path) -> DataRoot:
    return DataRoot(sample_data)


MADE: dict[str, dict[str, Any]] = {
    "compare": {"map": "std"},
    "chance": {"cohort": "b", "side": "two-sided", "permutations": 250, "seed": 9},
    "symptoms": {
        "cohort": "b", "score": "nihss", "covariates": ("age", "sex"), "test": "rank",
        "control": "none", "side": "smaller", "min_lesioned": 10, "permutations": 250, "seed": 9,
        "compares": True,
    },
    "assign": {
        "source": "series", "file": MASK, "atlas": "synthetic_atlas", "threshold": 0.25,
        "signs": "both", "connectivity": 6, "min_size_mm3": 50.0, "lower_threshold": 0.5,
        "min_correlation": -0.5,
    },
    "roi": {
        "folder": "series", "runs": (BOLD,), "a": "house", "b": "face", "delay_s": 4.0,
        "repetition_time": 2.5, "fwhm_mm": 6.0, "mask": f"series//{MASK}", "test": "welch",
        "correction": "fdr", "map_key": "t", "threshold": -2.5, "threshold_side": "both",
        "steps": ('["dilate",2,"voxels",6]', '["regions","synthetic_atlas","Synthetic putamen L"]'),
        "connectivity": 6, "min_voxels": 4, "min_mm3": 30.0, "atlas": "synthetic_atlas",
    },
    "template": {
        "image": f"series//{MASK}", "template": f"series//{MASK}", "kind": "rigid",
        "lesion": f"series//{MASK}", "map": ATLAS, "region": "3", "threshold": 0.75,
        "background": "/4", "air": f"series//{MASK}", "coils": 8,
    },
    "inspect": {"file": f"series//{MASK}"},
}  # fmt: skip
"""Something else than the usual on every page."""
"""Something else than the usual on every page."""


def open_page(app: App, page: str) -> Any:
    app.navigation.selected_index = NAMES.index(page)
    app.context.wait()
    return app.pages.children[app.navigation.selected_index]


def find(box: Any, kind: str, part: str = "") -> Any:
    """The first widget of a kind, or with this text in it."""
    for widget in every_widget(box):
        if type(widget).__name__ == kind or (part and part in str(getattr(widget, "value", ""))):
            return widget
    raise AssertionError(kind or part)


def steps_of(box: Any) -> str:
    return str([getattr(widget, "options", ()) for widget in every_widget(box)])


def link_to(page: str, values: dict[str, Any]) -> str:
    return to_address(
        PageState(
            "cohort_a", "cohort_b", min_patients=4, map_key="n", page=page, inputs={page: values}
        )
    )


def test_every_page_that_keeps_something_is_tried() -> None:
    assert MADE.keys() == INPUTS.keys() <= set(NAMES)


@pytest.mark.parametrize(
    ("page", "is_open"),
    [
        *((page, False) for page in MADE),
        ("assign", True),
        ("roi", True),
        ("inspect", True),
        ("symptoms", True),
    ],
    ids=lambda value: value if isinstance(value, str) else ("later", "open")[value],
)
def test_the_inputs_of_a_page_come_back(root: DataRoot, page: str, is_open: bool) -> None:
    app = open_app(root)
    if is_open:
        open_page(app, page)
        app.navigation.selected_index = 0
    arrive(app, link_to(page, MADE[page]).replace(f"&page={page}", ""))
    assert app.context.inputs.values[page] == MADE[page]
    panel = open_page(app, page)
    assert app.context.inputs.values[page] == MADE[page]
    assert app.context.banner.message == ""
    inputs = read_address(app.url_state.bar.text)["inputs"]
    assert StateValidator(root, NAMES).check({"inputs": inputs})[0].inputs[page] == MADE[page]
    if page == "chance":  # which a link does not run
        assert not find_button(panel, "Run permutation test").disabled
    # Pages of which a link says nothing stay as they are.
    other = "compare" if page != "compare" else "chance"
    arrive(app, link_to(other, MADE[other]))
    assert app.context.inputs.values[page] == MADE[page]


@pytest.mark.parametrize("page", ["chance", "assign", "roi"])
def test_a_file_brings_the_inputs_back_and_what_it_leaves_out_is_usual(
    root: DataRoot, page: str
) -> None:
    name = next(iter(MADE[page]))
    less = {name: MADE[page][name]}
    content = session_bytes(PageState("cohort_a", "cohort_b", min_patients=4, inputs={page: less}))
    app = open_app(root)
    arrive(app, link_to(page, MADE[page]))
    send(app.url_state.menu, {"type": "open", "name": "one.json"}, content)
    app.context.wait()
    values = dict(app.context.inputs.values[page])
    if page == "roi":  # the folder decides which runs and conditions are offered first
        assert values.pop("a", "") == values.pop("b", "") == ""
    assert values == less
    assert app.context.banner.message == ""
    if page == "chance":  # what is usual is not in the link
        assert "chance.cohort=b" in app.url_state.bar.text
        assert "chance.seed" not in app.url_state.bar.text


LONG = "x" * 600
REFUSED = [
    ("compare.map=overlap", "none of the choices"),
    ("chance.permutations=1e9", "not a whole number from 20 to 100,000"),
    ("chance.permutations=20.5", "not a whole number"),
    ("chance.permutations=" + "9" * 50, "not a whole number"),
    ("chance.permutations=" + "9" * 500, "not a whole number"),
    ("chance.seed=nan", "not a whole number"),
    ("chance.seed=-1", "not a whole number"),
    ("chance.side=both", "none of the choices"),
    ("assign.source=../cohort_a", "neither a map nor a folder"),
    ("assign.source=/etc", "neither a map nor a folder"),
    ("assign.source=series&assign.file=../participants.tsv", "not an image of this folder"),
    ("assign.file=sub-01_brain_mask.nii.gz", "not a folder of images"),
    ("assign.atlas=../atlas", "not an atlas"),
    ("assign.threshold=nan", "not a number from 0"),
    ("assign.threshold=inf", "not a number from 0"),
    ("assign.threshold=1e12", "not a number from 0"),
    ("assign.threshold=", "not a number from 0"),
    ("assign.connectivity=7", "none of the choices"),
    ("assign.min_correlation=2", "not a number from -1 to 1"),
    ("inspect.file=..//../etc/passwd", "not a folder of images"),
    ("inspect.file=series//../participants.tsv", "not an image of this folder"),
    ("inspect.dropped=maybe", "neither true nor false"),
    ("roi.folder=series/..", "not a folder of the data root"),
    ("roi.folder=series&roi.runs=../../../etc/passwd", "not a file of this folder"),
    ("roi.folder=series&roi.table=/etc/passwd", "not a file of this folder"),
    ("roi.runs=" + BOLD, "not a folder of images"),
    ("roi.mask=/../etc//passwd", "is not offered here"),
    ("roi.mask=.//../../etc/passwd", "not a file of this folder"),
    ("roi.column=a%00b", "letters that cannot be shown"),
    ("roi.a=%0d%0a", "letters that cannot be shown"),
    ("roi.b=" + LONG, "not text of at most"),
    ("roi.delay_s=1e9", "not a number from -60 to 60"),
    ("roi.map_key=__class__", "none of the choices"),
    ('roi.steps=["file","../../etc/passwd",0]', "not a file of this folder"),
    ('roi.steps=["regions","synthetic_atlas","nowhere"]', "does not have"),
    ('roi.steps=["regions","../atlas","x"]', "not an atlas of the data root"),
    ('roi.steps=["dilate",1e9,"voxels",6]', "not a step"),
    ('roi.steps=["dilate",NaN,"mm",6]', "not a step"),
    ('roi.steps=["dilate",1,"voxels",6,"more"]', "not a step"),
    ('roi.steps={"dilate":1}', "not a step"),
    ("roi.steps=" + "[" * 400, "not a step"),
    ("template.image=/etc", "is not offered here"),
    ("template.image=.//../secret.nii", "not a file of this folder"),
    ("template.kind=magic", "none of the choices"),
    ("template.threshold=0", "not a number from 0.01 to 1"),
    ("template.coils=1e9", "not a whole number from 1 to 1,024"),
    ("template.region=" + "3%07", "letters that cannot be shown"),
    ("template.pages=1", "not a choice of this dashboard"),
    ("os.path=1", "not a choice of this dashboard"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED, ids=[text[:24] for text, _ in REFUSED])
def test_what_cannot_be_chosen_is_told_and_the_rest_taken(
    root: DataRoot, text: str, reason: str
) -> None:
    text = text.replace('"', "%22").replace("[", "%5B").replace("{", "%7B")
    state, faults = StateValidator(root, NAMES).check(read_address(f"compare.map=mean&{text}&k=3"))
    if text.startswith("compare"):
        assert state.inputs == {}
    else:
        assert state.inputs["compare"] == {"map": "mean"}
    assert state.min_patients == 3
    assert len(faults) == 1
    assert reason in faults[0].problem
    assert len(faults[0].subject) <= 60
    assert faults[0].subject.isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda some: (
        st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=5), some, max_size=3)
    ),
    max_leaves=5,
)
PAGE_VALUES = st.sampled_from([(page, name) for page, fields in INPUTS.items() for name in fields])


@settings(max_examples=150, deadline=None)
@given(where=PAGE_VALUES, value=JSON)
def test_whatever_stands_in_a_file_is_taken_or_told(where: tuple[str, str], value: object) -> None:
    page, name = where
    state, faults = StateValidator(ROOT, NAMES).check({"inputs": {page: {name: value}}})
    taken = state.inputs.get(page, {})
    assert len(faults) + len(taken) == 1
    assert all(isinstance(fault, InputError) for fault in faults)


ROOT = DataRoot(Path(__file__).parents[3] / "sample_data")

SIMPLE = st.fixed_dictionaries(
    {"cohort": st.sampled_from(["a", "b"])},
    optional={"permutations": st.integers(20, 100_000), "seed": st.integers(0, 2**31 - 1)},
)
NUMBERS = st.fixed_dictionaries(
    {"source": st.sampled_from(["n", "mean"])},
    optional={
        "threshold": st.floats(0, 1e9),
        "min_correlation": st.floats(-1, 1),
        "connectivity": st.sampled_from([6, 18, 26]),
    },
)


@given(chance=SIMPLE, assign=NUMBERS)
def test_an_address_tells_numbers_exactly(chance: dict[str, Any], assign: dict[str, Any]) -> None:
    inputs = {"chance": chance, "assign": assign}
    text = to_address(PageState(inputs=inputs))
    assert StateValidator(ROOT, NAMES).check(read_address(text))[0].inputs == inputs


def test_a_link_counts_what_cannot_be_made(root: DataRoot) -> None:
    app = open_app(root)
    arrive(app, "a=cohort_a&k=4&chance.seed=1e9999&chance.side=up&assign.file=%2e%2e/x&map=n")
    assert "3 of its choices cannot be made here" in app.context.banner.message


def test_what_a_page_does_not_offer_is_told_when_it_is_opened(root: DataRoot) -> None:
    app = open_app(root)
    arrive(app, "a=cohort_a&k=4&roi.folder=series&roi.a=elsewhere&roi.b=nowhere&roi.fwhm_mm=3")
    assert app.context.banner.message == ""
    open_page(app, "roi")
    assert "2 of its choices cannot be made here" in app.context.banner.message
    assert app.context.inputs.values["roi"]["fwhm_mm"] == 3


def test_a_map_of_two_cohorts_needs_both(root: DataRoot) -> None:
    app = open_app(root)
    open_page(app, "assign")
    arrive(app, "a=cohort_a&k=4&page=assign&assign.source=overlap")
    assert "overlap is none of the choices there are" in app.context.banner.message
    assert app.context.inputs.values["assign"]["source"] == "n"


def test_a_choice_too_long_for_a_link_leaves_the_others_in_it() -> None:
    runs = tuple(f"sub-{number:03}_task-pictures_bold.nii.gz" for number in range(200))
    inputs = {"roi": {"folder": "series", "runs": runs}, "chance": MADE["chance"]}
    state = PageState("cohort_a", inputs=inputs)
    assert too_long_for(state) == ("roi",)
    text = to_address(state)
    assert len(text) <= LONGEST
    assert read_address(text).keys() == {"folder_a", "inputs"}
    assert read_address(text)["inputs"].keys() == {"chance"}
    assert json.loads(session_bytes(state))["choices"]["inputs"]["roi"]["runs"] == list(runs)


def test_the_menu_says_what_a_link_leaves_out(root: DataRoot, monkeypatch: Any) -> None:
    app = open_app(root)
    assert app.url_state.menu.lacking == ""
    monkeypatch.setattr("lesion_dash.dashboard.address.LONGEST", 150)
    arrive(app, link_to("chance", MADE["chance"])[:120])
    assert "the inputs of Size bias" in app.url_state.menu.lacking
    assert "roi." not in app.url_state.bar.text


def test_a_dropped_file_is_not_kept_and_that_is_said(root: DataRoot, sample_data: Path) -> None:
    app = open_app(root)
    content = (sample_data / "series" / MASK).read_bytes()
    Dropping(find(open_page(app, "inspect"), "FileDrop")).all([("Jane Doe.nii.gz", content)])
    app.context.wait()
    link = app.url_state.bar.text
    assert "Jane" not in link
    saved = session_bytes(app.url_state.state)
    assert "not kept: drop them again" in json.loads(saved)["note"]
    assert b"Jane" not in saved
    read = read_session("one.json", saved, StateValidator(root, NAMES))
    assert read == without_own(app.url_state.state) != app.url_state.state
    other = open_app(root)
    arrive(other, link)
    panel = other.pages.children[NAMES.index("inspect")]
    assert "is not kept" in find(panel, "", "drop it again").value
    assert other.url_state.bar.text == link


@pytest.mark.parametrize(
    "make",
    [
        lambda _: Morph("open", 2.5, "mm"),
        lambda _: Morph("dilate", 1, "voxels", 26),
        lambda _: FillHoles(),
        lambda _: MoreIn("b"),
        lambda root: InsideFile(str(root.path / "series" / MASK), 0.5),
        lambda root: InsideFile(str(root.path / "series" / MASK)),
        lambda root: InsideRegions(
            str(root.atlas_files("synthetic_atlas")[0]),
            ("Synthetic putamen L", "Synthetic putamen R"),
            str(root.atlas_files("synthetic_atlas")[1]),
        ),
    ],
    ids=["ball", "voxels", "fill", "more", "threshold", "file", "regions"],
)
def test_a_step_as_text_tells_no_place_outside_the_data_root(
    root: DataRoot, make: Callable[[DataRoot], Any]
) -> None:
    step = make(root)
    text = step_text(step, root)
    assert step_of(text, root) == step
    assert str(root.path) not in text


def test_the_way_of_a_link_is_taken_when_the_button_is_pressed(root: DataRoot) -> None:
    app = open_app(root)
    data = {name: MADE["roi"][name] for name in ("folder", "runs", "a", "b", "delay_s")}
    arrive(app, link_to("roi", data))
    panel = open_page(app, "roi")
    find_button(panel, "Run the test").click()
    app.context.wait()
    assert "1. −log10 p" in steps_of(panel)
    step = '["dilate",2,"voxels",6]'
    arrive(app, link_to("roi", MADE["roi"] | {"threshold": 2.0, "steps": (step,)}))
    assert "1. −log10 p" not in steps_of(panel)  # it was of the choices before the link
    find(panel, "", "to begin. Then: dilate by 2 voxels")
    find_button(panel, "Run the test").click()
    app.context.wait()
    assert app.context.banner.message == ""
    values = app.context.inputs.values["roi"]
    assert (values["map_key"], values["threshold"], values["steps"]) == ("t", 2.0, (step,))
    assert "2. dilate" in steps_of(panel)
