"""Every public name has a summary and an example that the doctests run."""

from __future__ import annotations

import ast
import builtins
import doctest
import inspect
from types import ModuleType

import pytest

import lesion_dash
from lesion_dash import analyses, rois, scans

DOCUMENTED = {
    f"{package.__name__}.{name}": value
    for package in (lesion_dash, rois, scans)
    for name in package.__all__
    if not isinstance(value := getattr(package, name), ModuleType)
}
REQUESTS = {name: getattr(analyses, name) for name in analyses.__all__}


def own_documentation(value) -> str:
    """Without that of a base class, which `inspect.getdoc` gives in place of none."""
    return inspect.cleandoc(value.__doc__ or "")


@pytest.mark.parametrize("name", [*DOCUMENTED, *REQUESTS])
def test_a_public_name_has_a_summary_of_one_line(name):
    summary, _, rest = own_documentation((DOCUMENTED | REQUESTS)[name]).partition("\n")
    assert summary.endswith(".")
    assert not rest.partition("\n")[0]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_public_name_has_an_example_in_its_last_section(name):
    _, heading, examples = own_documentation(DOCUMENTED[name]).partition("Examples\n--------\n")
    assert heading
    assert ">>> " in examples
    assert "\n---" not in examples


@pytest.mark.parametrize("name", DOCUMENTED)
def test_an_example_imports_what_it_uses(name):
    """Readers paste it after the import of the name itself; its module's names are not theirs."""
    examples = doctest.DocTestParser().get_examples(own_documentation(DOCUMENTED[name]))
    tree = ast.parse("".join(example.source for example in examples))
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import)]
    known = {alias.asname or alias.name for node in imports for alias in node.names}
    known |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    known |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    known |= {*vars(builtins), name.rpartition(".")[2]}
    known |= {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)}
    assert {node.id for node in names} <= known


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_has_an_example(name):
    """Arguments of its command; test_commands.py makes requests of them."""
    assert REQUESTS[name].example
