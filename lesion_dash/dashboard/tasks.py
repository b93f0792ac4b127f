"""Work beside the page: one thread at a time, answers on the kernel's own loop."""

from __future__ import annotations

import asyncio
import functools
import queue
import threading
from collections.abc import Callable
from typing import Any

Job = Callable[[], Any]
Done = Callable[[Any], None]
Failed = Callable[[Exception], None]


FRAME = 0.04
"""Seconds. What a moving slider changes at once: so many are two frames of most screens, and less
is not seen."""

PAUSE = 0.25
"""Seconds. What takes long enough to be felt waits until a hand has come to rest: shorter than the
half second after which an interface seems slow, longer than two steps of a key that is held."""

QUIET = 0.4
"""Seconds. What follows all the rest, such as the address: after what `PAUSE` holds back has begun,
no page that follows a choice clears the banner any more."""


class Activity:
    """Counts what is still to be done: jobs, and calls that were put off.

    Examples
    --------
    >>> activity = Activity()
    >>> activity.begin()
    >>> activity.is_busy
    True
    >>> activity.end()
    >>> activity.is_busy
    False
    """

    def __init__(self) -> None:
        self._count = 0
        self._heard: list[Callable[[], None]] = []

    @property
    def is_busy(self) -> bool:
        """Whether anything is still to be done."""
        return self._count > 0

    def observe(self, heard: Callable[[], None]) -> None:
        """Tell somebody whenever work begins or ends."""
        self._heard.append(heard)

    def begin(self) -> None:
        """Something is to be done; call it where widgets are changed."""
        self._change(1)

    def end(self) -> None:
        """It is done; call it where widgets are changed."""
        self._change(-1)

    def _change(self, step: int) -> None:
        was_busy = self.is_busy
        self._count += step
        if self.is_busy != was_busy:
            for heard in self._heard:
                heard()


ACTIVITY = Activity()
"""Of this process: a kernel has one page."""


def guarded(action: Callable[..., Any], failed: Failed) -> Callable[..., None]:
    """Wrap a callback: an exception in a widget's callback would otherwise appear nowhere."""

    @functools.wraps(action)
    def call(*args: Any) -> None:
        try:
            action(*args)
        except Exception as error:
            failed(error)

    return call


class CallQueue:
    """Makes the calls that threads ask for on one thread: on the kernel's own loop.

    Where no loop runs, whoever waits for the threads makes them: two threads that change widgets
    at the same time undo each other's changes.

    Examples
    --------
    >>> calls = CallQueue()
    >>> calls.add(print, "done")
    >>> calls.run()
    done
    True
    """

    def __init__(self) -> None:
        self._loop = running_loop()
        self._waiting: queue.SimpleQueue[functools.partial[None]] = queue.SimpleQueue()

    def add(self, action: Callable[..., None], *values: Any) -> None:
        """Ask for a call, from any thread."""
        if self._loop is None:
            self._waiting.put(functools.partial(action, *values))
        else:
            self._loop.call_soon_threadsafe(action, *values)

    def run(self) -> bool:
        """Make the calls that no loop makes; returns whether there were any."""
        is_any = False
        while not self._waiting.empty():
            self._waiting.get()()
            is_any = True
        return is_any


class Worker:
    """A thread that does the newest job it was given; jobs overtaken while waiting are dropped.

    Parameters
    ----------
    failed : callable
        Given the exception of the newest job: that of one before is of choices that hold no more.
    calls : CallQueue, optional
        Where the answers are given; one of its own where there are no other workers.
    """

    def __init__(self, failed: Failed, calls: CallQueue | None = None) -> None:
        self._failed = failed
        self._calls = calls or CallQueue()
        self._lock = threading.Lock()
        self._waiting: tuple[Job, Done] | None = None
        self._newest: Job | None = None
        self._thread: threading.Thread | None = None

    def submit(self, job: Job, done: Done) -> None:
        """Do `job` in the thread and give what it returns to `done` on the loop."""
        with self._lock:
            self._waiting, self._newest = (job, done), job
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                ACTIVITY.begin()
                self._thread.start()

    def drop(self) -> None:
        """Nothing is wanted any more: a job that waits is not done, and none tells its fault."""
        with self._lock:
            self._waiting = self._newest = None

    def join(self, seconds: float = 60.0) -> bool:
        """Wait until nothing is left to do; returns whether answers were given meanwhile."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return self._calls.run()

    def tell(self, action: Callable[..., None], *values: Any) -> None:
        """From within a job: call something on the loop, such as to show how far it has come."""
        self._calls.add(action, *values)

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._waiting is None:
                    self._thread = None
                    self.tell(ACTIVITY.end)  # after its answers were given
                    return
                job, done = self._waiting
                self._waiting = None
            try:
                result = job()
            except Exception as error:
                self.tell(self._fail, job, error)
            else:
                self.tell(guarded(done, self._failed), result)

    def _fail(self, job: Job, error: Exception) -> None:
        if job is self._newest:
            self._failed(error)


class _Delayed:
    """A call that is put off, and counted as work until it is made."""

    def __init__(self, seconds: float, action: Callable[[], None]) -> None:
        self._seconds = seconds
        self._action = action
        self._timer: asyncio.TimerHandle | None = None

    def _wait(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        if self._timer is None:
            ACTIVITY.begin()
        else:
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._due, loop)

    def _due(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        try:
            self._call(loop)
        finally:
            ACTIVITY.end()  # what the call has begun is counted by now

    def _call(self, _loop: asyncio.AbstractEventLoop) -> None:
        self._action()


class Debounce(_Delayed):
    """Call something once things have been quiet for a while; at once where no loop runs.

    Parameters
    ----------
    seconds : float
        One of `FRAME`, `PAUSE` and `QUIET`.
    action : callable
    """

    def __call__(self) -> None:
        """Ask for it."""
        loop = running_loop()
        if loop is None:
            self._action()
        else:
            self._wait(loop, self._seconds)

    def cancel(self) -> bool:
        """Do not call what was asked for; returns whether it was still to be called."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            ACTIVITY.end()
        return timer is not None


class Throttle(_Delayed):
    """Call something at once, and then no oftener than so; at once where no loop runs.

    What follows a click then waits for nothing, and what follows a drag does not pile up.

    Parameters
    ----------
    seconds : float
        `FRAME`, usually.
    action : callable
    """

    def __init__(self, seconds: float, action: Callable[[], None]) -> None:
        super().__init__(seconds, action)
        self._next = float("-inf")

    def __call__(self) -> None:
        """Ask for it; what was asked for and not done yet is done once."""
        loop = running_loop()
        if loop is None:
            self._action()
        elif self._timer is None and loop.time() >= self._next:
            self._call(loop)
        elif self._timer is None:
            self._wait(loop, self._next - loop.time())

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        self._action()
        self._next = loop.time() + self._seconds


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop of this thread, None outside a kernel."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
