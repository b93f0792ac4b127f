"""Results that are kept on the object they derive from, and vanish with it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Result = TypeVar("Result")

_MAX_RESULTS = 8  # arbitrary: of one owner; each may be as large as an image


def derived(owner: object, key: Hashable, compute: Callable[[], Result]) -> Result:
    """A result that depends on an object alone, computed when it is first asked for.

    A cache in a module would keep the owner, or what derives from it, alive after its last user.

    Parameters
    ----------
    owner : object
        Never changed, such as a cohort. A result that refers to it would be freed late.
    key : hashable
        Names the result, with the parameters that it depends on.
    compute : callable
        Computes the result.

    Examples
    --------
    >>> class Masks: ...
    >>> masks = Masks()
    >>> derived(masks, "volume", lambda: 3), derived(masks, "volume", lambda: 4)
    (3, 3)
    """
    results: dict[Hashable, Any] = vars(owner).setdefault("_derived", {})
    if key not in results:
        result = compute()
        while len(results) >= _MAX_RESULTS:
            results.pop(next(iter(results)), None)
        results[key] = result
        return result
    value: Result = results[key]
    return value
