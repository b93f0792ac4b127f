"""The parser of the command line: what it cannot read is answered in one sentence."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from .console import complain


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong, and what may have been meant, without the whole usage."""

    def error(self, message: str) -> NoReturn:
        """End the program with one sentence and exit code 2."""
        found = re.fullmatch(r"argument (.+): invalid choice: (.+?) \(choose from (.+)\)", message)
        if found:
            name, given, choices = (part.replace("'", "") for part in found.groups())
            remedy = _suggest(given, choices.split(", ")) or f"choose from {choices}"
            message = f"{name}: {given!r} is not known; {remedy}"
        else:
            message += f"; `{self.prog} --help` explains the options"
        raise SystemExit(complain(message))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Read the arguments; those left over are an error here, where the options are known.

        argparse leaves those of a command to the parser above it, which knows none of its options.
        """
        known, left = super().parse_known_args(args, namespace)
        unknown = [word for word in left if word.startswith("-")] or left
        if unknown:
            word = unknown[0].partition("=")[0]
            options = [option for action in self._actions for option in action.option_strings]
            remedy = _suggest(word, options) or f"`{self.prog} --help` lists the options"
            what = "is no option of" if word.startswith("-") else "is one word too many for"
            raise SystemExit(complain(f"{word}: {what} {self.prog}; {remedy}"))
        return known, left


def _suggest(word: str, choices: Sequence[str]) -> str:
    alike = get_close_matches(word, choices, 1)
    return f"did you mean {alike[0]}?" if alike else ""
