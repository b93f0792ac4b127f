"""The floor: only read and inflate the files, with libdeflate and in threads.

Whoever reads compressed masks in Python with these tools pays at least this. The time that is
printed is that of reading and inflating alone, without the start of the interpreter.

Usage: floor.py FOLDER THREADS
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import deflate


def main(folder: str, threads: int) -> None:
    """Read and inflate every file; print the seconds that took."""
    paths = sorted(Path(folder).glob("*.nii.gz"))
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        size = sum(pool.map(inflate, paths))
    print(json.dumps({"seconds": time.perf_counter() - began, "bytes": size}))


def inflate(path: Path) -> int:
    """Read and inflate one file; say how many bytes it holds."""
    return len(deflate.gzip_decompress(path.read_bytes()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
