"""niivue, taught to leave alone what did not change."""

from __future__ import annotations

from typing import Any

import ipyniivue

_LARGEST = 1e9  # far beyond any place, angle or share


class QuickNiiVue(ipyniivue.NiiVue):  # type: ignore[misc]
    """An ipyniivue widget that redraws a map in a fraction of the time."""

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take from the page where crosshair and view are; ipyniivue checks none of it."""
        scene = sync_data.get("scene", {})
        if isinstance(scene, dict) and all(map(_is_numeric, scene.values())):
            super().set_state(sync_data)

    def repaint(self) -> None:
        """Have the maps sent anew, as after they were loaded: changes of them were lost."""
        for volume in self.volumes:
            self._handle_custom_msg({"event": "image_loaded", "data": {"id": volume.id}}, [])


def _is_numeric(value: Any, depth: int = 2) -> bool:
    """Whether it is a finite number or a list of such, as everything that a scene holds."""
    if isinstance(value, list):
        return depth > 0 and all(_is_numeric(item, depth - 1) for item in value)
    return isinstance(value, (int, float)) and abs(value) < _LARGEST
