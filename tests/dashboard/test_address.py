"""Choices go into an address and a file and come back; what somebody else wrote is checked."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visitor import arrive, choose, every_widget, new_context, open_app, send

from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.address import LONGEST, read_address, to_address
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.page_state import PageState, StateValidator
from lesion_dash.dashboard.session_file import LARGEST, read_session, session_bytes
from lesion_dash.dashboard.state import FIGURES, MAPS
from lesion_dash.server.notices import login_page

PAGES = ("topography", "assign", "patients")
KEPT = ("folder_a", "folder_b", "where_a", "where_b", "min_patients", "atlases", "map_key")
LOOKS = ("figure", "radiological", "mm", "patient", "region")
PATIENT = "cohort_a/sub-a04_lesion.nii.gz"

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
TENTHS = st.integers(-2000, 2000).map(lambda number: number / 10)
BOOKMARKS = st.builds(
    PageState,
    folder_a=NAMES,
    folder_b=st.just("") | NAMES,
    where_a=st.lists(NAMES, max_size=3).map(tuple),
    min_patients=st.integers(1, 1500),
    atlases=st.none() | st.lists(NAMES, max_size=3).map(tuple),
    map_key=st.sampled_from(list(MAPS)),
    figure=st.sampled_from(list(FIGURES)),
    radiological=st.booleans(),
    mm=st.tuples(TENTHS, TENTHS, TENTHS),
    patient=st.just("") | NAMES,
    region=st.none() | st.integers(-5, 3000),
    page=st.sampled_from(("", *PAGES)),
)


@pytest.fixture
def offer(sample_data: Path) -> StateValidator:
    return StateValidator(DataRoot(sample_data), PAGES)


@pytest.fixture
def app(sample_data: Path) -> App:
    return open_app(sample_data)


def choices_of(app: App) -> dict[str, object]:
    return {name: getattr(app.context.choices, name) for name in (*KEPT, *LOOKS)}


def open_file(app: App, name: str, content: bytes) -> None:
    send(app.url_state.menu, {"type": "open", "name": name}, content)
    app.context.wait()


@given(state=BOOKMARKS)
def test_an_address_says_what_was_chosen(state: PageState) -> None:
    text = to_address(state)
    assert text.isascii()
    assert PageState(**read_address(text)) == state


@given(state=BOOKMARKS)
def test_a_file_says_what_was_chosen(state: PageState) -> None:
    choices = json.loads(session_bytes(state))["choices"]
    tuples = {
        name: tuple(value) if isinstance(value, list) else value for name, value in choices.items()
    }
    assert PageState(**tuples) == state


@given(text=st.text(max_size=200) | st.text("abk=&%,whermp_1-", max_size=200))
def test_whatever_stands_in_an_address_is_taken_or_told(text: str) -> None:
    root = DataRoot(Path("sample_data"))
    state, faults = StateValidator(root, PAGES).check(read_address(text))
    assert state.folder_a in {None, "", *root.cohorts}
    assert all(isinstance(fault, InputError) for fault in faults)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a=../cohort_a", "not a folder of the data root"),
        ("a=/etc", "not a folder of the data root"),
        ("b=cohort_a%00", "not a folder of the data root"),
        ("atlas=../../atlas.nii", "not an atlas of the data root"),
        ("k=0", "not a number of patients"),
        ("k=7.5", "not a number of patients"),
        ("k=" + "9" * 5000, "not a number of patients"),
        ("mm=1,2", "not a place"),
        ("mm=nan,0,0", "not a place"),
        ("mm=1e9,0,0", "not a place"),
        ("map=__class__", "not a map"),
        ("figure=<img src=x>", "not a figure"),
        ("side=left", "neither true nor false"),
        ("page=os", "not a page"),
        ("patient=/etc/passwd", "not a patient of the data root"),
        ("patient=cohort_a", "not a patient of the data root"),
        ("region=1e3", "not a label"),
        ("region=" + "9" * 30, "not a label"),
        ("where_a=sex", "not a condition"),
        ("where_a=" + "x" * 600, "not text of at most"),
        ("&".join(["where_b=sex%3DF"] * 60), "at most 50 conditions"),
        ("cohort_a=cohort_b", "not a choice of this dashboard"),
    ],
    ids=lambda text: text[:16],
)
def test_what_cannot_be_chosen_is_told_and_the_rest_taken(
    offer: StateValidator, text: str, reason: str
) -> None:
    state, faults = offer.check(read_address(f"{text}&figure=glass" if "fig" not in text else text))
    assert [fault.problem for fault in faults if reason in fault.problem]
    assert len(faults) == 1
    assert "fig" in text or state == PageState(figure="glass")


def test_an_address_that_is_too_long_is_neither_written_nor_read(offer: StateValidator) -> None:
    where = tuple(f"id=sub-{number:04}" for number in range(1000))
    assert to_address(PageState("cohort_a", where_a=where)) == ""
    with pytest.raises(InputError, match="too long"):
        read_address("a" * (LONGEST + 1))
    with pytest.raises(InputError, match="too long"):
        read_address("k=1&" * 1000)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        *((content, "not a session file") for content in (b"", b"\xff\xfe", b"[]", b"[" * 50_000)),
        (b'{"format": "other", "choices": {}}', "not a session file"),
        (b" " * (LARGEST + 1), "too large"),
        (b'{"format": "lesion_dash session", "schema": 5, "choices": {}}', "newer lesion_dash"),
        (b'{"format": "lesion_dash session", "schema": 1}', "damaged"),
        (b'{"format": "lesion_dash session", "schema": true, "choices": []}', "damaged"),
    ],
    ids=["empty", "bytes", "list", "deep", "foreign", "large", "newer", "cut", "types"],
)
def test_a_file_that_is_none_of_ours_is_refused(
    offer: StateValidator, content: bytes, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        read_session("session.json", content, offer)


@pytest.mark.parametrize(
    "choices",
    [
        *({"folder_a": folder} for folder in ("elsewhere", ["cohort_a"], "\ud800")),
        *({"min_patients": True}, {"mm": [0, 0, 1e400]}, {"where_a": "sex=F"}, {"selection": {}}),
        *({"patient": "cohort_a/\ud800"}, {"region": True}, {"inputs": [1]}),
        {"inputs": {"chance": {"seed": -1}}},
    ],
    ids=ascii,
)
def test_a_file_of_other_data_changes_nothing(app: App, choices: dict[str, object]) -> None:
    session = json.loads(session_bytes(PageState()))
    session["choices"] = {"figure": "glass"} | choices
    before = choices_of(app)
    open_file(app, "<b>.json", json.dumps(session).encode())
    assert "cannot be opened here" in app.context.banner.message
    assert "<b>" not in app.context.banner.message
    assert choices_of(app) == before


@pytest.mark.parametrize("way", ["link", "file"])
def test_a_link_and_a_file_bring_every_choice_back(
    app: App, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    choices, files = app.context.choices, []
    assert choices.cohort_a == "cohort_a"  # opened without an address
    monkeypatch.setattr(app.context.saver, "save", lambda *file: files.append(file))
    choose(app.context, folder_b="cohort_a", where_a=("sex=F",), where_b=("sex=M",))
    looks = {"figure": "glass", "mm": (-30.0, 4.0, 12.0), "radiological": True}
    choose(app.context, min_patients=4, map_key="overlap", **looks, patient=PATIENT, region=3)
    app.navigation.selected_index = 2
    link = app.url_state.bar.text
    send(app.url_state.menu, {"type": "save"})
    other = App(new_context(app.context.session.root))
    if way == "link":
        arrive(other, link)
        assert other.navigation.selected_index == 2
        assert other.url_state.bar.text == link
    else:
        other.url_state.begin()
        other.context.wait()
        open_file(other, *files[0])
    assert choices_of(other) == choices_of(app)
    assert other.context.choices.selection == choices.selection
    assert other.context.banner.message == ""


def test_a_link_to_another_folder_never_opens_the_first(context: AppContext) -> None:
    app, shown = App(context), []
    context.choices.observe(lambda change: shown.append(change["new"]), names="cohort_a")
    arrive(app, "a=cohort_b&k=3")
    assert shown == ["cohort_b"]
    assert context.choices.min_patients == 3


@pytest.mark.parametrize(
    ("link", "reason", "cohort"),
    [
        ("a=cohort_b&b=gone&k=6&map=mean", "gone is not a folder of the data root", "cohort_b"),
        ("a=gone&k=6&map=mean", "gone is not a folder of the data root", ""),
        ("a=cohort_a&where_a=no_such_column%3D1&k=6&map=mean", "no_such_column", "cohort_a"),
    ],
)
def test_a_link_to_what_is_not_here_says_so_and_shows_the_rest(
    context: AppContext, link: str, reason: str, cohort: str
) -> None:
    app, choices = App(context), context.choices
    arrive(app, link)
    assert reason in context.banner.message
    assert (choices.cohort_a, choices.folder_b, choices.where_a) == (cohort, "", ())
    if cohort:
        assert (choices.min_patients, choices.map_key) == (6, "mean")


def test_a_file_of_before_the_pages_kept_their_inputs_is_read(offer: StateValidator) -> None:
    session = json.loads(session_bytes(PageState("cohort_a", min_patients=7))) | {"schema": 1}
    for name in ("patient", "inputs"):
        del session["choices"][name]
    state = read_session("session.json", json.dumps(session).encode(), offer)
    assert state == PageState("cohort_a", min_patients=7)


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        (f"patient={PATIENT}&where_a=sex%3DM", "not a patient of the folders that are shown"),
        ("patient=cohort_b/sub-b04_lesion.nii.gz", "not a patient of the folders that are shown"),
        ("patient=cohort_a/../cohort_b/sub-b04_lesion.nii.gz", "not a patient of the folders"),
        ("atlas=synthetic_atlas&region=999", "999 is not a region of this atlas"),
        ("region=3", "3 is a region, and there is no atlas"),
    ],
    ids=["filtered", "other folder", "upwards", "label", "no atlas"],
)
def test_a_patient_or_a_region_that_is_not_shown_is_told(
    context: AppContext, choice: str, reason: str
) -> None:
    app, choices = App(context), context.choices
    choices.atlas = ""
    arrive(app, f"a=cohort_a&k=4&{choice}")
    assert reason in context.banner.message
    assert (choices.patient, choices.region, choices.min_patients) == ("", None, 4)


@pytest.mark.parametrize("link", ["atlas=gone", "atlas=broken", "atlas=broken&b=broken"])
def test_a_region_of_an_atlas_that_cannot_be_read_is_of_no_other(
    sample_data: Path, tmp_path: Path, link: str
) -> None:
    for folder in ("cohort_a", "cohort_b", "atlas"):
        shutil.copytree(sample_data / folder, tmp_path / folder)
    (tmp_path / "broken").mkdir()
    for name in ("broken", "sub-1_lesion", "sub-2_lesion"):
        (tmp_path / "broken" / f"{name}.nii").write_bytes(b"no image")
    (tmp_path / "broken" / "broken.csv").write_text("index,name\n3,whole\n")
    app = App(new_context(tmp_path))
    choose(app.context, atlas="synthetic_atlas")
    arrive(app, f"a=cohort_b&k=4&{link}&region=3")
    choices = app.context.choices
    assert (choices.cohort_a, choices.loaded_atlas) == ("cohort_b", "synthetic_atlas")
    assert choices.region is None
    assert link.partition("=")[2][:4] in app.context.banner.message


def test_a_link_is_followed_by_one_thread(app: App) -> None:
    """Two that change a table at once lose the region that it highlights."""
    threads: set[threading.Thread] = set()
    choices = app.context.choices
    choose(app.context, atlas="", patient=PATIENT)
    for model in (choices, *every_widget(app.pages)):
        model.observe(lambda _: threads.add(threading.current_thread()))
    arrive(app, "a=cohort_a&k=4&atlas=synthetic_atlas&region=3")
    assert (choices.loaded_atlas, choices.region) == ("synthetic_atlas", 3)
    assert choices.patient == ""  # a link without a patient takes the outline away
    assert read_address(app.url_state.bar.text)["region"] == 3
    assert threads == {threading.current_thread()}
    arrive(app, "a=cohort_a&k=4&atlas=synthetic_atlas")
    assert choices.region is None


def test_more_patients_than_there_are_is_lowered_and_said(app: App) -> None:
    arrive(app, "a=cohort_a&k=900")
    choices = app.context.choices
    assert choices.min_patients == choices.most_patients
    assert choices.lowered_from == 900


def test_messages_that_no_browser_of_ours_sends_do_nothing(app: App) -> None:
    before = choices_of(app)
    wrong = ({"address": 3}, {}, [], "a=cohort_b", {"type": "open"}, {"type": "open", "name": 1})
    for message in wrong:
        send(app.url_state.bar, message)
        send(app.url_state.menu, message)
    app.context.wait()
    assert choices_of(app) == before


def test_the_address_is_written_once_for_a_choice(app: App) -> None:
    written: list[str] = []
    app.url_state.bar.observe(lambda change: written.append(change["new"]), names="text")
    app.context.choices.min_patients = 8
    assert [read_address(text)["min_patients"] for text in written] == [8]


def test_another_address_for_the_same_choices_becomes_the_usual_one(app: App) -> None:
    app.context.choices.min_patients = 8
    usual, sent = app.url_state.bar.text, []
    app.url_state.bar.observe(lambda change: sent.append(change["new"]), names="text")
    other = "&".join(reversed(usual.split("&")))
    arrive(app, other)
    # A trait that does not change is not sent: the browser would go on showing the other.
    assert sent == [other, usual]


def test_a_login_keeps_the_link() -> None:
    # A form without an action is sent to the address it stands at, with what is behind its #.
    assert "action" not in login_page("/")
