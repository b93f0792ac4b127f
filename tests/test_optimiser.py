"""SimpleITK's optimiser: a start from which the images part is none; what else fails is told."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import SimpleITK as sitk
from heads import make_grid, make_head, make_pose

from lesion_dash.core.errors import InputError
from lesion_dash.scans.registration.levels import foreground_of, make_level
from lesion_dash.scans.registration.search import Steps, maximise_correlation, maximise_information
from lesion_dash.scans.registration.task import Task, Volume
from lesion_dash.transforms.transform import Transform

GRID = make_grid((120, 120, 120), 10)
STEPS = Steps(first_mm=2, last_mm=0.5, most=5)
ENDS = [
    pytest.param(maximise_information, id="information"),
    pytest.param(maximise_correlation, id="correlation"),
]


def level():
    head = Volume(make_head(GRID), GRID)
    task = Task(head, head, "rigid", Transform())
    return make_level(task, foreground_of(head), 10)


@pytest.mark.parametrize("model", ["rigid", "affine"])
def test_images_that_part_are_a_failed_start(model):
    away = make_pose(shift=(9000, 0, 0))
    assert maximise_information(level(), away, model, STEPS) is None
    assert maximise_information(level(), np.eye(4), model, STEPS) is not None


def test_every_way_in_which_itk_says_that_images_part_is_a_failed_start(monkeypatch):
    for words in ("All samples map outside", "No valid points were found", "PDF summed to zero"):
        fail = mock.Mock(side_effect=RuntimeError(f"ITK ERROR: Metric(0x1): {words} ..."))
        monkeypatch.setattr(sitk.ImageRegistrationMethod, "Execute", fail)
        assert maximise_correlation(level(), np.eye(4), "rigid", STEPS) is None


@pytest.mark.parametrize("maximise", ENDS)
def test_another_failure_of_itk_is_no_failed_start(monkeypatch, maximise):
    def fail(*_):
        raise RuntimeError(
            "Exception thrown in SimpleITK ImageRegistrationMethod_Execute: /tmp/x.hxx:9:\n"
            "ITK ERROR: Thing(0x55): Failed to allocate memory for image."
        )

    monkeypatch.setattr(sitk.ImageRegistrationMethod, "Execute", fail)
    said = "SimpleITK: the engine failed: Failed to allocate memory for image.; try another engine"
    with pytest.raises(InputError, match=said) as caught:
        maximise(level(), np.eye(4), "rigid", STEPS)
    assert "ImageRegistrationMethod_Execute" in caught.value.details[0]
