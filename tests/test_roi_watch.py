"""What a caller that waits is told: conditions before images are read, and how far a run is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lesion_dash.core.errors import Cancelled, InputError
from lesion_dash.images.events import list_conditions, read_conditions
from lesion_dash.images.series import read_series
from lesion_dash.rois.recipe import RoiRecipe, run_recipe
from lesion_dash.rois.sources import SeriesSource
from lesion_dash.rois.steps import Threshold
from lesion_dash.stats.contrast import correct_contrast


@pytest.fixture(scope="module")
def source(sample_data: Path) -> SeriesSource:
    run = sample_data / "series" / "sub-01_task-pictures_run-1"
    return SeriesSource(f"{run}_bold.nii.gz", f"{run}_events.tsv", "face", "house")


def test_conditions_are_listed_without_images(source: SeriesSource, tmp_path: Path) -> None:
    read = read_conditions(source.tables, read_series(source.images))
    assert list_conditions(source.tables) == tuple(read.counts)
    labels = tmp_path / "labels.txt"
    labels.write_text("labels chunks\nrest 0\nface 0\nn/a 1\nface 1\n")
    assert list_conditions([labels]) == ("face", "rest")
    assert list_conditions([labels, *source.tables]) == ("face", "house", "rest")
    (tmp_path / "notes.txt").write_text("a b\n1 2\n")
    with pytest.raises(InputError, match="no column of conditions"):
        list_conditions([tmp_path / "notes.txt"])


def test_only_what_is_computed_is_told(source: SeriesSource) -> None:
    told: list[str] = []
    recipe = RoiRecipe(source, Threshold(3.0), correction="fwe", n_permutations=100)
    run = run_recipe(recipe, watch=told.append)
    assert told[:2] == ["reading the images", "testing each voxel"]
    assert told[-2:] == ["permutation 100 of 100", "steps and regions of interest"]
    told.clear()
    run_recipe(replace(recipe, threshold=Threshold(4.0)), run, watch=told.append)
    assert told == ["steps and regions of interest"]
    run_recipe(replace(recipe, correction="fdr"), run, watch=told.append)
    assert told[1:] == ["testing each voxel", "steps and regions of interest"]


def test_what_the_watcher_raises_stops_the_run(source: SeriesSource) -> None:
    told: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        told.append((done, total))
        raise Cancelled

    contrast = run_recipe(RoiRecipe(source, Threshold(3.0))).contrast
    assert contrast is not None
    with pytest.raises(Cancelled, match="stopped"):
        correct_contrast(contrast, "fwe", n_permutations=1000, progress=stop)
    assert len(told) == 1
    assert 0 < told[0][0] < told[0][1] == 1000
