"""Published atlases: what nilearn gives becomes an atlas; listing them downloads nothing."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import requests
from nilearn import datasets
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


def lut(labels, names):
    return pd.DataFrame({"index": labels, "name": names})


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

    def put(fetcher, found):
        calls = []
        monkeypatch.setattr(
            datasets, f"fetch_atlas_{fetcher}", lambda **options: calls.append(options) or found
        )
        return calls

    return put


def named(atlas):
    return [(region.label, region.name) for region in atlas.regions]


def test_a_labelled_atlas_with_labels_of_its_own(tmp_path, offer):
    nib.save(image(LABELS), tmp_path / "AAL.nii")
    names = ["Background", "Precentral_L", "Vermis_10"]
    table = lut([0, 2001, 9170], names)
    calls = offer("aal", fetched("deterministic", str(tmp_path / "AAL.nii"), lut=table))
    atlas = load_atlas("nilearn:aal")
    assert calls == [{"version": "SPM12", "verbose": 0}]
    assert named(atlas) == [(2001, "Precentral_L"), (9170, "Vermis_10")]
    np.testing.assert_array_equal(atlas.labels, LABELS)
    assert atlas.name == "nilearn:aal"
    assert list(atlas.sources) == [str(tmp_path / "AAL.nii")]
    assert any("Tzourio-Mazoyer et al. 2002" in note for note in atlas.notes)


def test_a_labelled_atlas_in_memory(offer):
    names = ["Background", "Frontal Pole", "Insula"]
    table = lut([0, 1, 2], names)
    found = fetched("deterministic", image(COUNTED), labels=names, lut=table)
    offer("harvard_oxford", found)
    atlas = load_atlas("nilearn:harvard_oxford_cort")
    assert named(atlas) == [(1, "Frontal Pole"), (2, "Insula")]
    assert list(atlas.sources) == ["nilearn:harvard_oxford_cort"]


def test_maps_with_a_name_for_the_background(offer):
    names = ["Background", "Frontal Pole", "Insula"]
    offer("harvard_oxford", fetched("probabilistic", image(CHANCES), labels=names))
    atlas = load_atlas("nilearn:harvard_oxford_cort_prob")
    assert named(atlas) == [(1, "Frontal Pole"), (2, "Insula")]
    np.testing.assert_array_equal(atlas.maps.toarray(), CHANCES.reshape((-1, 2), order="F") / 100)
    assert not any("without" in note for note in atlas.notes)


def test_maps_with_their_networks(tmp_path, offer):
    nib.save(image(CHANCES), tmp_path / "msdl.nii")
    extra = {"labels": ["L Aud", "R Aud"], "networks": ["Aud", "Aud"]}
    offer("msdl", fetched("probabilistic", str(tmp_path / "msdl.nii"), **extra))
    regions = load_atlas("nilearn:msdl").regions
    assert [(region.label, region.name) for region in regions] == [(1, "L Aud"), (2, "R Aud")]
    assert {region.extra["parent"] for region in regions} == {"Aud"}


def test_maps_with_a_table_of_components(offer):
    components = pd.DataFrame({"component": [1, 2], "difumo_names": ["Insula", "Cuneus"]})
    offer("difumo", fetched("probabilistic", image(CHANCES), labels=components))
    atlas = load_atlas("nilearn:difumo_64")
    assert named(atlas) == [(1, "Insula"), (2, "Cuneus")]
    assert any("weights of functional modes" in note for note in atlas.notes)


def test_parcels_know_their_network(offer):
    names = ["Background", "7Networks_LH_Vis_1", "7Networks_RH_Default_PFC_1"]
    found = fetched("deterministic", image(COUNTED), lut=lut([0, 1, 2], names))
    calls = offer("schaefer_2018", found)
    regions = load_atlas("nilearn:schaefer_400").regions
    assert calls[0]["n_rois"] == 400
    assert [region.extra["parent"] for region in regions] == ["Vis", "Default"]


def test_an_atlas_in_another_space_says_so(offer):
    names = ["Background", "Frontal Lobe", "Insula"]
    offer("talairach", fetched("deterministic", image(COUNTED), lut=lut([0, 1, 2], names)))
    notes = load_atlas("nilearn:talairach_lobe").notes
    assert any("Talairach space" in note for note in notes)


def test_a_table_of_the_user_s_names_the_regions(tmp_path, offer):
    names = ["Background", "Frontal Pole", "Insula"]
    offer("harvard_oxford", fetched("deterministic", image(COUNTED), lut=lut([0, 1, 2], names)))
    (tmp_path / "own.csv").write_text("index,name\n1,one\n2,two\n")
    atlas = load_atlas("nilearn:harvard_oxford_cort", tmp_path / "own.csv")
    assert named(atlas) == [(1, "one"), (2, "two")]


def test_a_name_that_is_not_known_is_answered_with_one_that_is():
    with pytest.raises(InputError, match="did you mean nilearn:aal"):
        load_atlas("nilearn:aal3")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            requests.exceptions.ConnectionError(
                "a long story", request=requests.Request(url="https://a.org/b").prepare()
            ),
            "no answer from https://a.org/b",
        ),
        (OSError("no space left"), "OSError: no space left"),
        (EOFError("cut off"), "EOFError: cut off"),
    ],
)
def test_without_a_network_a_sentence_says_what_to_do(monkeypatch, error, words):
    def fail(**options):
        raise error

    monkeypatch.setattr(datasets, "fetch_atlas_aal", fail)
    with pytest.raises(InputError, match="download the atlas elsewhere") as caught:
        load_atlas("nilearn:aal")
    assert words in str(caught.value)
    assert str(caught.value).startswith("nilearn:aal: nilearn (aal) could not download it")


def test_a_server_that_does_not_answer_is_given_up_soon(monkeypatch):
    from nilearn.datasets import _utils

    usual, waits = _utils._REQUESTS_TIMEOUT, []

    def fail(**options):
        waits.append(_utils._REQUESTS_TIMEOUT[0])
        raise OSError("no network")

    monkeypatch.setattr(datasets, "fetch_atlas_aal", fail)
    with pytest.raises(InputError, match=r"its image in place of the name$"):
        load_atlas("nilearn:aal")
    assert waits == [4.0]
    assert usual == _utils._REQUESTS_TIMEOUT


def test_an_answer_of_the_server_is_told(monkeypatch):
    response = requests.Response()
    response.status_code, response.url = 404, "https://a.org/b"
    response.request = requests.Request(url="https://a.org/b").prepare()

    def fail(**options):
        response.raise_for_status()

    monkeypatch.setattr(datasets, "fetch_atlas_aal", fail)
    with pytest.raises(InputError, match=r"https://a\.org/b answers 404"):
        load_atlas("nilearn:aal")


@pytest.mark.parametrize("name", LIBRARY)
def test_nilearn_asks_for_the_file_by_which_an_atlas_is_told_to_be_on_disk(
    monkeypatch, tmp_path, name
):
    """Nilearn's own fetcher runs up to its first download, which is written down and refused."""
    entry, asked = LIBRARY[name], []

    def note(folder, files, **_):
        asked.extend(Path(folder, file) for file, *_ in files)
        raise OSError("no network in tests")

    monkeypatch.setenv("NILEARN_DATA", str(tmp_path))
    monkeypatch.setattr("nilearn.datasets.atlas.fetch_files", note)
    with pytest.raises(InputError, match="no network in tests"):
        load_atlas(name)
    wanted = tmp_path / entry.file
    if entry.fetcher == "talairach":  # the levels are cut out of one file
        assert wanted.parent.is_dir()
    else:
        assert wanted in asked
    assert not entry.on_disk
    wanted.parent.mkdir(parents=True, exist_ok=True)
    wanted.touch()
    assert entry.on_disk


