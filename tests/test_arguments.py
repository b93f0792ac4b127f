"""What the command line cannot read: one sentence, and what may have been meant."""

from __future__ import annotations

import pytest

from lesion_dash import cli


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("laod masks", "COMMAND: 'laod' is not known; did you mean load?"),
        ("load m --atlas a -o o --mesure all", "--mesure: is no option of lesion-dash load; did"),
        ("load m --atlas a -o o --mesure=all", "did you mean --measure?"),
        ("load m --atlas a -o o --zzz", "`lesion-dash load --help` lists the options"),
        ("load m --atlas a -o o --measure reigon", "'reigon' is not known; did you mean region?"),
        ("assign t --signs q --atlas a -o b", "--signs: 'q' is not known; choose one of positive"),
        ("stats m n -o o", "n: is one argument too many for lesion-dash stats"),
        (
            "stats m",
            "the following arguments are required: -o/--output; `lesion-dash stats --help`",
        ),
        ("", "the following arguments are required: COMMAND"),
    ],
)
def test_a_typing_error_is_one_sentence(capsys, words, sentence):
    try:
        code = cli.main(words.split())
    except SystemExit as end:
        code = end.code
    assert code == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.startswith("lesion-dash: error: ")
    assert len(error.splitlines()) == 1
