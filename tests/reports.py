"""A small study for the tests of reports: two folders, participants and an atlas."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from phantoms import SHAPE, image, random_masks, write_masks

from lesion_dash import ReportRequest, load_atlas, load_cohort, make_report
from lesion_dash.atlas.atlas import Atlas
from lesion_dash.cohort.cohort import Cohort
from lesion_dash.report.report import Report

DAY = date(2026, 3, 1)

MASKS_A, MASKS_B = random_masks(8, seed=2), random_masks(6, seed=5)


def write_study(root: Path) -> Path:
    """Folders a and b, eight rows of participants, and areas.nii.gz with two regions."""
    write_masks(root / "a", MASKS_A)
    write_masks(root / "b", MASKS_B)
    rows = "".join(f"sub-{n:03}\t{'FM'[n % 2]}\t{60 + n if n else 'n/a'}\n" for n in range(8))
    (root / "participants.tsv").write_text("participant_id\tsex\tage\n" + rows)
    labels = np.zeros(SHAPE, np.int16)
    labels[:3], labels[4:] = 1, 2
    image(labels).to_filename(root / "areas.nii.gz")
    (root / "areas.csv").write_text("index,name\n1,left area\n2,right area\n")
    return root


def cohorts(root: Path, letters: str = "ab") -> list[Cohort]:
    return [load_cohort(root / letter) for letter in letters]


def atlas_of(root: Path) -> Atlas:
    return load_atlas(root / "areas.nii.gz", root / "areas.csv")


def report_on(
    *given: Cohort,
    atlas: Atlas | list[Atlas] | None = None,
    day: date = DAY,
    k: int = 2,
    **request: Any,
) -> Report:
    """A report on one cohort or two, of voxels of at least two patients unless told otherwise."""
    a, b = (*given, None)[:2]
    return make_report(a, b, atlas, ReportRequest(k, **request), day)


@contextmanager
def no_pictures() -> Iterator[None]:
    """Reports without pictures, which take seconds and have tests of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lesion_dash.report.report.drawings", lambda findings: {})
        yield


def text_of(page: str) -> str:
    """What a reader sees of a page, or of a part of it, in one line."""
    shown = re.sub("<(style|title).*?</\\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", shown.replace("<wbr>", ""))).split())
