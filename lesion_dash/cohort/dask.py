"""A Dask cluster that is running already: functions run on its workers."""

from __future__ import annotations

import logging
import os
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
from operator import itemgetter
from platform import python_version
from threading import Lock
from typing import Any, TypeVar
from uuid import uuid4

from ..core.errors import InputError, LesionDashError, SetupError
from ..files.paths import without_password

T = TypeVar("T")
A = TypeVar("A")
G = TypeVar("G")
M = TypeVar("M")

SCHEDULER_VARIABLE = "LESION_DASH_SCHEDULER"
"""Environment variable: the scheduler that is used where none is named."""


def scheduler_to_use(address: str | None = None) -> str | None:
    """The address that is named, else that of the environment now; None for this computer."""
    return (
        address if address is not None else os.environ.get(SCHEDULER_VARIABLE, "").strip() or None
    )


_ADDRESS = re.compile(r"(tcp|tls)://[^/@\s]+:(\d{1,5})")
_LAST_PORT = 65535
_TLS = "distributed.comm.tls.ca-file and distributed.comm.tls.client.cert and .key"
_RETRIES = 3  # arbitrary, as a scheduler's own limit of workers that a task may end
_OPTIONS: dict[str, Any] = {"pure": False, "retries": _RETRIES}


@dataclass(frozen=True)
class Patience:
    """Seconds that are waited for a cluster, all of them arbitrary.

    Parameters
    ----------
    answer : float
        For a scheduler to answer, and for a first worker to come.
    look : float
        Between two looks at the cluster while a result is awaited.
    worker : float
        Without any worker, until none is expected back.
    """

    answer: float = 10
    look: float = 2
    worker: float = 60


PATIENCE = Patience()


def own_versions() -> dict[str, str]:
    """What must be the same on every worker, for the same bits and to understand each other."""
    return _versions(version("lesion-dash"), version("numpy"), python_version())


def _versions(own: str | None, numpy: str | None, python: str) -> dict[str, str]:
    # Arithmetic and the form of messages change with minor versions, not with patches.
    numpy, python = (".".join((text or "none").split(".")[:2]) for text in (numpy, python))
    return {"lesion_dash": own or "none", "numpy": numpy, "Python": python}


def worker_address() -> str:
    """The address of the worker that runs this function."""
    from distributed import get_worker

    return str(get_worker().address)


