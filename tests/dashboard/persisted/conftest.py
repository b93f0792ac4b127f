"""The sample data."""

from __future__ import annotations

from pathlib import Path

import pytest

from lesion_dash.dashboard.data_root import DataRoot


@pytest.fixture(scope="module")
def root(sample_data: Path) -> DataRoot:
    return DataRoot(sample_data)