def test_every_volume_atlas_of_nilearn_has_a_name_or_a_reason():
    offered = {name[12:] for name in dir(datasets) if name.startswith("fetch_atlas_")}
    assert offered == {entry.fetcher for entry in LIBRARY.values()} | LEFT_OUT
    for entry in LIBRARY.values():
        fetch = getattr(datasets, f"fetch_atlas_{entry.fetcher}")
        inspect.signature(fetch).bind(**entry.options, verbose=0)


def refuse(*_, **__):
    raise AssertionError("something was fetched")


def test_listing_downloads_nothing_and_says_where_what_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("NILEARN_DATA", str(tmp_path))
    for entry in LIBRARY.values():
        monkeypatch.setattr(datasets, f"fetch_atlas_{entry.fetcher}", refuse)
    there = tmp_path / LIBRARY["nilearn:aal"].file
    there.parent.mkdir(parents=True)
    there.touch()
    listed = {one.name: one for one in list_atlases()}
    assert [name for name, one in listed.items() if one.place] == ["nilearn:aal"]
    assert set(listed) == set(LIBRARY)
    for one in listed.values():
        assert "cite " in one.credit
        assert "licence: " in one.credit
        assert one.space


def test_the_command_lists_atlases_of_a_folder_the_bundled_and_the_published(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("NILEARN_DATA", str(tmp_path / "cache"))
    folder = tmp_path / "mine"
    folder.mkdir()
    nib.save(image(COUNTED), folder / "two.nii.gz")
    (folder / "two.csv").write_text("index,name\n1,a\n2,b\n")
    assert cli.main(["atlases", "--atlases", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    mine, bundled, published = found.values()
    assert [(one["name"], one["kind"], one["regions"]) for one in mine] == [("two", "labels", 2)]
    assert [one["name"] for one in bundled] == ["synthetic_atlas"]
    assert [one["name"] for one in published] == list(LIBRARY)
    assert cli.main(["atlases", "--atlases", str(folder)]) == 0
    text = capsys.readouterr().out
    for name in ["two", "synthetic_atlas", "nilearn:aal", "nilearn:schaefer_N", "nilearn:basc_N"]:
        assert f"  {name} " in text
    assert str(folder / "two.nii.gz") in text
    assert "nilearn:schaefer_N: N = 100, 200, 300, " in text
    assert "nilearn:schaefer_N, nilearn:schaefer_N_17networks: cite Schaefer et al. 2018" in text
    assert " more:" not in text
    assert cli.main(["atlases", "--all"]) == 0
    text = capsys.readouterr().out
    for name in LIBRARY:
        assert f"  {name} " in text


@pytest.mark.parametrize(
    ("file", "names", "words"),
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
def test_what_to_cite_for_a_well_known_atlas_of_the_user_s(tmp_path, file, names, words):
    nib.save(image(COUNTED), tmp_path / f"{file}.nii.gz")
    rows = [f"{number},{name}" for number, name in enumerate(names, 1)]
    (tmp_path / f"{file}.csv").write_text("\n".join(["index,name", *rows]))
    (one,) = list_atlases(tmp_path)
    assert words in one.credit


def test_a_name_stands_wherever_an_atlas_is_given(tmp_path, offer, capsys, monkeypatch):
    monkeypatch.setenv("NILEARN_DATA", str(tmp_path / "cache"))
    names = ["Background", "Frontal Pole", "Insula"]
    offer("harvard_oxford", fetched("deterministic", image(COUNTED), lut=lut([0, 1, 2], names)))
    folder = write_masks(tmp_path / "masks", random_masks(2))
    masks = [str(path) for path in sorted(folder.iterdir())]
    out = tmp_path / "out"
    name = "nilearn:harvard_oxford_cort"
    assert cli.main(["overlap", *masks, "--atlas", name, "-o", str(out)]) == 0
    assert "Frontal Pole" in (out / "region_counts.csv").read_text()
    (atlas,) = [
        one
        for one in json.loads((out / "provenance.json").read_text())["inputs"]
        if one["kind"] == "atlas"
    ]
    assert atlas["name"] == name
    assert f"{name} is downloaded now" in capsys.readouterr().err
