"""The choices hold whatever the browser sends."""

from __future__ import annotations

import asyncio
import threading

import pytest
import traitlets as t

from lesion_dash.dashboard.state import Choices
from lesion_dash.dashboard.tasks import Throttle, Worker


@pytest.mark.parametrize(("value", "expected"), [(-3, 1), (0, 1), (3, 3), (99, 7)])
def test_min_patients_stays_within_the_cohort(value: int, expected: int) -> None:
    choices = Choices(most_patients=7)
    choices.min_patients = value
    assert choices.min_patients == expected


def test_overlap_needs_a_second_cohort_and_unknown_maps_are_refused() -> None:
    choices = Choices(cohort_a="a")
    with pytest.raises(t.TraitError, match="map_key"):
        choices.map_key = "mode"
    with pytest.raises(t.TraitError, match="second folder"):
        choices.map_key = "overlap"
    choices.cohort_b = "b"
    choices.map_key = "overlap"
    assert choices.selection.map_key == "overlap"


PACE = 0.05


def test_what_is_asked_often_is_done_at_once_and_then_once_more() -> None:
    done: list[float] = []

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        paced = Throttle(PACE, lambda: done.append(loop.time()))
        for _ in range(5):
            paced()
        assert len(done) == 1
        while len(done) < 2:
            await asyncio.sleep(PACE / 5)
        assert done[1] - done[0] >= PACE
        await asyncio.sleep(3 * PACE)
        assert len(done) == 2
        paced()
        assert len(done) == 3

    asyncio.run(asyncio.wait_for(ask(), 60))


def test_what_fails_when_a_result_is_shown_is_told() -> None:
    errors: list[Exception] = []

    def show(_result: object) -> None:
        raise KeyError("column")

    worker = Worker(errors.append)
    worker.submit(lambda: 1, show)
    worker.join()
    assert [repr(error) for error in errors] == ["KeyError('column')"]
    calls: list[int] = []
    paced = Throttle(PACE, lambda: calls.append(1))
    paced()
    paced()
    assert len(calls) == 2  # without a loop nothing is left waiting


def test_without_a_kernel_answers_are_given_by_whoever_waits() -> None:
    threads: list[threading.Thread] = []

    def note(_value: object) -> None:
        threads.append(threading.current_thread())

    def fail() -> None:
        raise ValueError("job")

    worker = Worker(note)
    for job in (lambda: worker.tell(note, "progress"), fail):
        worker.submit(job, note)
        worker.join()
    assert threads == [threading.current_thread()] * 3


def test_the_fault_of_a_job_that_was_overtaken_is_not_told() -> None:
    errors: list[Exception] = []
    shown: list[str] = []
    begun, go = threading.Event(), threading.Event()

    def fail() -> None:
        begun.set()
        assert go.wait(20)
        raise ValueError("the choice before")

    worker = Worker(errors.append)
    worker.submit(fail, shown.append)
    assert begun.wait(20)
    worker.submit(lambda: "the choice now", shown.append)
    go.set()
    worker.join()
    assert (errors, shown) == ([], ["the choice now"])
    begun.clear()
    worker.submit(fail, shown.append)
    assert begun.wait(20)
    worker.drop()
    worker.join()
    assert errors == []