def _check_versions(worker: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> None:
    for name, expected in ours.items():
        if theirs[name] != expected:
            problem = f"worker runs {name} {theirs[name]}, this computer {expected}"
            raise SetupError(worker, problem, "install the same there and start the worker again")


def _run_task(versions: Mapping[str, str], function: Callable[..., A], *arguments: Any) -> A:
    """Run a task, unless on a worker that came later and has other versions."""
    if (own := own_versions()) != versions:
        _check_versions(worker_address(), own, versions)
    return function(*arguments)


class TaskFailed(LesionDashError):
    """A task that the workers cannot do.

    Parameters
    ----------
    what : str
        What the task did, to go on with in a sentence.
    remedy : str
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"a task {what}; {remedy}")
        self.what = what


class WorkersEnded(TaskFailed):
    """A task was tried on several workers, and each of them ended: killed, or out of memory."""

    def __init__(self, times: int) -> None:
        workers = "1 worker" if times == 1 else f"{times} workers"
        what = f"ended {workers}, out of memory perhaps"
        super().__init__(what, "start them again with more memory each")


class WorkerMemory(TaskFailed):
    """A task asked for more memory than its worker has; the worker lives."""

    def __init__(self) -> None:
        super().__init__("needs more memory than a worker has", "start workers with more each")


@dataclass(frozen=True, eq=False)
class RemoteResult:
    """A result that stays on the workers as long as this is held."""

    future: Any


class Cluster:
    """The workers behind a scheduler; see `connect`.

    Parameters
    ----------
    client : distributed.Client
    address : str
        Of the scheduler.
    patience : Patience
    versions : mapping, optional
        Those that workers must have, by default `own_versions`.
    """

    def __init__(
        self,
        client: Any,
        address: str,
        patience: Patience = PATIENCE,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        from distributed import KilledWorker
        from distributed.client import ClosedClientError

        self._killed: Any = KilledWorker
        self._client = client
        self._address = address
        self._patience = patience
        self._gone = (CancelledError, ClosedClientError, OSError)
        self._versions = own_versions() if versions is None else versions
        self._run = uuid4().hex
        self._numbers = count()

    def check_workers(self) -> None:
        """Raise InputError where there is no worker, or one with other versions than ours."""
        with self._connected():
            try:
                self._client.wait_for_workers(1, timeout=self._patience.answer)
            except TimeoutError:
                remedy = f"start one with `dask worker {self._address}`"
                raise InputError(self._address, "has no workers", remedy) from None
            workers = self._client.get_versions(packages=["lesion-dash"])["workers"]
        for worker, facts in workers.items():
            packages = facts["packages"]
            theirs = _versions(packages["lesion-dash"], packages["numpy"], packages["python"])
            _check_versions(worker, theirs, self._versions)

    @property
    def threads(self) -> int:
        """Tasks that the workers can run together, at least 1."""
        with self._connected():
            return max(1, sum(self._client.nthreads().values()))

    def map(
        self,
        function: Callable[[list[T]], tuple[A, Any]],
        chunks: Iterable[list[T]],
        failed: Callable[[T, TaskFailed], A],
    ) -> Generator[tuple[A, RemoteResult]]:
        """Run a function on every chunk; two chunks a thread are under way at most.

        A chunk whose task ends its workers or their memory is run again item by item, with nothing
        of ours next to it, so that no other item is blamed.

        Parameters
        ----------
        function : callable
            Returns a pair: an answer, and what is to stay on the workers.
        chunks : iterable of list
        failed : callable
            Gives the answer for an item that the workers cannot do.

        Yields
        ------
        answer, result
            In the order of the chunks; several for a chunk that was run item by item. What stays
            on the workers is the pair.
        """
        source = iter(chunks)
        waiting: deque[tuple[list[T], RemoteResult, Any]] = deque()
        while True:
            # Two a thread: one runs, and the next is there when it ends.
            for chunk in islice(source, max(0, 2 * self.threads - len(waiting))):
                waiting.append((chunk, *self._start(function, chunk)))
            if not waiting:
                return
            chunk, remote, answer = waiting.popleft()
            try:
                yield self._result(answer), remote
            except TaskFailed:
                for _, _, other in waiting:
                    self._wait(other)
                for item in chunk:
                    remote, answer = self._start(function, [item])
                    try:
                        yield self._result(answer), remote
                    except TaskFailed as error:
                        yield failed(item, error), RemoteResult(None)

    def combine(
        self,
        results: Sequence[tuple[RemoteResult, str]],
        cut: Callable[[G, tuple[Any, Any], str], Any],
        merge: Callable[[G, list[Any]], M],
        groups: Iterable[G],
    ) -> Generator[M]:
        """Bring together, for every group, its parts of all that stayed on the workers.

        Parameters
        ----------
        results : sequence of (RemoteResult, str)
            Those of `map`, with a text that is handed on to `cut`.
        cut : callable
            ``cut(group, pair, text)`` takes a group's part out of a result.
        merge : callable
            ``merge(group, parts)``, with a part of every result.
        groups : iterable

        Yields
        ------
        merged
            In the order of the groups; one group a thread is under way at most.
        """
        futures, texts = [result.future for result, _ in results], [text for _, text in results]
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
            # Parts may be lost with a worker that ended for a reason of its own, also while they
            # are made again: one more is not a verdict, as long as there are parts to make again.
            for attempt in count():
                try:
                    answer = self._result(begin(group) if attempt else merged)
                    break
                except WorkersEnded:
                    if attempt == _RETRIES or not self._make_again(futures):
                        raise
            yield answer

    def _make_again(self, futures: Sequence[Any]) -> bool:
        """Make again what was given up though it ended no worker; False where there is none.

        What is lost with a worker is made anew on others. Should a task that ends workers run
        at the same time, the scheduler blames both.
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
        return RemoteResult(pair), self._submit(itemgetter(0), pair)

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with self._connected():
            task = partial(_run_task, self._versions, function)
            return self._client.submit(task, *arguments, key=self._key(), **_OPTIONS)

    def _submit_each(self, function: Callable[..., Any], *arguments: Sequence[Any]) -> list[Any]:
        if not arguments[0]:
            return []
        keys = [self._key() for _ in arguments[0]]
        with self._connected():
            task = partial(_run_task, self._versions, function)
            return list(self._client.map(task, *arguments, key=keys, **_OPTIONS))

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
        patience = self._patience.look
        with self._connected():
            while True:
                with suppress(TimeoutError):
                    return question(timeout=patience)
                since = self._check_alive(since)
                # An answer that takes long to come over must not be begun again for ever.
                patience = min(2 * patience, self._patience.worker)

    def _check_alive(self, since: float) -> float:
        """When a worker was last seen; an error where that is long ago."""
        now = time.monotonic()
        if self._client.nthreads():
            return now
        if now - since > self._patience.worker:
            problem = f"has had no worker for {self._patience.worker:g} s"
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


class _Silence:
    """Dask's own messages, held back on this computer: what goes wrong is one sentence of ours.

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
        from distributed.versions import VersionMismatchWarning

        with self._lock:
            self._connections += 1
            if self._connections > 1:
                return
            names = (f"distributed.{name}" for name in ("client", "core", "comm"))
            self._levels = {logger: logger.level for logger in map(logging.getLogger, names)}
            for logger in self._levels:
                logger.setLevel(logging.CRITICAL)
            # Versions are compared by us, and those that matter are an error.
            warnings.simplefilter("ignore", VersionMismatchWarning)
            self._filter = warnings.filters[0]

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._connections -= 1
            if self._connections:
                return
            for logger, level in self._levels.items():
                logger.setLevel(level)
            filters: Any = warnings.filters
            with suppress(ValueError):  # somebody has put back filters of an earlier moment
                filters.remove(self._filter)


_SILENCE = _Silence()


@contextmanager
def connect(address: str, patience: Patience = PATIENCE) -> Iterator[Cluster]:
    """Connect to a scheduler whose workers fit this program; afterwards nothing of ours is there.

    Parameters
    ----------
    address : str
        Such as ``tcp://127.0.0.1:8786``.
    patience : Patience

    Raises
    ------
    InputError
        Where Dask is not installed here, the address is not one, nobody answers in time, there is
        no worker, or a worker runs other versions.
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
    with _SILENCE:
        try:
            options = {"set_as_default": False, "security": security}
            client = distributed.Client(address, timeout=patience.answer, **options)
        except (OSError, ValueError):
            problem = f"no scheduler answers within {patience.answer:g} s"
            remedy = "start `dask scheduler` there, or check host and port"
            raise InputError(address, problem, remedy) from None
        try:
            cluster = Cluster(client, address, patience)
            cluster.check_workers()
            yield cluster
        finally:
            with suppress(Exception):  # a scheduler that is gone has nothing of ours to release
                client.close(timeout=patience.answer)


def _check_address(address: str) -> None:
    shown = without_password(address)
    parts = _ADDRESS.fullmatch(address)
    if parts is None:
        raise InputError(shown, "is not the address of a scheduler", "write it as tcp://host:8786")
    if not 1 <= int(parts[2]) <= _LAST_PORT:
        problem = f"port {parts[2]} does not exist"
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
