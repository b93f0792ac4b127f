"""Kernels are ended when nobody looks at their page, never before, and are limited in number."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from served_dashboard import WITHOUT_ROOT

from lesion_dash.core.errors import InputError
from lesion_dash.core.memory import all_memory
from lesion_dash.dashboard.controls import Banner
from lesion_dash.dashboard.environment import RESULTS_VARIABLE, ROOT_VARIABLE
from lesion_dash.server import kernels as kernels_module
from lesion_dash.server import website
from lesion_dash.server.access import Access
from lesion_dash.server.fork_server import CAN_FORK
from lesion_dash.server.kernel_memory import memory_of_kernels
from lesion_dash.server.kernels import NoFreeKernel, PatientKernelManager
from lesion_dash.server.landlock import landlock_version
from lesion_dash.server.serve import server_config
from lesion_dash.server.website import announce

LONG_AGO = datetime.now(UTC) - timedelta(hours=9)


def idle_kernel() -> SimpleNamespace:
    return SimpleNamespace(
        last_activity=LONG_AGO,
        execution_state="idle",
        kernel_name="python3",
        kernel_spec=SimpleNamespace(metadata={}),
    )


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Any:
    """With one kernel, idle since long ago, and a list of the kernels that were ended."""
    ended: list[str] = []

    async def shutdown_kernel(self: Any, kernel_id: str, **_: Any) -> None:
        ended.append(kernel_id)
        self._kernels.pop(kernel_id)

    monkeypatch.setattr(PatientKernelManager, "shutdown_kernel", shutdown_kernel)
    made = PatientKernelManager(cull_idle_timeout=1200)
    made._kernels["k"] = idle_kernel()
    return SimpleNamespace(kernels=made, ended=ended)


def test_an_idle_kernel_is_ended_once_the_clock_has_started(manager: Any) -> None:
    for _ in range(3):
        asyncio.run(manager.kernels.cull_kernel_if_idle("k"))
    assert manager.ended == []
    manager.kernels._kernels["k"].last_activity = LONG_AGO
    asyncio.run(manager.kernels.cull_kernel_if_idle("k"))
    assert manager.ended == ["k"]


class ReadyKernel:
    """A finished task of Voila's pool."""

    def __init__(self, kernel_id: str | None) -> None:
        self.kernel_id = kernel_id

    def done(self) -> bool:
        return self.kernel_id is not None

    def cancelled(self) -> bool:
        return False

    def exception(self) -> None:
        return None

    def result(self) -> dict[str, Any]:
        return {"kernel_id": self.kernel_id}


def test_kernels_kept_ready_are_not_in_use(manager: Any) -> None:
    kernels = manager.kernels
    assert kernels.in_use() == 1
    kernels._pools = {"app.ipynb": [ReadyKernel("k")]}
    assert kernels.in_use() == 0
    kernels._starting, kernels._warming = {"warming", "cold"}, {"warming"}
    kernels._pools = {"app.ipynb": [ReadyKernel(None)]}
    assert kernels.in_use() == 2
    kernels._pools = {"app.ipynb": []}
    assert kernels.in_use() == 3, "a page took the kernel that is still being started"


async def done_task(value: Any) -> Any:
    """A finished task that gives the value, or fails with it."""

    async def give() -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    task = asyncio.ensure_future(give())
    await asyncio.wait([task])
    return task


@pytest.mark.parametrize(
    ("kernel", "rendered", "is_kept"),
    [
        ({"is_alive": True}, "the page", True),
        ({"is_alive": False}, "the page", False),
        ({"is_alive": True, "was_restarted": True}, "the page", False),
        ({"is_alive": True}, RuntimeError("kernel died"), False),
        (None, "the page", False),
    ],
    ids=["well", "process ended", "process started anew", "page failed", "gone"],
)
def test_only_a_kernel_that_holds_its_page_stays_ready(
    manager: Any, kernel: dict[str, bool] | None, rendered: Any, is_kept: bool
) -> None:
    async def is_alive() -> bool:
        assert kernel is not None
        return kernel["is_alive"]

    async def ask() -> list[Any]:
        kernels = manager.kernels
        if kernel is not None:
            was_restarted = kernel.get("was_restarted", False)
            kernels._kernels["ready"] = SimpleNamespace(
                is_alive=is_alive, was_restarted=was_restarted
            )
        content = {"kernel_id": "ready", "task": await done_task(rendered)}
        failed, starting = await done_task(OSError("no memory")), asyncio.Future[Any]()
        kernels._pools = {"app.ipynb": [await done_task(content), failed, starting]}
        await kernels.end_empty()
        return [starting, *kernels._pools["app.ipynb"]]

    starting, *kept = asyncio.run(ask())
    assert starting in kept, "what is being made ready may still become a page"
    assert len(kept) == 1 + is_kept
    assert manager.ended == ([] if is_kept or kernel is None else ["ready"])


