"""Schemas of requests say what requests take, by jsonschema's own word."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from lesion_dash import InputError, analyses
from lesion_dash.cli import main

REQUESTS = {getattr(analyses, name).command: getattr(analyses, name) for name in analyses.__all__}


def schema(capsys, *arguments):
    assert main(["schema", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_command_has_a_schema_whose_fields_are_described(capsys):
    schemas = schema(capsys)
    assert REQUESTS.keys() <= schemas.keys()
    for command, own in schemas.items():
        Draft202012Validator.check_schema(own)
        assert own["title"] == command
        if command in REQUESTS:  # all but those that serve the dashboard
            assert own["properties"].keys() == REQUESTS[command].model_fields.keys()
        assert all(field["description"] for field in own["properties"].values())
        assert schema(capsys, command) == own


@pytest.mark.parametrize(
    ("settings", "is_right"),
    [
        ({"masks": "m", "output": "o"}, True),
        ({"masks": "m", "output": "o", "min_patients": 3, "std": "sample"}, True),
        ({"masks": "m"}, False),
        ({"masks": "m", "output": "o", "min_patients": 0}, False),
        ({"masks": "m", "output": "o", "std": "none"}, False),
        ({"masks": "m", "output": "o", "minimum": 3}, False),
    ],
)
def test_a_schema_takes_what_the_request_takes(capsys, settings, is_right):
    assert Draft202012Validator(schema(capsys, "stats")).is_valid(settings) is is_right
    if is_right:
        assert analyses.Stats(**settings).output == "o"
    else:
        with pytest.raises(InputError, match=r"masks|output|min|std|required|not"):
            analyses.Stats(**settings)


def test_settings_of_a_request_are_valid_by_its_schema(capsys):
    request = analyses.LesionSymptomMap(
        masks="m", score="nihss", covariates=["age"], output="o", v=[1.0, 10.0], permutations=50
    )
    own = schema(capsys, "lsm")
    Draft202012Validator(own).validate(json.loads(request.model_dump_json()))


def test_a_command_that_is_not_there_is_named_with_one_that_is(capsys):
    assert main(["schema", "stat"]) == 2
    assert "did you mean stats" in capsys.readouterr().err
