"""Build the docs site below build/docs/html, offline: `make docs`.

Pages link to files elsewhere in the project, as they do where the project is read without a site.
So the site is built from a copy of all these files in their places, with the lessons as they ran.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import run_lessons
import write_commands
from sphinx.cmd.build import build_main

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "docs"
SOURCE, HTML = BUILD / "source", BUILD / "html"
ELSEWHERE = (
    "*.md",
    "*.cff",
    "LICENSE",
    "benchmarks/*.md",
    "benchmarks/*.png",
    "notebooks/*.md",
    "sample_data/**/*.*",
)
"""What pages link to outside docs/."""

# The pages lie in docs/; this leads there from the root of the site.
LEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>lesion_dash</title>
<meta http-equiv="refresh" content="0; url=docs/index.html"></head>
<body><a href="docs/index.html">lesion_dash</a></body></html>
"""


def collect() -> None:
    """Copy what the site is made of; what is unchanged keeps its time, so that Sphinx skips it."""
    files = [file for file in (ROOT / "docs").rglob("*") if file.is_file()]
    files += [file for pattern in ELSEWHERE for file in ROOT.glob(pattern)]
    copies = {SOURCE / file.relative_to(ROOT): file for file in files}
    for path in run_lessons.LESSONS:
        copies[SOURCE / "notebooks" / path.name] = run_lessons.EXECUTED / path.name
    for old in SOURCE.rglob("*"):
        if old.is_file() and old not in copies:
            old.unlink()
    for target, file in copies.items():
        if not target.exists() or target.read_bytes() != file.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)


def main() -> int:
    """Build the site; warnings are errors."""
    write_commands.write()
    run_lessons.run_outdated_lessons()
    collect()
    options = ["--fail-on-warning", "--keep-going", "--quiet", "--jobs", "auto"]
    code = build_main([*options, "-c", str(SOURCE / "docs"), str(SOURCE), str(HTML)])
    if code == 0:
        (HTML / "index.html").write_text(LEAD, encoding="utf-8", newline="\n")
        sys.stdout.write(f"The docs are in {HTML / 'index.html'}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
