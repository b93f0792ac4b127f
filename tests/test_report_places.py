"""From which folder a report's command can be run, and what is never told of a computer."""

from __future__ import annotations

from pathlib import Path

import pytest

from lesion_dash.report.reproduction import Places, shared_folder


@pytest.mark.parametrize(
    ("places", "shared"),
    [
        (("/data/study/masks",), "/data/study"),
        (("/data/study/a", "/data/study/b", "/data/study/atlas/areas.nii"), "/data/study"),
        (("/data/study/x/y/masks", "/data/study/areas.nii"), "/data/study"),
        (("/data/study/x/y/z/masks", "/data/study/areas.nii"), None),
        (("/home/ann/masks", "/home/ann/atlases/areas.nii"), "/home/ann"),
        (("/home/ann/masks", "/home/bob/areas.nii"), None),
        (("/study/masks", "/atlases/areas.nii"), None),
        (("/data/study/masks", "/data/study/masks/more"), "/data/study"),
        ((), None),
    ],
    ids=["one", "beside", "deep", "deeper", "home", "homes", "root", "within", "none"],
)
def test_the_shared_folder_is_one_of_a_study(places, shared):
    found = shared_folder([Path(place) for place in places])
    assert found == (Path(shared) if shared else None)


def test_words_say_where_to_run_and_what_to_write():
    def words(held=(), elsewhere=()):
        return Places((), None, (), held, elsewhere).summary

    assert words(("a", "b")) == "Run in the folder that holds a and b."
    assert words(("a",), ("t.nii",)).endswith(" t.nii lies elsewhere: write its path there.")
    assert words((), ("a", "b")) == "a and b lie elsewhere: write their paths there."
    assert words() == "Run in any folder."
