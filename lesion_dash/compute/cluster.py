"""The workers of a cluster, and functions that are run on them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from typing import Any, TypeVar
from uuid import uuid4

from ..errors import InputError, LesionDashError
from .versions import check_versions, guarded, own_versions, versions_of

PATIENCE = 10
"""Seconds that a scheduler has to answer, and a first worker to come."""

_NO_WORKER = 60  # seconds without a worker, after which none is expected back
_LOOK = 2  # seconds between two looks at the cluster while a result is awaited
_RETRIES = 3

T = TypeVar("T")
A = TypeVar("A")
G = TypeVar("G")
M = TypeVar("M")


class WorkersEnded(LesionDashError):
    """A task was tried on several workers, and each of them ended: killed, or out of memory."""

    def __init__(self, times: int) -> None:
        super().__init__(f"a task {self._ended(times)}; start them again with more memory each")
        self.times = times

    @property
    def what(self) -> str:
        """What the task did, to go on with in a sentence."""
        return self._ended(self.times)

    @staticmethod
    def _ended(times: int) -> str:
        return f"ended {times} worker{'s' if times != 1 else ''}, out of memory perhaps"


class WorkerMemory(LesionDashError):
    """A task asked for more memory than its worker has; the worker lives."""

    def __init__(self) -> None:
        super().__init__(f"a task {self.what}; start workers with more each")

    @property
    def what(self) -> str:
        """What the task did, to go on with in a sentence."""
        return "needs more memory than a worker has"


TooMuch = WorkersEnded | WorkerMemory
"""A task that the workers cannot do."""


@dataclass(frozen=True, eq=False)
class Kept:
    """A result that stays on the workers as long as this is held."""

    future: Any


class Cluster:
    """The workers behind a scheduler; see `connect`."""

    def __init__(self, client: Any, address: str) -> None:
        from distributed import KilledWorker
        from distributed.client import ClosedClientError

        self._killed: Any = KilledWorker
        self._client = client
        self._address = address
        self._gone = (CancelledError, ClosedClientError, OSError)
        self._versions = own_versions()
        self._run = uuid4().hex
        self._numbers = count()

    def check_workers(self) -> None:
        """Raise InputError where there is no worker, or one with other versions than ours."""
        with self._connected():
            try:
                self._client.wait_for_workers(1, timeout=PATIENCE)
            except TimeoutError:
                remedy = f"start one with `dask worker {self._address}`"
                raise InputError(self._address, "has no workers", remedy) from None
            found = self._client.get_versions(packages=["lesion-dash"])["workers"]
        for worker, facts in found.items():
            packages = facts["packages"]
            theirs = versions_of(packages["lesion-dash"], packages["numpy"], packages["python"])
            check_versions(worker, theirs, self._versions)

    @property
    def threads(self) -> int:
        """Tasks that the workers can run together, at least 1."""
        with self._connected():
            return max(1, sum(self._client.nthreads().values()))

    def map(
        self,
        function: Callable[[list[T]], tuple[A, Any]],
        chunks: Iterable[list[T]],
        failed: Callable[[T, TooMuch], A],
    ) -> Generator[tuple[A, Kept]]:
        """Run a function on every chunk; two chunks a thread are under way at most.

        A chunk whose task ends its workers or their memory is run again item by item, with nothing
        of ours beside it, so that no other item is blamed.

        Parameters
        ----------
        function : callable
            Returns a pair: an answer, and what is to stay on the workers.
        chunks : iterable of list
        failed : callable
            Gives the answer for an item that the workers cannot do.

        Yields
        ------
        answer, kept
            In the order of the chunks; several for a chunk that was run item by item. What is
            kept is the pair.
        """
        source = iter(chunks)
        waiting: deque[tuple[list[T], Kept, Any]] = deque()
        while True:
            for chunk in islice(source, max(0, 2 * self.threads - len(waiting))):
                waiting.append((chunk, *self._start(function, chunk)))
            if not waiting:
                return
            chunk, kept, answer = waiting.popleft()
            try:
                yield self._result(answer), kept
            except (WorkersEnded, WorkerMemory):
                for _, _, other in waiting:
                    self._wait(other)
                yield from self._one_by_one(function, chunk, failed)

    def _one_by_one(
        self,
        function: Callable[[list[T]], tuple[A, Any]],
        chunk: list[T],
        failed: Callable[[T, TooMuch], A],
    ) -> Generator[tuple[A, Kept]]:
        for item in chunk:
            kept, answer = self._start(function, [item])
            try:
                yield self._result(answer), kept
            except (WorkersEnded, WorkerMemory) as error:
                yield failed(item, error), Kept(None)

    def combine(
        self,
        kept: Sequence[tuple[Kept, str]],
        cut: Callable[[G, tuple[Any, Any], str], Any],
        merge: Callable[[G, list[Any]], M],
        groups: Iterable[G],
    ) -> Generator[M]:
        """Bring together, for every group, its parts of all that is kept.

        Parameters
        ----------
        kept : sequence of (Kept, str)
            What `map` kept, with a text that is handed on to `cut`.
        cut : callable
            ``cut(group, pair, text)`` takes a group's part out of what is kept.
        merge : callable
            ``merge(group, parts)``, with a part for everything that is kept.
        groups : iterable

        Yields
        ------
        merged
            In the order of the groups; one group a thread is under way at most.
        """
        futures, texts = [each.future for each, _ in kept], [text for _, text in kept]
        source = iter(groups)
        waiting: deque[tuple[G, Any]] = deque()

        def begin(group: G) -> Any:
            parts = self._submit_each(partial(cut, group), futures, texts)
            return self._submit(merge, group, parts)

        while True:
            for group in islice(source, max(0, self.threads - len(waiting))):
                waiting.append((group, begin(group)))
            if not waiting:
                return
            group, merged = waiting.popleft()
            try:
                answer = self._result(merged)
            except WorkersEnded as error:
                answer = self._combine_again(partial(begin, group), futures, error)
            yield answer

    def _combine_again(
        self, begin: Callable[[], Any], futures: Sequence[Any], error: WorkersEnded
    ) -> Any:
        """The answer for a group whose parts were lost, as long as there are parts to make again.

        A worker may end for a reason of its own while they are made: one more is no verdict.
        """
        for _ in range(_RETRIES):
            if not self._make_again(futures):
                break
            try:
                return self._result(begin())
            except WorkersEnded as again:
                error = again
        raise error

    def _make_again(self, futures: Sequence[Any]) -> bool:
        """Make again what was given up though it ended no worker; False where there is none.

        What is lost with a worker is made anew on others. Should a task that ends workers run
        beside it, the scheduler blames both.
        """
        blamed = [future for future in futures if future.status == "error"]
        if blamed:
            with self._connected():
                self._client.retry(blamed)
            for future in blamed:
                self._wait(future)
        return bool(blamed)

    def _start(self, function: Callable[..., Any], chunk: list[T]) -> tuple[Kept, Any]:
        pair = self._submit(function, chunk)
        return Kept(pair), self._submit(_first, pair)

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with self._connected():
            task = partial(guarded, self._versions, function)
            return self._client.submit(
                task, *arguments, key=self._key(), pure=False, retries=_RETRIES
            )

    def _submit_each(self, function: Callable[..., Any], *arguments: Sequence[Any]) -> list[Any]:
        if not arguments[0]:
            return []
        keys = [self._key() for _ in arguments[0]]
        with self._connected():
            task = partial(guarded, self._versions, function)
            return list(self._client.map(task, *arguments, key=keys, pure=False, retries=_RETRIES))

    def _key(self) -> str:
        # Keys of this run alone: a result that another run left is never taken for ours.
        return f"lesion_dash-{self._run}-{next(self._numbers)}"

    def _result(self, future: Any) -> Any:
        if (error := self._wait(future)) is not None:
            raise error
        try:
            return self._ask(future.result)
        except self._killed as killed:  # lost with its worker, and could not be made again
            raise self._explain(killed) from None

    def _wait(self, future: Any) -> Exception | None:
        """Wait until a task is done, and return its error."""
        error = self._ask(future.exception)
        return None if error is None else self._explain(error)

    def _ask(self, question: Callable[..., Any]) -> Any:
        """Ask until there is an answer, and look after the cluster meanwhile."""
        since = time.monotonic()
        patience = _LOOK
        with self._connected():
            while True:
                with suppress(TimeoutError):
                    return question(timeout=patience)
                since = self._check_alive(since)
                # An answer that takes long to come over must not be begun again for ever.
                patience = min(2 * patience, _NO_WORKER)

    def _check_alive(self, since: float) -> float:
        """When a worker was last seen; an error where that is long ago."""
        now = time.monotonic()
        if self._client.nthreads():
            return now
        if now - since > _NO_WORKER:
            problem = f"has had no worker for {_NO_WORKER} s"
            raise InputError(self._address, problem, "start workers, then run this again")
        return since

    def _explain(self, error: Exception) -> Exception:
        if isinstance(error, self._killed):
            return WorkersEnded(error.allowed_failures + 1)
        if isinstance(error, CancelledError):
            return self._lost()
        if isinstance(error, ModuleNotFoundError):
            problem = f"a worker lacks the package {error.name}"
            return InputError(self._address, problem, "install lesion_dash on every worker")
        if isinstance(error, MemoryError):
            return WorkerMemory()
        return error

    @contextmanager
    def _connected(self) -> Iterator[None]:
        try:
            yield
        except self._gone:
            raise self._lost() from None

    def _lost(self) -> InputError:
        remedy = "nothing was written; start it again, then run this again"
        return InputError(self._address, "the connection to the scheduler was lost", remedy)


def _first(pair: tuple[A, Any]) -> A:
    return pair[0]
