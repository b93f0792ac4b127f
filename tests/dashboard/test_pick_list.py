"""A list of many names to choose from."""

from __future__ import annotations

import pytest

from lesion_dash.dashboard import pick_list
from lesion_dash.dashboard.pick_list import PickList


def test_each_name_is_asked_a_few_times_however_many_are_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"region {number}" for number in range(200)]
    chooser = PickList("region")
    chooser.offer(names)
    chooser.all.click()
    assert chooser.value == tuple(names)
    fits, asked = pick_list.fits, []

    def count(name: str, search: str) -> bool:
        asked.append(name)
        return fits(name, search)

    monkeypatch.setattr(pick_list, "fits", count)
    chooser.search.value = "region 19"
    assert chooser.value == ("region 19", *(f"region {number}" for number in range(190, 200)))
    assert len(asked) < 10 * len(names)
