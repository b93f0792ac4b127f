"""`lesion-dash schema`: the JSON schema of each request, for programs that write them."""

from __future__ import annotations

from typing import Any

from ..core.errors import InputError
from ..core.text import did_you_mean
from .console import json_lines
from .fields import option
from .request import ANALYSES, Progress, Request, Result

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Schema(Request):
    """Print the JSON schema of a command's settings, or of all commands by name.

    Settings are those of the Python request of the same name, such as `lesion_dash.analyses.Stats`;
    a schema tells a pipeline which of them there are, their types and bounds, before anything runs.
    """

    command = "schema"
    example = "stats"

    of: str | None = option("the command; all without it", "COMMAND", positional=True, default=None)

    def run(self, progress: Progress) -> Result:
        from .. import analyses

        for name in analyses.__all__:  # each is known once it is imported
            getattr(analyses, name)
        if self.of is None:
            return Result(lines=json_lines({name: schema_of(name) for name in sorted(ANALYSES)}))
        if self.of not in ANALYSES:
            raise InputError(self.of, "is not a command", did_you_mean(self.of, sorted(ANALYSES)))
        return Result(lines=json_lines(schema_of(self.of)))


def schema_of(command: str) -> dict[str, Any]:
    """The JSON schema of a command's settings; how they are written on the command line is not it.

    Examples
    --------
    >>> from lesion_dash import analyses
    >>> _ = analyses.Stats
    >>> schema_of("stats")["properties"]["min_patients"]["minimum"]
    1
    """
    schema = ANALYSES[command].model_json_schema()
    properties = {
        name: {key: value for key, value in field.items() if key != "argument"}
        for name, field in schema["properties"].items()
    }
    return {"$schema": DIALECT, **schema, "title": command, "properties": properties}
