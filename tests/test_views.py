"""A view of a file gives what its bytes would give, and holds nothing."""

from __future__ import annotations

import os

import numpy as np
import pytest

from lesion_dash.core.errors import InputError
from lesion_dash.files.reading import FileView

CONTENT = bytes(np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8))


@pytest.fixture
def path(tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    return tmp_path / "file"


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 10), (4990, 6000), (7000, 8000), (3, 3), (-5, None)]
)
def test_slices_are_those_of_bytes(path, start, stop):
    with FileView(path) as view:
        assert len(view) == len(CONTENT)
        assert view[start:stop] == CONTENT[start:stop]
        assert view.startswith(CONTENT[20:25], 20)
        assert not view.startswith(b"\0" * 600, 20)


def test_a_file_that_changes_is_refused(path):
    with pytest.raises(InputError, match="changed while reading"), FileView(path):
        os.utime(path, ns=(1, 1))


def test_an_error_inside_is_not_hidden(path):
    def fail():
        with FileView(path):
            path.write_bytes(b"other")
            raise KeyError("own")

    with pytest.raises(KeyError, match="own"):
        fail()


def test_descriptors_are_closed(path, tmp_path):
    with FileView(path) as view:
        descriptor = view._descriptor
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    with pytest.raises(InputError, match="not a regular file: is a folder"):
        FileView(tmp_path)
    with pytest.raises(InputError, match="file not found"):
        FileView(tmp_path / "none")
