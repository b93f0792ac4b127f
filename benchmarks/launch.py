"""Run a command and print what it took as one line of JSON; `measure.py` starts this.

Linux counts the memory of whoever starts a process to that process's peak. Hence this small
program between the benchmark, which may be large, and what it measures.

Usage: launch.py COMMAND ...
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes of ru_maxrss


def main(command: list[str]) -> None:
    """Print exit code, wall and processor seconds, peak memory in MB, and all the output."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    told = {
        "code": process.returncode,
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * PEAK_UNIT / 1e6,
        "output": output.decode(errors="replace"),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
