"""Files that a visitor drops: a cohort of this session like any other, and gone at its end."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from visitor import HOSTILE, Dropping, arrive, choose, every_widget, new_context, press, text

from lesion_dash import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import OWN_FILES, DataRoot
from lesion_dash.dashboard.export import export
from lesion_dash.dashboard.model import own_files
from lesion_dash.dashboard.model.own_files import OwnFiles
from lesion_dash.dashboard.pages.own_files import OwnMasks
from lesion_dash.dashboard.session_file import session_bytes
from lesion_dash.files.incoming import Limits

SHAPE, AFFINE = (10, 12, 9), np.diag([2.0, 2, 2, 1])
Files = list[tuple[str, bytes]]


def image(array: np.ndarray) -> bytes:
    made = nib.Nifti1Image(array, AFFINE)
    made.set_sform(AFFINE, 4)
    made.header.set_xyzt_units("mm")
    return bytes(made.to_bytes())


def mask(seed: int) -> bytes:
    array = np.zeros(SHAPE, np.uint8)
    low = np.random.default_rng(seed).integers(1, 5, 3)
    array[low[0] : low[0] + 4, low[1] : low[1] + 4, low[2] : low[2] + 3] = 1
    return image(array)


def masks(count: int = 5, folder: str = "lesions/", start: int = 0) -> Files:
    return [(f"{folder}sub-{n:02}_lesion.nii", mask(n)) for n in range(start, start + count)]


def table(count: int = 5) -> bytes:
    rows = [f"sub-{n:02}\t{50 + n}\n" for n in range(count)]
    return "".join(["participant_id\tage\n", *rows]).encode()


def hostile() -> Files:
    """A folder of files none of which is a mask, each for another reason."""
    good = mask(0)
    nan = image(np.full(SHAPE, np.nan, np.float32))
    return [
        ("bad/sub-01.nii", b""),
        ("bad/sub-02.nii", b"patient,volume\n" * 40),
        ("bad/sub-03.nii", good[:300]),
        ("bad/sub-04.nii", good[:-100]),
        ("bad/sub-05.nii.gz", good),
        ("bad/sub-06.nii", good[:42] + b"\xff\xff" + good[44:]),
        ("bad/sub-07.nii", nan),
        (f"bad/{HOSTILE}.nii", b"<html>" * 100),
    ]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def context(sample_data: Path, temporary: Path) -> Iterator[AppContext]:
    context = new_context(sample_data)
    yield context
    context.wait()
    context.own.close()


@pytest.fixture
def panel(context: AppContext) -> OwnMasks:
    return OwnMasks(context)


def left_in(folder: Path) -> list[Path]:
    """Files below a folder, but for the lock that says whose it is."""
    return [path for path in folder.rglob("*") if path.is_file() and path.parent.parent != folder]


def drop(panel: OwnMasks, files: Files, part: int = 2**22) -> Dropping:
    dropping = Dropping(panel.drop, part)
    dropping.all(files)
    panel._context.wait()
    return dropping


def test_dropped_masks_are_a_cohort_like_those_on_the_disk(
    context: AppContext, panel: OwnMasks, tmp_path: Path
) -> None:
    files = [*masks(), ("lesions/participants.tsv", table())]
    dropping = drop(panel, files, part=100)
    assert context.banner.message == ""
    name = context.choices.folder_a
    assert name == f"{OWN_FILES}/1/lesions"
    assert context.session.root.words_of(name) == "lesions (dropped)"
    for path, content in files:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    cohort, expected = context.session.cohort(name), load_cohort(tmp_path / "lesions")
    assert cohort.name == "lesions"
    assert cohort.notes == expected.notes
    np.testing.assert_array_equal(cohort.counts, expected.counts)
    assert [row.sha256 for row in cohort.patients] == [row.sha256 for row in expected.patients]
    assert "lesions (dropped) is folder A: 5 patients" in dropping.said
    choose(context, where_a=("age >= 52",), folder_b="cohort_a")
    assert context.session.cohort(context.choices.cohort_a).n_patients == 3
    assert context.choices.cohort_b == "cohort_a"


def test_saved_results_name_dropped_files_as_they_were_dropped(
    context: AppContext, panel: OwnMasks, temporary: Path, tmp_path: Path
) -> None:
    drop(panel, [*masks(), ("lesions/participants.tsv", table())])
    choose(context, where_a=("age >= 52",), min_patients=1)
    place = export(context.session, context.choices.selection, tmp_path / "results")
    content = (place / "provenance.json").read_text(encoding="utf-8")
    assert str(temporary) not in content
    source, *_ = json.loads(content)["inputs"]
    assert source["folder"] == "lesions"


def test_folders_of_patients_and_sessions_are_kept(context: AppContext, panel: OwnMasks) -> None:
    files = [
        (f"study/sub-{n}/ses-{visit}/lesion.nii", mask(2 * n + visit))
        for n in (1, 2, 3)
        for visit in (1, 2)
    ]
    drop(panel, files)
    # As on the disk, somebody has to say which session counts; until then nothing is removed.
    name = f"{OWN_FILES}/1/study"
    assert context.choices.pending_a == name
    context.choose_files("a", name, context.session.pending_choice(name).offers[0].choice)
    context.wait()
    assert context.session.cohort(context.choices.cohort_a).n_patients == 3


def test_a_hostile_folder_is_told_file_by_file_and_nothing_is_kept(
    context: AppContext, panel: OwnMasks, temporary: Path
) -> None:
    context.open_first()
    context.wait()
    drop(panel, hostile())
    for name, reason in (
        ("sub-01.nii", "empty"),
        ("sub-02.nii", "not a NIfTI file"),
        ("sub-03.nii", "header incomplete"),
        ("sub-04.nii", "truncated"),
        ("sub-05.nii.gz", "not a gzip file"),
        ("sub-06.nii", "impossible dimensions"),
        ("sub-07.nii", "no finite value"),
    ):
        line = next(line for line in context.banner.message.split("<li>") if f"{name}:" in line)
        assert reason in line, line
    assert "<img" not in context.banner.message
    assert str(temporary) not in context.banner.message
    assert left_in(temporary) == []
    assert not any(map(context.session.root.is_own, context.session.root.cohorts))
    assert context.choices.folder_a == context.choices.cohort_a == "cohort_a"


def test_a_bad_file_among_good_ones_is_told_and_the_others_are_shown(
    context: AppContext, panel: OwnMasks
) -> None:
    drop(panel, [*masks(19), ("lesions/sub-99.nii", mask(0)[:-9]), ("lesions/notes.docx", b"x")])
    assert context.session.cohort(context.choices.cohort_a).n_patients == 19
    report = text(panel.report)
    assert "2 files not used" in report
    assert "sub-99.nii: file is truncated" in report
    assert "notes.docx: is neither an image nor a table" in report


def test_an_atlas_with_its_table_and_single_images(context: AppContext, panel: OwnMasks) -> None:
    labels = np.zeros(SHAPE, np.int16)
    labels[2:5], labels[5:8] = 1, 2
    files = [("parcels.nii", image(labels)), ("parcels.csv", b"index,name\n1,First\n2,Second\n")]
    drop(panel, files)
    assert context.banner.message == ""
    atlas = context.session.atlas(context.choices.loaded_atlas)
    assert [region.name for region in atlas.regions] == ["First", "Second"]
    assert context.choices.folder_a == ""
    scan = image(np.random.default_rng(1).normal(100, 9, SHAPE).astype(np.float32))
    dropping = drop(panel, [("T1w.nii", scan)])
    assert "1 image received: see the lists of files on the other pages" in dropping.said
    root = context.session.root
    assert [name for name in root.image_counts if root.is_own(name)] == [
        f"{OWN_FILES}/1/My masks",
        f"{OWN_FILES}/2/My masks",
    ]
    assert not any(map(root.is_own, root.cohorts))


def test_a_table_that_comes_later_is_added_to_the_masks(
    context: AppContext, panel: OwnMasks
) -> None:
    drop(panel, masks())
    cohort = context.session.cohort(context.choices.cohort_a)
    assert cohort.participants is None
    dropping = drop(panel, [("my patients.csv", table().replace(b"\t", b","))])
    assert "my patients.csv is taken as the participants table" in dropping.told[-2]["text"]
    assert context.choices.folder_a == f"{OWN_FILES}/2/lesions"
    cohort = context.session.cohort(context.choices.cohort_a)
    assert cohort.participants.columns == ("age",)
    assert context.session.root.words_of(context.choices.folder_a) == "lesions (dropped)"


def test_tables_without_masks_are_refused(
    context: AppContext, panel: OwnMasks, temporary: Path
) -> None:
    drop(panel, [("participants.tsv", table())])
    assert "came without images" in context.banner.message
    assert left_in(temporary) == []


def test_two_folders_of_one_name_stay_two(context: AppContext, panel: OwnMasks) -> None:
    drop(panel, masks(4))
    first = context.choices.folder_a
    drop(panel, masks(6))
    root = context.session.root
    assert [root.words_of(name) for name in (first, context.choices.folder_a)] == [
        "lesions (dropped, 1)",
        "lesions (dropped, 2)",
    ]
    choose(context, folder_b=first)
    cohorts = [context.session.cohort(getattr(context.choices, f"cohort_{s}")) for s in "ab"]
    assert [cohort.n_patients for cohort in cohorts] == [6, 4]


def test_limits_are_told_and_nothing_is_asked_for(
    context: AppContext, panel: OwnMasks, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context.own, "_limits", Limits(total=10_000, per_file=5_000, files=4))
    dropping = Dropping(panel.drop)
    for files, reason in (
        (masks(5), "5 files, 4 are allowed at once"),
        ([*masks(4), *((f"{n}.txt", b"y" * 4_999) for n in "ab")], "are allowed"),
    ):
        assert dropping.offer(files) == []
        assert reason in context.banner.message
        assert "Nothing was kept" in dropping.said
    assert left_in(temporary) == []
    monkeypatch.setattr(context.own, "_limits", Limits(total=10_000, per_file=5_000, files=9))
    drop(panel, masks(4))
    assert context.choices.folder_a
    # What is there already counts.
    assert dropping.offer(masks(5, start=4)) == []
    assert "together" in context.banner.message


@pytest.mark.parametrize("ending", ["cancel", "another drop", "a part too many", "rubbish"])
def test_a_drop_that_is_not_finished_leaves_nothing(
    context: AppContext, panel: OwnMasks, temporary: Path, ending: str
) -> None:
    dropping = Dropping(panel.drop)
    files = masks(3)
    assert dropping.offer(files) == [0, 1, 2]
    dropping.send("parts", files[0][1], files[1][1][:50], parts=[[0, 0], [1, 0]])
    assert len(left_in(temporary)) == 2
    if ending == "cancel":
        dropping.send("cancel")
    elif ending == "another drop":
        assert dropping.offer([("readme", b"")]) == []
    elif ending == "a part too many":
        dropping.send("parts", b"x", parts=[[0, 0]])
    else:
        dropping.send("parts", b"x", parts=[["0", None]])
    assert left_in(temporary) == []
    dropping.send("parts", files[2][1], parts=[[2, 0]])  # late
    assert left_in(temporary) == []
    assert context.choices.folder_a == ""


@pytest.mark.parametrize(
    "files",
    [
        None,
        [],
        "sub-1.nii",
        [["sub-1.nii"]],
        [["sub-1.nii", -1]],
        [["sub-1.nii", True]],
        [["sub-1.nii", 1.5]],
        [["sub-1.nii", 2**60]],
        [[5, 5]],
        [["sub-1.nii", 5]] * 20_001,
    ],
)
def test_offers_are_checked_whatever_the_page_sends(
    context: AppContext, panel: OwnMasks, files: Any
) -> None:
    dropping = Dropping(panel.drop)
    dropping.send("offer", files=files)
    assert [message["type"] for message in dropping.told] == ["end"]
    assert 'role="alert"' in context.banner.message
    dropping.send("parts", b"x", parts=[[0, 0]])
    for content in (None, [], {"type": "parts"}, {"type": "parts", "turn": "1"}):
        panel.drop._handle_custom_msg(content, [])
    assert len(dropping.told) == 1


def test_names_that_lead_elsewhere_are_told_and_not_written(
    context: AppContext, panel: OwnMasks, temporary: Path
) -> None:
    names = (
        "../../sub-90.nii",
        "/etc/sub-91.nii",
        "a/../../sub-92.nii",
        "lesions/SUB-01_lesion.nii",
    )
    drop(panel, [*masks(), *((name, mask(9)) for name in names)])
    report = text(panel.report)
    assert all(name in report for name in names)
    assert "in nothing but capitals" in report
    assert context.session.cohort(context.choices.cohort_a).n_patients == 5
    assert len(left_in(temporary)) == 5
    assert not [*temporary.parent.rglob("sub-9*")]


def test_the_visitor_removes_what_was_dropped(
    context: AppContext, panel: OwnMasks, temporary: Path
) -> None:
    drop(panel, masks())
    choose(context, folder_b="cohort_a")
    assert left_in(temporary)
    press(context, panel.remove)
    assert left_in(temporary) == []
    assert (context.choices.folder_a, context.choices.cohort_a) == ("", "")
    assert context.choices.cohort_b == "cohort_a"
    assert not any(map(context.session.root.is_own, context.session.root.image_counts))
    with pytest.raises(InputError, match="no longer available"):
        context.session.root.place(f"{OWN_FILES}/1/lesions")


def test_two_visitors_do_not_see_each_others_files(
    context: AppContext, panel: OwnMasks, temporary: Path
) -> None:
    drop(panel, masks())
    # Even where a data root holds the folders of all of them.
    for root in (context.session.root.path, temporary):
        other = new_context(root)
        assert not any(map(other.session.root.is_own, other.session.root.cohorts))
        assert not other.session.root.image_counts.keys() - {*new_names(root)}
        with pytest.raises(InputError, match="choose one from the list"):
            other.session.root.cohort_folder(context.choices.folder_a)
        other.own.close()


def new_names(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if not path.name.startswith("lesion_dash_")}


def test_no_link_and_no_session_file_holds_dropped_files(context: AppContext) -> None:
    app = App(context)
    app.url_state.begin()
    context.wait()
    panel = next(w for w in panels_of(app))
    dropping = Dropping(panel)
    dropping.all(masks())
    context.wait()
    choose(context, min_patients=2, folder_b="cohort_b", atlas="synthetic_atlas")
    state, link = app.url_state.state, app.url_state.bar.text
    assert state.folder_a.startswith(OWN_FILES)
    assert link == "atlas=synthetic_atlas"
    assert "Dropped files are not part of a link" in app.url_state.menu.lacking
    saved = json.loads(session_bytes(state))
    assert "folder_a" not in saved["choices"]
    assert OWN_FILES not in json.dumps(saved["choices"])
    assert "drop them again" in saved["note"]
    arrive(app, f"a={OWN_FILES}/1/lesions&assign.source={OWN_FILES}/1/lesions")
    assert "dropped masks are not part of a link" in context.banner.message
    choose(context, folder_a="cohort_a")
    assert app.url_state.bar.text.startswith("a=cohort_a&")
    assert app.url_state.menu.lacking == ""


def panels_of(app: App) -> Iterator[Any]:
    return (w for w in every_widget(app.widget) if type(w).__mro__[1].__name__ == "FileDrop")


def test_code_and_messages_name_dropped_files_as_their_owner_does(
    context: AppContext, panel: OwnMasks, temporary: Path
) -> None:
    from lesion_dash.dashboard.code import Code

    drop(panel, masks())
    python, commands = Code(context.session).topography(context.choices.selection)
    assert "lesion-dash stats lesions " in commands
    assert str(temporary) not in python + commands


END = """
import os, signal, sys, tempfile
from pathlib import Path
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.model.own_files import OwnFiles
from lesion_dash.files.incoming import Offer
own = OwnFiles(DataRoot(Path(sys.argv[1])))
receiver = own.receive(own.plan([Offer("a/sub-1.nii", 1), Offer("a/sub-2.nii", 1)]))
receiver.write(0, 0, b"x")
print(len([path for path in Path(tempfile.gettempdir()).rglob("*.nii")]), flush=True)
if sys.argv[2] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="no lock tells that a process has ended")
@pytest.mark.parametrize("ending", ["exit", "kill"])
def test_nothing_is_left_when_the_process_ends(
    sample_data: Path, temporary: Path, ending: str
) -> None:
    command = [sys.executable, "-c", END, str(sample_data), ending]
    ended = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"TMPDIR": str(temporary)},
    )
    assert ended.stdout == "1\n", ended.stderr
    if ending == "kill":
        assert [*temporary.rglob("*.nii")]
        own = OwnFiles(DataRoot(sample_data))  # the next session of the account
        own.receive(own.plan([]))
        assert not [*temporary.rglob("*.nii")]
        own.close()
    assert not [*temporary.iterdir()]