@pytest.mark.parametrize("preheat", ["False", "True"])
def test_no_page_gets_a_kernel_too_many(manager: Any, preheat: str) -> None:
    """A page that took a kernel which has not begun is counted."""
    manager.kernels.max_kernels = 1
    manager.kernels._pools = {"app.ipynb": []} if preheat == "True" else {}
    assert not asyncio.run(manager.kernels.has_free_kernel())
    with pytest.raises(NoFreeKernel, match=r"^$"):
        asyncio.run(manager.kernels.start_kernel(env={"VOILA_PREHEAT": preheat}))


def test_a_page_that_was_left_gives_its_place_up(
    manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.kernels.max_kernels = 2
    manager.kernels._kernels["seen"] = idle_kernel()
    manager.kernels._kernel_connections = {"k": 0, "seen": 1}
    assert not asyncio.run(manager.kernels.has_free_kernel()), (
        "it may just have lost its connection"
    )
    now = kernels_module.time.monotonic()
    monkeypatch.setattr(kernels_module.time, "monotonic", lambda: now + 61)
    assert asyncio.run(manager.kernels.has_free_kernel())
    assert manager.ended == ["k"]


@pytest.mark.parametrize("later", [0, 3600])
def test_a_page_that_came_back_and_a_kernel_at_work_are_not_ended(
    manager: Any, monkeypatch: pytest.MonkeyPatch, later: int
) -> None:
    manager.kernels.max_kernels = 1
    manager.kernels._kernel_connections = {"k": 1}
    manager.kernels.notify_disconnect("k")
    manager.kernels.notify_connect("k")
    now = kernels_module.time.monotonic() + later
    monkeypatch.setattr(kernels_module.time, "monotonic", lambda: now)
    assert not asyncio.run(manager.kernels.has_free_kernel())
    manager.kernels._kernel_connections = {"k": 0}
    manager.kernels._kernels["k"].execution_state = "busy"
    assert not asyncio.run(manager.kernels.has_free_kernel())
    assert manager.ended == []


ASK_FOR_MORE = """
import numpy as np
from lesion_dash.core.memory import free_memory
from lesion_dash.core.system import limit_memory
limit_memory(10**9)
print(free_memory() < 10**9)
try:
    np.ones(2 * 10**9, "uint8")
except MemoryError:
    print("MemoryError")
"""


def test_a_size_of_memory_is_read_and_a_part_of_it_is_the_default() -> None:
    assert 10**9 <= memory_of_kernels(None) <= max(all_memory(), 10**9)
    assert memory_of_kernels("4GB") == 4 * 10**9
    for size in ("", "much", "-4GB", "4 PB"):
        with pytest.raises(InputError, match="is not a size; give one such as 4GB"):
            memory_of_kernels(size)
    with pytest.raises(InputError, match="is too small for a page; give 1GB or more"):
        memory_of_kernels("300MB")


@pytest.mark.skipif(sys.platform != "linux", reason="limits are set on Linux alone")
def test_a_process_gets_no_more_than_its_limit() -> None:
    command = [sys.executable, "-c", ASK_FOR_MORE]
    printed = subprocess.run(command, stdout=-1, text=True, timeout=60, check=True).stdout
    assert printed.split() == ["True", "MemoryError"]


def test_the_page_says_that_memory_ran_out() -> None:
    banner = Banner()
    banner.show(MemoryError("Unable to allocate 3 GiB"))
    assert "Not enough memory" in banner.message
    assert "allocate" not in banner.message


def test_what_fails_in_a_page_is_in_the_log_without_what_it_says_of_data(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise ValueError("no column of sub-01")

    banner = Banner()
    banner.guard(fail)()
    banner.show(MemoryError())
    fault, memory = caplog.messages
    assert re.fullmatch(r"Unexpected ValueError in test_kernels\.py, line \d+", fault)
    assert "--kernel-memory" in memory


SOURCES = Path(__file__).parents[2]
FORKED = pytest.mark.skipif(not CAN_FORK, reason="kernels are programs on this system")
CONFINED = pytest.mark.skipif(
    not landlock_version(), reason="this system has no Landlock: kernels are not confined on it"
)


class Kernels:
    """Kernels, started as those of pages are, that run code of the test."""

    def __init__(self, folder: Path) -> None:
        self.root, self.results = folder / "studies" / "data", folder / "results"
        shutil.copytree(SOURCES / "sample_data", self.root)
        self.above = self.root.parent / "secret.txt"
        self.above.write_text("secret")
        notebook = folder / "notebook"
        notebook.mkdir()
        self._loop = asyncio.new_event_loop()
        config = server_config(notebook)
        # What Voila tells it; otherwise kernels start in the folder of the tests.
        config.MappingKernelManager.root_dir = str(notebook)
        self._manager: Any = PatientKernelManager(config=config)

    def start(self, **variables: str) -> str:
        places = {ROOT_VARIABLE: str(self.root), RESULTS_VARIABLE: str(self.results)}
        given = os.environ | {"PYTHONPATH": str(SOURCES)} | places | variables
        starting = self._manager.start_kernel(kernel_name="python3", path="", env=given)
        return str(self._loop.run_until_complete(starting))

    def connection_file(self, kernel: str) -> Path:
        return Path(self._manager.get_kernel(kernel).connection_file)

    def run(self, kernel: str, code: str) -> str:
        """What the code prints."""
        return self._loop.run_until_complete(self._run(kernel, textwrap.dedent(code)))

    async def _run(self, kernel: str, code: str) -> str:
        printed: list[str] = []

        def hear(message: Any) -> None:
            if message["msg_type"] in ("stream", "error"):
                content = message["content"]
                printed.append(content.get("text") or "\n".join(content["traceback"]))

        client = self._manager.get_kernel(kernel).client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=120)
            reply = await client.execute_interactive(code, timeout=240, output_hook=hear)
        finally:
            client.stop_channels()
        assert reply["content"]["status"] == "ok", "".join(printed)
        return "".join(printed)

    def end(self, kernel: str) -> None:
        self._loop.run_until_complete(self._manager.shutdown_kernel(kernel))

    def close(self) -> None:
        for kernel in self._manager.list_kernel_ids():
            self.end(kernel)
        self._manager.context.destroy(linger=0)
        self._loop.close()


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernels]:
    made = Kernels(tmp_path_factory.mktemp("kernels"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def kernel(kernels: Kernels) -> str:
    return kernels.start()


def test_a_kernel_whose_process_was_killed_is_known_as_one_that_lost_its_page(
    kernels: Kernels,
) -> None:
    kernel = kernels.start()
    process = kernels._manager.get_kernel(kernel)
    assert not process.was_restarted
    killed = psutil.Process(process.provisioner.pid)
    killed.kill()
    killed.wait(30)
    assert not kernels._loop.run_until_complete(process.is_alive())
    kernels._loop.run_until_complete(kernels._manager.restart_kernel(kernel, now=True))
    assert kernels._loop.run_until_complete(process.is_alive())
    assert process.was_restarted
    kernels.end(kernel)


@FORKED
def test_kernels_start_where_the_fork_server_was_killed(
    kernels: Kernels,
) -> None:
    kernel = kernels.start()
    process = psutil.Process(kernels._manager.get_kernel(kernel).provisioner.pid)
    fork_server = process.parent()
    assert fork_server is not None
    fork_server.kill()
    process.wait(30)  # it ends with the one that would tell of its end
    again = kernels.start()
    assert kernels.run(again, "print(1 + 1)") == "2\n"
    kernels.end(again)
    kernels.end(kernel)


@FORKED
def test_kernels_share_what_was_imported_and_draw_different_numbers(kernels: Kernels) -> None:
    code = """
    import sys
    print("nilearn" in sys.modules, "lesion_dash.dashboard.app" in sys.modules)
    import random, tempfile, numpy as np
    print(random.random(), np.random.random(), tempfile.gettempdir())
    """
    both = [kernels.start(), kernels.start()]
    first, second = (kernels.run(kernel, code).split() for kernel in both)
    assert first[:2] == second[:2] == ["True", "True"]
    assert all(a != b for a, b in zip(first[2:], second[2:], strict=True))
    for kernel in both:
        kernels.end(kernel)


TRY_EACH = """
import json, os
def opens(path):
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)
        return True
    except PermissionError:
        return False
print(json.dumps([path for path in {paths!r} if opens(path)]))
"""


@CONFINED
def test_only_what_a_page_needs_is_opened(kernels: Kernels, kernel: str, tmp_path: Path) -> None:
    other = kernels.connection_file(kernels.start())
    (tmp_path / "secret").write_text("secret")
    (kernels.root / "link.txt").symlink_to(kernels.above)
    closed = [
        *("/etc/passwd", "/etc", "/proc/1/environ", "/proc/net/unix", "/proc/self/net/unix"),
        *("/proc", "/", "/tmp", str(Path.home()), f"/proc/{os.getpid()}/cmdline"),
        f"/proc/{os.getpid()}/environ",
        *map(str, (kernels.above, kernels.above.parent, kernels.root / "link.txt")),
        *map(str, (tmp_path / "secret", other, other.parent)),
    ]
    opened = ["/proc/meminfo", "/proc/self/status", str(kernels.root), str(kernels.results)]
    opened.append(str(kernels.root / "participants.tsv"))
    paths = [path for path in closed if os.path.lexists(path)] + opened
    assert json.loads(kernels.run(kernel, TRY_EACH.format(paths=paths))) == opened


@CONFINED
def test_paths_open_neither_a_clone_nor_what_all_pages_share(kernels: Kernels) -> None:
    """Tests run from a clone, which is on the path of Python here."""
    clone = [str(SOURCES / name) for name in ("pyproject.toml", ".gitignore", "tests/conftest.py")]
    package = str(SOURCES / "lesion_dash" / "py.typed")
    temporary = Path(tempfile.gettempdir())
    shared = str(temporary / f"lesion_dash_test_{os.getpid()}")
    Path(shared).write_text("secret")
    # Also by another name, and as the folder of libraries beside a `bin`.
    link = kernels.results.parent / "link"
    link.symlink_to(temporary)
    (link.parent / "lib").symlink_to(temporary)
    paths = os.pathsep.join(map(str, (temporary, link, temporary.parent)))
    programs = os.pathsep.join([os.environ["PATH"], str(link.parent / "bin")])
    try:
        kernel = kernels.start(LD_LIBRARY_PATH=paths, PATH=programs)
        other = kernels.connection_file(kernels.start())
        tried = [*clone, shared, str(other), package]
        assert json.loads(kernels.run(kernel, TRY_EACH.format(paths=tried))) == [package]
    finally:
        Path(shared).unlink()


@CONFINED
def test_what_a_kernel_starts_is_confined_as_well(kernels: Kernels, kernel: str) -> None:
    code = f"""
    import subprocess, sys
    code = "import lesion_dash.scans.registration.process; open({str(kernels.above)!r})"
    print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr)
    """
    assert "PermissionError" in kernels.run(kernel, code)


@CONFINED
def test_only_results_and_its_own_folder_are_written(kernels: Kernels, kernel: str) -> None:
    code = """
    import os, tempfile
    from pathlib import Path
    for folder in {folders!r}:
        try:
            (Path(folder, "made") / "below").mkdir(parents=True)
            Path(folder, "made", "file").write_text("text")
            Path(folder, "made", "file").rename(Path(folder, "made", "below", "file"))
            print(folder)
        except PermissionError:
            pass
    print(tempfile.gettempdir())
    """
    own = str(kernels.connection_file(kernel).parent)
    folders = [str(kernels.results), own, str(kernels.root), str(kernels.above.parent)]
    written = kernels.run(kernel, code.format(folders=folders))
    assert written.split() == [str(kernels.results), own, own]


@CONFINED
def test_a_report_with_figures_is_made_there(kernels: Kernels, kernel: str) -> None:
    output = kernels.results / "report"
    arguments = ["report", str(kernels.root / "cohort_a"), "--output", str(output)]
    printed = kernels.run(
        kernel, f"from lesion_dash.cli import main; print('code', main({arguments}))"
    )
    assert "code 0" in printed
    assert "denied" not in printed
    assert "Warning" not in printed
    assert list(output.glob("*.html"))


def test_a_kernel_has_a_folder_of_its_own_until_it_ends(kernels: Kernels) -> None:
    first, second = (kernels.start() for _ in range(2))
    folders = [kernels.connection_file(kernel).parent for kernel in (first, second)]
    assert folders[0] != folders[1]
    assert first not in str(folders[0]), "who reads the names of sockets would know the kernel"
    kernels.run(first, "import tempfile; open(tempfile.mkdtemp() + '/left', 'w').close()")
    kernels.end(first)
    assert not folders[0].exists()
    assert folders[1].exists()
    kernels.end(second)


@CONFINED
def test_an_engine_works_there_and_is_ended_with_its_program(
    kernels: Kernels, tmp_path: Path
) -> None:
    """Nobody there sees what it started in /proc."""
    pid = kernels.results / "pid"
    program = tmp_path / "antsRegistration"
    program.write_text(
        f"#!{sys.executable}\nimport os, sys, time\n"
        "'--version' in sys.argv and sys.exit()\n"
        f"open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
        "print('DIAGNOSTIC, 1, 2', flush=True)\ntime.sleep(240)"
    )
    program.chmod(0o755)
    kernel = kernels.start(PATH=str(tmp_path))
    code = """
    import numpy as np
    from lesion_dash import Grid
    from lesion_dash.core.errors import Cancelled
    from lesion_dash.scans.registration.task import Task, Volume
    from lesion_dash.scans.registration.process import run_in_worker
    from lesion_dash.transforms.transform import Transform

    def stop(fraction, step):
        if "iteration" in step:
            raise Cancelled

    centred = np.diag([4.0, 4, 4, 1])
    centred[:3, 3] = -60
    array = np.random.default_rng(0).random((30, 30, 30), np.float32)
    array[8:22, 8:22, 8:22] += 5
    volume = Volume(array, Grid(array.shape, centred))
    task = lambda kind: Task(volume, volume, kind, Transform())
    print(run_in_worker(task("rigid"), "simpleitk", lambda fraction, step: None).memory_mb > 50)
    try:
        run_in_worker(task("deformable"), "ants", stop)
    except Cancelled:
        print("stopped")
    """
    assert kernels.run(kernel, code).split() == ["True", "stopped"]
    ended = int(pid.read_text())
    with suppress(psutil.NoSuchProcess):
        psutil.Process(ended).wait(10)
    assert not psutil.pid_exists(ended)
    kernels.end(kernel)


@pytest.mark.parametrize(("version", "is_warned"), [(0, True), (7, False)])
def test_where_kernels_are_not_confined_the_start_says_so(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    version: int,
    is_warned: bool,
) -> None:
    monkeypatch.setattr(website, "landlock_version", lambda: version)
    announce(Access(), 8866)
    assert ("not confined" in capsys.readouterr().out) is is_warned


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_memory_of_the_server_is_private() -> None:
    """Also from processes that are not confined; root reads it still, so this test is not root."""
    code = """
    import os, subprocess, sys
    from lesion_dash.server.landlock import keep_memory_private

    def read():
        code = f"open('/proc/{os.getpid()}/environ').read()"
        print(subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL).returncode)

    read()
    keep_memory_private()
    read()
    """
    command = [*WITHOUT_ROOT, sys.executable, "-u", "-c", textwrap.dedent(code)]
    environment = os.environ | {"PYTHONPATH": str(SOURCES)}
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["0", "1"], done.stderr
