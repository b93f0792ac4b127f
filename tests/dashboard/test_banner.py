"""The one place where errors are shown: every detail, escaped, and closed by the browser."""

from __future__ import annotations

import html

import pytest

from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.controls import Banner, CloseButton


def close_button(banner: Banner) -> CloseButton:
    return next(one for one in banner.widget.children if isinstance(one, CloseButton))


@pytest.mark.parametrize(("count", "last"), [(3, "file 3"), (200, "file 200"), (205, "and 5 more")])
def test_details_are_all_there_up_to_a_limit(count: int, last: str) -> None:
    banner = Banner()
    lines = tuple(f"file {number}" for number in range(1, count + 1))
    banner.show(InputError("folder", "has unreadable files", details=lines))
    shown = banner.message.split("<li>")[1:]
    assert len(shown) == min(count, 200) + (count > 200)
    assert shown[-1].startswith(f"{last}</li>")


def test_details_are_escaped() -> None:
    banner = Banner()
    banner.show(InputError("<b>", "is bad", details=("<img src=x>",)))
    assert "<img" not in banner.message
    assert "<img src=x>" in html.unescape(banner.message)


@pytest.mark.parametrize("kind", [ValueError, InputError])
def test_names_make_no_lines_and_turn_no_text(kind: type[Exception]) -> None:
    root, name = "/data\n\x1b[31m", "a\n\u202e\u2028.nii"
    banner = Banner(root)
    words = f"{root}/{name}: is bad"
    banner.show(InputError(f"{root}/{name}", "is bad") if kind is InputError else kind(words))
    assert banner.message.isprintable()
    assert "/data" not in banner.message
    assert "a\\n" in banner.message


def test_the_button_closes_it() -> None:
    banner = Banner()
    banner.show(InputError("a.nii", "holds no voxels"))
    assert 'role="alert"' in banner.message
    assert "ld-hidden" not in banner.widget._dom_classes
    close_button(banner)._handle_custom_msg({"type": "close"}, [])
    assert banner.message == ""
    assert "ld-hidden" in banner.widget._dom_classes
