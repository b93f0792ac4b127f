"""Beside the brain: the patients lesioned at the crosshair, or in a region."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import ipywidgets as widgets
import pandas as pd

from ...cohort.participants import Units
from ...core.formats import PERCENT, VOLUME
from ..app_context import AppContext
from ..cache import Cache
from ..controls import card, heading, note, set_text
from ..into_view import IntoView
from ..outline import pick_patient
from ..patients_at_voxel import PatientsAtVoxel, find_patients_at, volumes_svg
from ..places import Mm
from ..region_patients import RegionPatients, find_in_region
from ..tasks import FRAME, Throttle
from ..widgets.table import Column, Table
from .patients import NOBODY, PATIENT, VOLUME_ML, VOXELS, shown_columns

AT, IN = "mm", "region"
"""Of whom the list is: of those lesioned at the crosshair, or in the region."""

_LONGEST = 30  # letters of a region's name on a button
_OF_ATLAS = ["loaded_atlases", "regions_of"]
_FOLLOWED = ["cohort_a", "cohort_b", "mm", "region", *_OF_ATLAS]


class PatientsAtVoxelPanel:
    """Who is lesioned at the crosshair or in a region, and their volumes among those of all."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self.place = widgets.ToggleButtons(options=_places(""))
        self.side = widgets.ToggleButtons(options=[("A", "a"), ("B", "b")])
        self.caption = note()
        guard = context.banner.guard
        make = partial(Table, on_row=guard(self._pick), rows=6, on_none=guard(self._leave))
        self.table = make(
            "Patients with a lesion at the crosshair", "here", order=(VOLUME_ML.key, True),
            empty="No patient has a lesion here",
        )  # fmt: skip
        self.loads = make(
            "Patients with a lesion in the region", "here-region", order=(_OF_REGION, True),
            empty="No patient has a lesion in this region",
        )  # fmt: skip
        self.strip = widgets.HTML()
        self.brain = IntoView(".ld-brain")
        self.patients: PatientsAtVoxel | None = None
        self._shown_for: tuple[Any, ...] = ()
        self._atlas = context.choices.regions_atlas  # in which regions are chosen
        self._name = ""  # of the cohort that `here` is of
        self._is_naming = False
        self._tables = Cache(2)
        self._finder = context.worker(self._failed)
        self.widget = self._lay_out()
        self._follow()

    def _follow(self) -> None:
        guard, choices = self._context.banner.guard, self._context.choices
        guarded = guard(self._update)
        update = Throttle(FRAME, guarded)
        self.place.observe(guard(self._place_chosen), names="value")
        for toggle in (self.side, self.place):
            toggle.observe(lambda _: update(), names="value")
        choices.observe(guard(self._atlas_changed), names=_OF_ATLAS)
        choices.observe(guard(self._region_chosen), names=["region", "mm", *_OF_ATLAS])
        choices.observe(lambda _: update(), names=_FOLLOWED)
        choices.observe(guard(lambda _: self._mark()), names="patient")
        self._region_chosen()
        guarded()

    def _lay_out(self) -> widgets.VBox:
        toggles = widgets.HBox([self.place, self.side])
        toggles.add_class("ld-toggles")
        title = widgets.HBox([heading("Patients with a lesion"), self.brain])
        tables = widgets.VBox([self.table, self.loads])
        return card(title, toggles, self.caption, self.strip, tables, name="here")

    def _atlas_changed(self, _change: Any) -> None:
        before, self._atlas = self._atlas, self._context.choices.regions_atlas
        if before and before != self._atlas:
            self._context.choices.region = None  # the same label is another region there

    def _region_chosen(self, _change: Any = None) -> None:
        """Name on its button the region that is chosen, or else the one at the crosshair."""
        label = self._context.choices.region
        named = self._regions.get(self._region_here if label is None else label, "")
        options, scope = _places(named), AT if label is None else IN
        if (options, scope) == (list(self.place.options), self.place.value):
            return
        self._is_naming = True
        self.place.options = options
        self.place.value = scope
        self._is_naming = False

    @property
    def _regions(self) -> dict[int | None, str]:
        """Names of the atlas's regions by label."""
        atlas = self._context.session.atlas(self._context.choices.regions_atlas)
        return {} if atlas is None else {region.label: region.name for region in atlas.regions}

    @property
    def _region_here(self) -> int | None:
        """Label of the region at the crosshair."""
        choices = self._context.choices
        atlas = self._context.session.atlas(choices.regions_atlas)
        name = "" if atlas is None else atlas.region_at(choices.mm)
        return next((label for label, own in self._regions.items() if own == name), None)

    def _place_chosen(self, change: dict[str, Any]) -> None:
        """Who turns to the crosshair leaves the region: it may have no row to be clicked again."""
        if self._is_naming:
            return
        self._context.choices.region = None if change["new"] == AT else self._region_here

    def _update(self) -> None:
        choices, is_region = self._context.choices, self.place.value == IN
        has_choice = choices.cohort_b or self.side.value == "b"
        (self.side.remove_class if has_choice else self.side.add_class)("ld-hidden")
        (self.table.add_class if is_region else self.table.remove_class)("ld-hidden")
        (self.loads.remove_class if is_region else self.loads.add_class)("ld-hidden")
        name = str(getattr(choices, f"cohort_{self.side.value}"))
        if missing := self._missing(name, is_region):
            self._show_nothing(missing)
            return
        find: Callable[[], PatientsAtVoxel]
        if is_region:
            current: tuple[Any, ...] = (name, choices.regions_atlas, choices.region)
            find = partial(self._find_in_region, *current)
            if not self._context.session.has_load(*current[:2]):
                set_text(self.caption, "Measuring lesion load ...")
        else:
            current = (name, choices.mm)
            find = partial(self._find, *current)
        if current != self._shown_for:
            self._shown_for = current
            self._finder.submit(find, partial(self._show, current))

    def _missing(self, name: str, is_region: bool) -> str:
        choices, side = self._context.choices, self.side.value.upper()
        if not name:
            who = "in the region" if is_region else "at the crosshair"
            return f"Choose folder {side} to list the patients with a lesion {who}."
        if is_region and not choices.regions_atlas:
            return "Choose an atlas, and then a region in the table Regions."
        atlas = self._context.session.atlas(choices.regions_atlas) if is_region else None
        if atlas and choices.region not in {region.label for region in atlas.regions}:
            return "Click a row of the table Regions to list the patients with a lesion there."
        return ""

    def _failed(self, error: Exception) -> None:
        self._show_nothing("Nothing to show: see the message.")
        self._context.banner.show(error)

    def _show_nothing(self, why: str) -> None:
        self.patients, self._shown_for = None, ()
        set_text(self.caption, why)
        for table in (self.table, self.loads):
            table.show(NOBODY, shown_columns(NOBODY, Units(), _OWN))
        self.strip.value = ""

    def _find(self, name: str, mm: Mm) -> PatientsAtVoxel:
        return find_patients_at(self._context.session.load(name), self._table_of(name), mm)

    def _find_in_region(self, name: str, atlas_name: str, label: int) -> PatientsAtVoxel:
        load = self._context.session.region_load(name, atlas_name)
        return find_in_region(load, self._table_of(name), label)

    def _table_of(self, name: str) -> pd.DataFrame:
        return self._tables.get(name, lambda: self._context.session.load(name).used_table)

    def _show(self, current: tuple[Any, ...], patients: PatientsAtVoxel) -> None:
        if current != self._shown_for:
            return  # another place was chosen meanwhile
        self.patients, self._name = patients, current[0]
        set_text(self.caption, patients.summary)
        table = self.loads if isinstance(patients, RegionPatients) else self.table
        units = self._context.session.load(self._name).units
        table.show(*patient_table(patients, units), selected=self._chosen_row())
        self.strip.value = volumes_svg(patients)

    def _pick(self, position: int) -> None:
        if self.patients is not None:
            pick_patient(self._context, self._name, int(self.patients.table.index[position]))
            self.brain.bring()  # the list may be a screen below it

    def _leave(self) -> None:
        self._context.choices.patient = ""

    def _mark(self) -> None:
        """Highlight the patient whose lesion is outlined."""
        table = self.loads if isinstance(self.patients, RegionPatients) else self.table
        table.mark(self._chosen_row())

    def _chosen_row(self) -> int | None:
        if self.patients is None:
            return None
        folder = self._context.session.origin(self._name)[0]
        firsts = (file.partition("; ")[0] for file in self.patients.table["file"])
        keys = [f"{folder}/{file}" for file in firsts]
        patient = self._context.choices.patient
        return keys.index(patient) if patient in keys else None


