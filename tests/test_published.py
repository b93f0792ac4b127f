"""Published atlases: what nilearn gives becomes an atlas; listing them downloads nothing."""

from __future__ import annotations

import errno
import inspect
import json
import socket
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import requests
from atlases import pairs, write_atlas
from nilearn import datasets
from nilearn.datasets import _utils
from nilearn.datasets.atlas import Atlas
from phantoms import SHAPE, image, random_masks, write_masks

from lesion_dash import cli
from lesion_dash.atlas.finding import list_atlases
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.atlas.published import LIBRARY
from lesion_dash.core.errors import InputError

LABELS = np.random.default_rng(3).choice([0, 2001, 9170], SHAPE).astype(np.int16)
COUNTED = np.random.default_rng(3).choice([0, 1, 2], SHAPE).astype(np.uint8)
CHANCES = np.random.default_rng(3).integers(0, 101, (*SHAPE, 2)).astype(np.uint8)
# Of nilearn's datasets, these hold no regions: components of a decomposition, several scales in
# one image, surfaces.
LEFT_OUT = {"allen_2011", "craddock_2012", "smith_2009", "surf_destrieux"}


NAMES = ["Background", "Frontal Pole", "Insula"]
PARCELS = ["Background", "7Networks_LH_Vis_1", "7Networks_RH_Default_PFC_1"]
LUT = pd.DataFrame({"index": [0, 1, 2], "name": NAMES})
DIFUMO = pd.DataFrame({"component": [1, 2], "difumo_names": ["Insula", "Cuneus"]})


def fetched(kind, maps, **fields):
    return Atlas(maps=maps, description="made for a test", atlas_type=kind, **fields)


@pytest.fixture(autouse=True)
def empty_home(monkeypatch, tmp_path):
    """Nilearn takes a folder that is there already, such as one in the user's home."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


@pytest.fixture
def offer(monkeypatch):
    """Let nilearn's fetcher of that name answer without a network."""

    def put(fetcher, bunch):
        calls = []
        monkeypatch.setattr(
            datasets, f"fetch_atlas_{fetcher}", lambda **options: calls.append(options) or bunch
        )
        return calls

    return put


def test_a_labelled_atlas_with_labels_of_its_own(tmp_path, offer):
    nib.save(image(LABELS), tmp_path / "AAL.nii")
    names = ["Background", "Precentral_L", "Vermis_10"]
    table = pd.DataFrame({"index": [0, 2001, 9170], "name": names})
    calls = offer("aal", fetched("deterministic", str(tmp_path / "AAL.nii"), lut=table))
    atlas = load_atlas("nilearn:aal")
    assert calls == [{"version": "SPM12", "verbose": 0}]
    assert pairs(atlas.regions) == [(2001, "Precentral_L"), (9170, "Vermis_10")]
    np.testing.assert_array_equal(atlas.labels, LABELS)
    assert atlas.name == "nilearn:aal"
    assert list(atlas.sources) == [str(tmp_path / "AAL.nii")]
    assert any("Tzourio-Mazoyer et al. 2002" in note for note in atlas.notes)


