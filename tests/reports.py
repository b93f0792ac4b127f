"""A small study for the tests of reports: two folders, participants and an atlas."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
from phantoms import SHAPE, image, random_masks, write_masks

from lesion_dash.atlas.atlas import Atlas
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.cohort import Cohort
from lesion_dash.cohort.loading import load_cohort

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


def cohorts(root: Path) -> list[Cohort]:
    return [load_cohort(root / letter) for letter in "ab"]


def atlas_of(root: Path) -> Atlas:
    return load_atlas(root / "areas.nii.gz", root / "areas.csv")