def test_the_sentence_on_the_page_tells_the_limits(panel: OwnMasks) -> None:
    texts = [text(w) for w in every_widget(panel.widget) if hasattr(w, "value")]
    (sentence,) = [words for words in texts if "temporary folder" in words]
    limits = own_files.LIMITS
    assert f"{limits.files:,} files" in sentence
    assert f"{limits.total / 1e9:.0f} GB" in sentence


def test_one_mask_is_a_cohort_and_one_scan_is_none(context: AppContext, panel: OwnMasks) -> None:
    scan = np.random.default_rng(1).normal(100, 9, SHAPE).astype(np.float32)
    drop(panel, [("sub-01/T1w.nii", image(scan))])
    assert context.choices.folder_a == ""
    drop(panel, masks(1))
    assert context.session.cohort(context.choices.cohort_a).n_patients == 1
    assert context.banner.message == ""


def test_an_image_of_any_size_is_read_to_its_end(
    context: AppContext, panel: OwnMasks, temporary: Path
) -> None:
    """A header of 8 GB with a few bytes behind it is not a scan that is kept unread."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape((2000, 2000, 2000))
    header.set_sform(AFFINE, 4)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    drop(panel, [("T1w.nii.gz", gzip.compress(header.binaryblock + bytes(304)))])
    assert "file is truncated" in context.banner.message
    assert left_in(temporary) == []
