"""The progress bar of the terminal."""

from __future__ import annotations

from functools import partial

import tqdm

from lesion_dash.analyses.console import progress_bar


def test_a_bar_is_shown_in_a_terminal_only(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    assert progress_bar("reading masks", "file") is None
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("tqdm.tqdm", partial(tqdm.tqdm, mininterval=0))
    show = progress_bar("reading masks", "file")
    assert show is not None
    show(1, 3)
    show(2, 3)
    show(3, 3)
    said = capsys.readouterr()
    assert "reading masks" in said.err
    assert "2/3" in said.err
    assert said.out == ""
