"""A Dask cluster that is running already: functions run on its workers."""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import count, islice
from platform import python_version
from threading import Lock
from typing import Any, TypeVar
from uuid import uuid4

from ..core.errors import InputError, LesionDashError, SetupError
from ..files.paths import without_password

A = TypeVar("A")


def own_versions() -> dict[str, str]:
    """What must be the same on every worker, for the same bits and to understand each other."""
    return versions_of(version("lesion-dash"), version("numpy"), python_version())


def worker_address() -> str:
    """The address of the worker that runs this function."""
    from distributed import get_worker

    return str(get_worker().address)


def versions_of(own: str | None, numpy: str | None, python: str) -> dict[str, str]:
    """The versions that are compared, from those that a worker states."""
    missing = "none"
    return {
        "lesion_dash": own or missing,
        "numpy": _minor(numpy or missing),
        "Python": _minor(python),
    }


def _minor(number: str) -> str:
    return ".".join(number.split(".")[:2])


def check_versions(worker: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> None:
    """Raise SetupError where a worker has other versions."""
    for name, expected in ours.items():
        if theirs[name] != expected:
            problem = f"worker runs {name} {theirs[name]}, this computer {expected}"
            raise SetupError(worker, problem, "install the same there and start the worker again")


def guarded(versions: Mapping[str, str], function: Callable[..., A], *arguments: Any) -> A:
    """Run a task, unless on a worker that came later and has other versions."""
    if (own := own_versions()) != versions:
        check_versions(worker_address(), own, versions)
    return function(*arguments)


# The workers of a cluster, and functions that are run on them.


PATIENCE = 10
"""Seconds that a scheduler has to answer, and a first worker to come."""

_NO_WORKER = 60  # seconds without a worker, after which none is expected back
_LOOK = 2  # seconds between two looks at the cluster while a result is awaited
_RETRIES = 3

T = TypeVar("T")
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
class RemoteResult:
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
    ) -> Generator[tuple[A, RemoteResult]]:
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
        waiting: deque[tuple[list[T], RemoteResult, Any]] = deque()
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
    ) -> Generator[tuple[A, RemoteResult]]:
        for item in chunk:
            kept, answer = self._start(function, [item])
            try:
                yield self._result(answer), kept
            except (WorkersEnded, WorkerMemory) as error:
                yield failed(item, error), RemoteResult(None)

    def combine(
        self,
        kept: Sequence[tuple[RemoteResult, str]],
        cut: Callable[[G, tuple[Any, Any], str], Any],
        merge: Callable[[G, list[Any]], M],
        groups: Iterable[G],
    ) -> Generator[M]:
        """Bring together, for every group, its parts of all that is kept.

        Parameters
        ----------
        kept : sequence of (RemoteResult, str)
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

    def _start(self, function: Callable[..., Any], chunk: list[T]) -> tuple[RemoteResult, Any]:
        pair = self._submit(function, chunk)
        return RemoteResult(pair), self._submit(_first, pair)

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


# What Dask says on its own account, held back.


class Silence:
    """What goes wrong is told by us, once: Dask itself keeps silent on this computer.

    Connections of several threads may overlap, in any order: the first one begins the silence,
    the last one ends it. `warnings.catch_warnings` cannot be used: it puts back all filters as
    they were when it was entered, those of other threads included.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._connections = 0
        self._levels: dict[logging.Logger, int] = {}
        self._filter: Any = None

    def __enter__(self) -> None:
        with self._lock:
            self._connections += 1
            if self._connections == 1:
                self._begin()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._connections -= 1
            if not self._connections:
                self._end()

    def _begin(self) -> None:
        from distributed.versions import VersionMismatchWarning

        loggers = [logging.getLogger(f"distributed.{name}") for name in ("client", "core", "comm")]
        self._levels = {logger: logger.level for logger in loggers}
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        # Versions are compared by us, and those that matter are an error.
        warnings.simplefilter("ignore", VersionMismatchWarning)
        self._filter = warnings.filters[0]

    def _end(self) -> None:
        for logger, level in self._levels.items():
            logger.setLevel(level)
        filters: Any = warnings.filters
        with suppress(ValueError):  # somebody has put back filters of an earlier moment
            filters.remove(self._filter)


SILENCE = Silence()
"""Held by every connection."""


# The way to a cluster: a scheduler that answers, and workers that fit this program.


SCHEDULER_VARIABLE = "LESION_DASH_SCHEDULER"
"""Environment variable: the scheduler that is used where none is named."""

_ADDRESS = re.compile(r"(tcp|tls)://[^/@\s]+:(\d{1,5})")
_LAST_PORT = 65535
_TLS = "distributed.comm.tls.ca-file and distributed.comm.tls.client.cert and .key"


@contextmanager
def connect(address: str) -> Iterator[Cluster]:
    """Connect to a scheduler whose workers fit this program; afterwards nothing of ours is there.

    Parameters
    ----------
    address : str
        Such as ``tcp://127.0.0.1:8786``.

    Raises
    ------
    InputError
        Where Dask is not installed here, the address is none, nobody answers within 10 s, there
        is no worker, or a worker runs other versions.
    """
    _check_address(address)
    try:
        import distributed
    except ImportError:
        problem, remedy = "needs Dask, which is not installed", "pip install 'lesion-dash[cluster]'"
        raise InputError("scheduler", problem, remedy) from None
    security = distributed.Security()  # as Dask's own configuration says
    if address.startswith("tls://"):
        _check_certificates(address, security)
    elif security.require_encryption:
        problem = "is not encrypted, and Dask's configuration asks for encryption"
        raise InputError(address, problem, "use a tls:// scheduler")
    with SILENCE:
        try:
            client = distributed.Client(
                address, timeout=PATIENCE, set_as_default=False, security=security
            )
        except (OSError, ValueError):
            problem = f"no scheduler answers within {PATIENCE} s"
            remedy = "start `dask scheduler` there, or check host and port"
            raise InputError(address, problem, remedy) from None
        try:
            cluster = Cluster(client, address)
            cluster.check_workers()
            yield cluster
        finally:
            with suppress(Exception):  # a scheduler that is gone has nothing of ours to release
                client.close(timeout=PATIENCE)


def _check_address(address: str) -> None:
    shown = without_password(address)
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise InputError(shown, "is no address of a scheduler", "write it as tcp://host:8786")
    if not 1 <= int(found[2]) <= _LAST_PORT:
        problem = f"port {found[2]} does not exist"
        raise InputError(shown, problem, f"give one from 1 to {_LAST_PORT}, such as 8786")


def _check_certificates(address: str, security: Any) -> None:
    """Raise InputError where Dask's configuration names no certificates, or they cannot be read."""
    try:
        context = security.get_connection_args("client").get("ssl_context")
    except (OSError, ValueError) as error:  # the errors of TLS are errors of the system
        problem = f"the certificates in Dask's configuration cannot be used ({error})"
        raise InputError(address, problem, f"check {_TLS}") from None
    if context is None:
        problem = "tls:// needs certificates, and Dask's configuration names none"
        raise InputError(address, problem, f"set {_TLS} there")
