"""A store behind a URL that every process of this computer sees: ``shared:///folder``."""

from __future__ import annotations

import fsspec
from fsspec.implementations.local import LocalFileSystem


class SharedStore(LocalFileSystem):
    protocol = "shared"

    @classmethod
    def _strip_protocol(cls, path):
        return LocalFileSystem._strip_protocol(
            f"/{str(path).removeprefix('shared://').lstrip('/')}"
        )


def register() -> None:
    fsspec.register_implementation("shared", SharedStore, clobber=True)


def register_everywhere(scheduler: str) -> None:
    import distributed

    register()
    with distributed.Client(scheduler, set_as_default=False) as client:
        client.run(register)
