"""The program `lesion-dash`, and `python -m lesion_dash`."""

from __future__ import annotations

import sys

from .core.interrupts import STOPPED, STOPPED_EXIT_CODE, noticed_interrupts


def main() -> int:
    """Load the command line, which takes most of a second, and run a command."""
    with noticed_interrupts() as is_interrupted:
        try:
            from . import cli
        except (KeyboardInterrupt, Exception):
            if not is_interrupted():
                raise
            sys.stderr.write(f"lesion-dash: error: {STOPPED}\n")
            return STOPPED_EXIT_CODE
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