_OWN = (PATIENT, VOLUME_ML, VOXELS)
# No column of a participants table has such names.
_OF_REGION, _IN_REGION, _OF_LESION = "load: of region", "load: in region", "load: of lesion"
_LOAD_HELP = {
    _OF_REGION: "Share of the region that is lesioned",
    _IN_REGION: "Lesioned volume of the region",
    _OF_LESION: "Share of the lesion that lies in the region",
}


def patient_table(
    patients: PatientsAtVoxel, units: Units
) -> tuple[pd.DataFrame, tuple[Column, ...]]:
    """The patients as they are shown, of a region with their lesion load."""
    frame = patients.table.reset_index(drop=True)
    if not isinstance(patients, RegionPatients):
        return frame, shown_columns(frame, units, _OWN)
    loads = {
        _OF_REGION: patients.of_region,
        _IN_REGION: patients.in_region_ml,
        _OF_LESION: patients.of_lesion,
    }
    exp, unit = ("Exp. ", "Expected (mL)") if patients.is_expected else ("", "In region (mL)")
    own = (
        PATIENT,
        Column(_OF_REGION, f"{exp}% of region", PERCENT, 100, _LOAD_HELP[_OF_REGION]),
        Column(_IN_REGION, unit, VOLUME, help=_LOAD_HELP[_IN_REGION]),
        Column(_OF_LESION, f"{exp}% of lesion", PERCENT, 100, _LOAD_HELP[_OF_LESION]),
        VOLUME_ML,
    )  # voxels are left out: room for the others
    frame = frame.assign(**loads)
    return frame, shown_columns(frame, units, own)


def _places(region: str) -> list[tuple[str, str]]:
    name = region if len(region) <= _LONGEST else f"{region[: _LONGEST - 1]}…"
    return [("At the crosshair", AT), (f"In {name}" if region else "In a region", IN)]
