"""What is still to be done is counted, so that the page can say when nothing is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from lesion_dash.dashboard import tasks
from lesion_dash.dashboard.tasks import FRAME, Activity, Debounce, Throttle, Worker
from lesion_dash.dashboard.widgets.idle import Idle


@pytest.fixture
def activity(monkeypatch: pytest.MonkeyPatch) -> Activity:
    """Of this test alone: a worker of another one may still be at work."""
    own = Activity()
    monkeypatch.setattr(tasks, "ACTIVITY", own)
    return own


def ignore(*_: Any) -> None:
    """Do nothing."""


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0)


@pytest.mark.parametrize("kind", [Debounce, Throttle])
def test_a_call_that_is_put_off_counts_until_it_is_made(
    kind: type[Debounce | Throttle], activity: Activity
) -> None:
    calls: list[bool] = []

    async def ask() -> None:
        delayed = kind(FRAME, lambda: calls.append(activity.is_busy))
        for _ in range(3):
            delayed()
        assert activity.is_busy
        await until(lambda: not activity.is_busy)

    asyncio.run(ask())
    assert calls[-1] is True  # what it leads to is begun before it ends
    assert len(calls) == (1 if kind is Debounce else 2)


def test_a_call_that_is_cancelled_counts_no_more(activity: Activity) -> None:
    async def ask() -> None:
        delayed = Debounce(60, ignore)
        delayed()
        assert delayed.cancel()
        assert not activity.is_busy
        assert not delayed.cancel()

    asyncio.run(ask())


def test_a_job_counts_until_its_answer_was_given(activity: Activity) -> None:
    go, answers = threading.Event(), []

    async def ask() -> None:
        worker = Worker(ignore)
        worker.submit(go.wait, lambda answer: answers.append((answer, activity.is_busy)))
        assert activity.is_busy
        go.set()
        await until(lambda: not activity.is_busy)
        worker.submit(lambda: 1 / 0, ignore)  # a job that fails ends as well
        assert activity.is_busy
        await until(lambda: not activity.is_busy)

    asyncio.run(ask())
    assert answers == [(True, True)]


def test_the_page_is_told_when_work_begins_and_when_none_has_followed() -> None:
    async def ask() -> None:
        activity = Activity()
        idle = Idle(activity)
        assert not idle.busy
        activity.begin()
        assert idle.busy
        activity.end()
        activity.begin()  # at once: that was no rest
        assert idle.busy
        activity.end()
        await until(lambda: not idle.busy)

    asyncio.run(ask())
