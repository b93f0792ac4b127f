"""What the user says of an atlas: how doubtful names are used, and the space that it lies in."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import InputError
from ..core.space import space_of_user

ATLAS_SIDES = ("", "accepted", "mirrored")
"""Of an atlas whose names are doubtful: nothing said, used as they are, or the atlas mirrored."""

_IN_SPACE = "space "


@dataclass(frozen=True)
class AtlasUse:
    """What the user says of an atlas.

    Parameters
    ----------
    sides : str
        Of doubtful names, one of `ATLAS_SIDES`.
    space : str
        The space that it lies in; empty for the one that it states.

    Examples
    --------
    >>> str(AtlasUse("mirrored", "Talairach")), AtlasUse.parse("space MNI152")
    ('mirrored; space Talairach', AtlasUse(sides='', space='MNI152'))
    """

    sides: str = ""
    space: str = ""

    def __post_init__(self) -> None:
        if self.sides not in ATLAS_SIDES:
            raise InputError(self.sides, "is not a use of an atlas")
        if self.space:
            space_of_user(self.space)

    @classmethod
    def parse(cls, text: str) -> AtlasUse:
        """What `str` has written; an `InputError` where it is not that."""
        parts = [part for part in text.split("; ") if part]
        spaces = [part.removeprefix(_IN_SPACE) for part in parts if part.startswith(_IN_SPACE)]
        sides = [part for part in parts if not part.startswith(_IN_SPACE)]
        if len(spaces) > 1 or len(sides) > 1:
            raise InputError(text, "says one thing of an atlas twice")
        return cls("".join(sides), "".join(spaces))

    @property
    def options(self) -> dict[str, bool]:
        """How doubtful names are used, as requests and recipes have it."""
        chosen = {"accept_swapped": "accepted", "mirror_atlas": "mirrored"}
        return {option: self.sides == sides for option, sides in chosen.items()}

    def __str__(self) -> str:
        space = f"{_IN_SPACE}{self.space}" if self.space else ""
        return "; ".join(filter(None, (self.sides, space)))


AS_STORED = AtlasUse()
