"""A session as a small file, that can be kept, sent and opened again."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.metadata import version

from ..core.errors import InputError
from .page_state import PageState, StateValidator, without_own

FILE_NAME = "lesion_dash_session.json"
LARGEST = 256_000
"""Bytes of a session file."""

_FORMAT = "lesion_dash session"
_SCHEMA = 4
_EARLIER = {"atlas": "atlases", "atlas_sides": "atlas_uses"}
"""What choices were called in files of lower numbers, in the order they are taken."""

_PARTS = {"format", "schema", "lesion_dash", "choices"}
_NOTE = "note"
_NOT_KEPT = "Dropped files are not kept: drop them again."
_REMEDY = "choose a file that “Save session” has written"


def session_bytes(state: PageState) -> bytes:
    """Choices as a file, without those of dropped files, which it then says.

    Examples
    --------
    >>> json.loads(session_bytes(PageState("cohort_a", min_patients=7)))["choices"]["min_patients"]
    7
    """
    kept = without_own(state)
    choices = {name: value for name, value in asdict(kept).items() if value is not None}
    session: dict[str, object] = {
        "format": _FORMAT,
        "schema": _SCHEMA,
        "lesion_dash": version("lesion-dash"),
        "choices": choices,
    }
    if kept != state:
        session[_NOTE] = _NOT_KEPT
    return f"{json.dumps(session, indent=2, ensure_ascii=False)}\n".encode()


def read_session(name: str, content: bytes, validator: StateValidator) -> PageState:
    """The choices of a file, all of which can be made here.

    Parameters
    ----------
    name : str
        Of the file.
    content : bytes
    validator : StateValidator
        What there is to choose from.

    Raises
    ------
    InputError
        Where it is not a session file, is one of a newer lesion_dash, or names what is not here.
    """
    session = _read_json(name, content)
    if session.get("format") != _FORMAT:
        raise InputError(name, "is not a session file of lesion_dash", _REMEDY)
    schema, choices = session.get("schema"), session.get("choices")
    if isinstance(schema, int) and schema > _SCHEMA:
        raise InputError(name, "was saved by a newer lesion_dash", "update this one to open it")
    if (
        schema is True
        or schema not in range(1, _SCHEMA + 1)
        or set(session) - {_NOTE} != _PARTS
        or not isinstance(choices, dict)
    ):
        raise InputError(name, "is a damaged session file", _REMEDY)
    for earlier, name in _EARLIER.items():
        if schema != _SCHEMA and earlier in choices:
            choices[name] = choices.pop(earlier)
    state, faults = validator.check(choices)
    if faults:
        problem = f"cannot be opened here: {faults[0].subject} {faults[0].problem}"
        more = tuple(f"{fault.subject} {fault.problem}" for fault in faults[1:])
        raise InputError(name, problem, "nothing was changed", more)
    return state


def _read_json(name: str, content: bytes) -> dict[str, object]:
    if len(content) > LARGEST:
        problem = f"is too large for a session file: {len(content):,} bytes, {LARGEST:,} allowed"
        raise InputError(name, problem, _REMEDY)
    try:
        content_read = json.loads(content.decode())
    except (ValueError, RecursionError):
        raise InputError(name, "is not a session file of lesion_dash", _REMEDY) from None
    if not isinstance(content_read, dict):
        raise InputError(name, "is not a session file of lesion_dash", _REMEDY)
    return content_read