LABELLED = ("deterministic", image(COUNTED))
PROBABLE = ("probabilistic", image(CHANCES))
ANSWERS = {
    "harvard_oxford_cort": (fetched(*LABELLED, labels=NAMES, lut=LUT), NAMES[1:], None, ""),
    "harvard_oxford_cort_prob": (fetched(*PROBABLE, labels=NAMES), NAMES[1:], None, ""),
    "msdl": (
        fetched(*PROBABLE, labels=["L Aud", "R Aud"], networks=["Aud", "Aud"]),
        ["L Aud", "R Aud"],
        ["Aud", "Aud"],
        "",
    ),
    "difumo_64": (
        fetched(*PROBABLE, labels=DIFUMO),
        ["Insula", "Cuneus"],
        None,
        "weights of functional modes",
    ),
    "schaefer_400": (
        fetched(*LABELLED, lut=LUT.assign(name=PARCELS)),
        PARCELS[1:],
        ["Vis", "Default"],
        "",
    ),
    "talairach_lobe": (fetched(*LABELLED, lut=LUT), NAMES[1:], None, ""),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_form_of_nilearn_s_answers_becomes_an_atlas(offer, name):
    bunch, names, parents, note = ANSWERS[name]
    calls = offer(LIBRARY[f"nilearn:{name}"].fetcher, bunch)
    atlas = load_atlas(f"nilearn:{name}")
    assert calls == [{**LIBRARY[f"nilearn:{name}"].options, "verbose": 0}]
    assert pairs(atlas.regions) == list(enumerate(names, 1))
    assert list(atlas.sources) == [f"nilearn:{name}"]
    if bunch.atlas_type == "deterministic":
        np.testing.assert_array_equal(atlas.labels, COUNTED)
    else:
        expected = CHANCES.reshape((-1, 2), order="F") / 100
        np.testing.assert_array_equal(atlas.maps.toarray(), expected)
    if parents:
        assert [region.extra["parent"] for region in atlas.regions] == parents
    assert any(note in line for line in atlas.notes)
    assert not any("without" in line for line in atlas.notes)


def test_a_table_of_the_user_s_names_the_regions_of_a_published_atlas(tmp_path, offer):
    offer("harvard_oxford", fetched(*LABELLED, labels=NAMES, lut=LUT))
    (tmp_path / "own.csv").write_text("index,name\n1,one\n2,two\n")
    atlas = load_atlas("nilearn:harvard_oxford_cort", tmp_path / "own.csv")
    assert pairs(atlas.regions) == [(1, "one"), (2, "two")]


REQUEST = requests.Request(url="https://a.org/b").prepare()
NOT_FOUND = requests.Response()
NOT_FOUND.status_code, NOT_FOUND.url, NOT_FOUND.request = 404, "https://a.org/b", REQUEST


NO_ANSWER = requests.ConnectionError("a story", request=REQUEST)
CONNECT, WRITE = "connect to the internet and", "nilearn cannot write its cache, .*NILEARN_DATA"


@pytest.mark.parametrize(
    ("error", "reason", "remedy"),
    [
        (NO_ANSWER, "no answer from https://a.org/b", CONNECT),
        (socket.gaierror(-2, "Name or service not known"), "gaierror", CONNECT),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "Network is unreachable", CONNECT),
        (TimeoutError("read timed out"), "TimeoutError: read timed out", CONNECT),
        (
            requests.HTTPError("404", response=NOT_FOUND),
            "https://a.org/b answers 404",
            "try again la",
        ),
        (OSError("no network"), "OSError: no network", CONNECT),
        (OSError(errno.ENOSPC, "No space left"), "No space left", "free some space for nilearn's"),
        (OSError(errno.EDQUOT, "Disk quota"), "Disk quota", "free some space for nilearn's cache"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "Permission denied", WRITE),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "Read-only file system", WRITE),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/x"), "Not a directory", WRITE),
        (EOFError("cut off"), "EOFError: cut off", "try again, and where .* remove what"),
    ],
)
def test_what_to_do_follows_the_cause_of_a_failed_download(monkeypatch, error, reason, remedy):
    waits, usual = [], _utils._REQUESTS_TIMEOUT

    def fail(**options):
        waits.append(_utils._REQUESTS_TIMEOUT[0])
        raise error

    monkeypatch.setattr(datasets, "fetch_atlas_aal", fail)
    start = r"nilearn:aal: nilearn \(aal\) could not download it"
    end = f"; {remedy}.*; or download the atlas elsewhere, and give its image in place of"
    with pytest.raises(InputError, match=f"^{start}.*{end}") as caught:
        load_atlas("nilearn:aal")
    assert reason in str(caught.value)
    # A server that takes no connection is given up soon; nilearn's own limit is not changed.
    assert waits == [4.0]
    assert usual == _utils._REQUESTS_TIMEOUT


@pytest.mark.parametrize("variables", [("HOME",), ("HOME", "NILEARN_DATA")])
def test_a_cache_that_cannot_be_made_is_told_by_nilearn_s_own_fetcher(monkeypatch, variables):
    monkeypatch.delenv("NILEARN_DATA", raising=False)
    for variable in variables:
        monkeypatch.setenv(variable, "/dev/null/x")
    match = "cannot write its cache, /dev/null/.*: name a folder of yours in NILEARN_DATA"
    with pytest.raises(InputError, match=match):
        load_atlas("nilearn:aal")


@pytest.mark.parametrize("name", LIBRARY)
def test_nilearn_asks_for_the_file_by_which_an_atlas_is_told_to_be_on_disk(
    monkeypatch, tmp_path, name
):
    """Nilearn's own fetcher runs up to its first download, which is written down and refused."""
    entry, requested = LIBRARY[name], []

    def note(folder, files, **_):
        requested.extend(Path(folder, file) for file, *_ in files)
        raise OSError("no network in tests")

    monkeypatch.setenv("NILEARN_DATA", str(tmp_path))
    monkeypatch.setattr("nilearn.datasets.atlas.fetch_files", note)
    with pytest.raises(InputError, match="no network in tests"):
        load_atlas(name)
    path = tmp_path / entry.file
    if entry.fetcher == "talairach":  # the levels are cut out of one file
        assert path.parent.is_dir()
    else:
        assert path in requested
    assert not entry.on_disk
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert entry.on_disk


def test_every_volume_atlas_of_nilearn_has_a_name_or_a_reason():
    offered = {name[12:] for name in dir(datasets) if name.startswith("fetch_atlas_")}
    assert offered == {entry.fetcher for entry in LIBRARY.values()} | LEFT_OUT
    for entry in LIBRARY.values():
        fetch = getattr(datasets, f"fetch_atlas_{entry.fetcher}")
        inspect.signature(fetch).bind(**entry.options, verbose=0)


def test_listing_downloads_nothing_and_says_where_what_lies(monkeypatch, tmp_path, offer):
    monkeypatch.setenv("NILEARN_DATA", str(tmp_path))
    calls = [offer(entry.fetcher, None) for entry in LIBRARY.values()]
    path = tmp_path / LIBRARY["nilearn:aal"].file
    path.parent.mkdir(parents=True)
    path.touch()
    listing = list_atlases()
    assert not any(calls)
    assert [atlas.name for atlas in listing] == list(LIBRARY)
    assert [atlas.name for atlas in listing if atlas.place] == ["nilearn:aal"]
    for atlas in listing:
        assert "cite " in atlas.credit
        assert "licence: " in atlas.credit
        assert atlas.space


def test_the_command_lists_atlases_of_a_folder_the_bundled_and_the_published(
    tmp_path, monkeypatch, capsys
):
    def run(*options):
        assert cli.main(["atlases", *options]) == 0
        return capsys.readouterr().out

    monkeypatch.setenv("NILEARN_DATA", str(tmp_path / "cache"))
    write_atlas(tmp_path / "two.nii.gz", COUNTED, "index,name\n1,a\n2,b\n")
    groups = json.loads(run("--atlases", str(tmp_path), "--json")).values()
    mine, bundled, installed, published = groups
    assert [(a["name"], a["kind"], a["regions"]) for a in mine] == [("two", "labels", 2)]
    assert [atlas["name"] for atlas in bundled] == ["synthetic_atlas"]
    assert "aicha" in {atlas["name"] for atlas in installed}
    assert [atlas["name"] for atlas in published] == list(LIBRARY)
    text = run("--atlases", str(tmp_path))
    for name in ["two", "synthetic_atlas", "nilearn:aal", "nilearn:schaefer_N", "nilearn:basc_N"]:
        assert f"  {name} " in text
    assert str(tmp_path / "two.nii.gz") in text
    assert "nilearn:schaefer_N: N = 100, 200, 300, " in text
    assert "nilearn:schaefer_N, nilearn:schaefer_N_17networks: cite Schaefer et al. 2018" in text
    assert all(f"  {name} " in run("--all") for name in LIBRARY)


@pytest.mark.parametrize(
    ("file", "names", "credit"),
    [
        ("aal", ["a", "b"], "probably AAL: cite Tzourio-Mazoyer et al. 2002"),
        ("AAL3v1", ["a", "b"], "probably AAL3: cite Rolls et al. 2020"),
        ("mine", ["Left_Frontal_Pole", "Left_Insular_Cortex", "Heschl's Gyrus"], "Harvard-Oxford"),
        ("BN_Atlas_246", ["a", "b"], "probably Brainnetome: cite Fan et al. 2016"),
        ("ArterialAtlas136", ["a", "b"], "probably the arterial territories: cite Liu et al. 2023"),
        ("mine", ["Frontal Pole", "b"], "see the authors"),
        ("salable", ["a", "b"], "see the authors"),
    ],
)
def test_what_to_cite_for_a_well_known_atlas_of_the_user_s(tmp_path, file, names, credit):
    rows = [f"{number},{name}" for number, name in enumerate(names, 1)]
    write_atlas(tmp_path / f"{file}.nii.gz", COUNTED, "\n".join(["index,name", *rows]))
    (atlas,) = list_atlases(tmp_path)
    assert credit in atlas.credit


def test_a_name_stands_wherever_an_atlas_is_given(tmp_path, offer, capsys):
    offer("harvard_oxford", fetched(*LABELLED, lut=LUT))
    folder = write_masks(tmp_path / "masks", random_masks(2))
    masks = [str(path) for path in sorted(folder.iterdir())]
    out, name = tmp_path / "out", "nilearn:harvard_oxford_cort"
    assert cli.main(["overlap", *masks, "--atlas", name, "-o", str(out)]) == 0
    assert "Frontal Pole" in (out / "region_counts.csv").read_text()
    inputs = json.loads((out / "provenance.json").read_text())["inputs"]
    assert [entry["name"] for entry in inputs if entry["kind"] == "atlas"] == [name]
    assert f"{name} is downloaded now" in capsys.readouterr().err
