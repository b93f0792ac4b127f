"""Below the brain: the map counted region by region."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import ipywidgets as widgets

from ...atlas.grouping import SWAPPED
from ...atlas.levels import By
from ...core.defaults import LEAST_PERCENT
from ...core.formats import COEFFICIENT, COUNT, PERCENT, PROBABILITY, VOLUME
from ...core.text import counted
from ...plotting.figures import ML
from ...regions.counts import RegionCount, RegionCounts
from ...regions.involvement import Involvement
from ..app_context import AppContext
from ..controls import NameList, bind, card, download_button, heading, note, set_text
from ..region_patients import peak_mm
from ..region_rows import Grouping, Row, frame_of, region_rows
from ..state import REGIONS_BY, Selection
from ..tasks import FRAME, Throttle
from ..widgets.table import Column, Table


@dataclass(frozen=True, eq=False)
class _Counted:
    """What the table is made of; the patients are None until they are counted."""

    counts: RegionCounts
    grouping: Grouping | None
    involvement: Involvement | None
    caption: str
    notes: tuple[str, ...]


class RegionsPanel:
    """A row per region; a click on it moves the crosshair there, and asks for its patients."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._rows: tuple[Row, ...] = ()
        self._counted: _Counted | None = None
        self._shown_for: tuple[Selection, str] | None = None
        self._drawn_for: Selection | None = None  # the folders and the atlas that the rows are of
        self._atlas = ""  # whose regions the rows are
        guard = context.banner.guard
        self.table = Table("Regions", "regions", guard(self._go_to), on_none=guard(self._leave))
        self._counter, self._measurer = context.worker(), context.worker()
        self.caption = note()
        self.remark = note()
        self.atlas = NameList()
        self.atlas.add_class("ld-regions-by")
        self.by = widgets.Dropdown(options=[(REGIONS_BY[""], "")], value="")
        self.by.add_class("ld-regions-by")
        save = context.banner.guard(lambda: context.save(self._file))
        self.download = download_button("CSV", "Save the table of regions", save)
        choices = (*_named("Atlas", self.atlas), *_named("Rows", self.by))
        title = widgets.HBox([heading("Regions"), self.caption, *choices, self.download])
        self.widget = card(title, self.table, self.remark, name="regions")
        guarded = context.banner.guard(self._update)
        update = Throttle(FRAME, guarded)
        of_atlas = ["atlases", "loaded_atlases", "regions_of"]
        names = ["cohort_a", "cohort_b", "min_patients", "regions_by", *of_atlas]
        context.choices.observe(guard(lambda _: self._offer()), names=of_atlas)
        context.choices.observe(lambda _: update(), names=names)
        self.atlas.observe(guard(self._atlas_chosen), names="value")
        context.choices.observe(guard(lambda _: self._mark()), names="region")
        bind(context.choices, "regions_by", self.by)
        self._offer()
        guarded()

    @property
    def _by(self) -> By | None:
        """The level that regions are put under, where the atlas has it."""
        choices = self._context.choices
        levels = self._context.session.levels(choices.regions_atlas)
        return next((by for by in levels if by == choices.regions_by), None)

    @property
    def _file(self) -> str:
        """The name of the table of the atlas."""
        choices = self._context.choices
        files = self._context.session.region_files(choices.loaded_atlases)
        return next((file for file, name in files.items() if name == choices.regions_atlas), "")

    def _atlas_chosen(self, change: dict[str, Any]) -> None:
        if not self.atlas.is_filling:
            self._context.choices.regions_of = change["new"]

    def _offer(self) -> None:
        """The atlases, and the levels of the one that is shown."""
        choices, root = self._context.choices, self._context.session.root
        names = choices.loaded_atlases
        self.atlas.offer([(root.words_of(name), name) for name in names] or [("None", "")])
        self.atlas.value = choices.regions_atlas
        (self.atlas.remove_class if names[1:] else self.atlas.add_class)("ld-hidden")
        self._offer_levels()

    def _offer_levels(self) -> None:
        """The levels of the atlas; without any there is nothing to choose."""
        levels = self._context.session.levels(self._context.choices.regions_atlas)
        chosen = self._context.choices.regions_by
        # What was chosen for another atlas stays in the list: to choose it here is not a fault.
        names = [by for by in REGIONS_BY if by in ("", *levels, chosen)]
        options = tuple((REGIONS_BY[by], by) for by in names)
        if options != self.by.options:
            with self.by.hold_trait_notifications():
                self.by.options = options
                self.by.value = chosen
        (self.by.remove_class if len(names) > 1 else self.by.add_class)("ld-hidden")

    def _update(self) -> None:
        choices = self._context.choices
        selection = choices.selection.with_atlas(choices.regions_atlas)
        if not (selection.cohort_a and selection.atlas):
            self._show_nothing(self._missing(selection))
            return
        current = replace(selection, map_key=""), self._by or ""  # whichever map is shown
        if current == self._shown_for:
            return
        self._shown_for = current
        if not self._rows:
            set_text(self.caption, "Counting ...")
        elif replace(current[0], min_patients=1) != self._drawn_for:
            self.widget.add_class("ld-old")  # the rows are of other folders, or another atlas
        self._counter.submit(
            partial(self._count, selection, self._by), partial(self._show, current)
        )

    def _missing(self, selection: Selection) -> str:
        if selection.cohort_a and self._context.choices.atlas:
            return "Reading the atlas ..."
        missing = "an atlas" if selection.cohort_a else "folder A"
        return f"Choose {missing} to see which regions the map lies in."

    def _count(self, selection: Selection, by: By | None) -> _Counted | None:
        session = self._context.session
        counts, pair = session.regions(selection), session.overlap(selection)
        if counts is None:
            return None
        counts.outside_by_distance  # noqa: B018 - measured here, not on the page's own thread
        groups = session.region_groups(selection, by) if by else None
        key = (selection.cohort_a, selection.atlas)
        is_measured = session.has_involvement(*key) and (
            by is None or session.has_involvement(*key, by)
        )
        involvement = session.involvement(*key) if is_measured else None
        grouping = None
        if by and groups:
            of_groups = session.involvement(*key, by) if is_measured else None
            grouping = Grouping(by, groups, of_groups)
        caption = self._describe(selection, counts)
        return _Counted(counts, grouping, involvement, caption, () if pair is None else pair.notes)

    def _measure(self, selection: Selection, by: By | None) -> _Counted | None:
        """Count the patients of each region, which is kept, and all of it anew."""
        session, key = self._context.session, (selection.cohort_a, selection.atlas)
        for level in {None, by}:
            session.involvement(*key, level)
        return self._count(selection, by)

    def _show(self, current: tuple[Selection, str], counted: _Counted | None) -> None:
        if counted is None or self._shown_for is None:
            return
        selection, by = current
        shown, shown_by = self._shown_for
        if by != shown_by or selection != replace(shown, min_patients=selection.min_patients):
            return  # other folders or another atlas were chosen meanwhile
        self._atlas = selection.atlas
        self._drawn_for = replace(selection, min_patients=1)
        self.widget.remove_class("ld-old")
        self._counted = counted
        self._rows = region_rows(counted.counts, counted.involvement, counted.grouping)
        self.download.disabled = False
        set_text(self.caption, counted.caption)
        self._show_rows()
        notes = [*self._hidden(), *counted.notes, *counted.counts.notes]
        set_text(self.remark, "; ".join(notes))
        is_swapped = any(SWAPPED in remark for remark in counted.counts.notes)
        (self.remark.add_class if is_swapped else self.remark.remove_class)("ld-alarm")
        if counted.involvement is None:
            level = counted.grouping.by if counted.grouping else None
            measure = partial(self._measure, selection, level)
            self._measurer.submit(measure, partial(self._show, current))

    def _show_rows(self) -> None:
        assert self._counted is not None
        counts = self._counted.counts
        columns = shown_columns(counts, bool(self._context.choices.cohort_b))
        names = [column.key for column in columns]
        frame = frame_of(self._rows, names, counts.probabilistic)
        pinned = sum(row.kind in ("outside", "band") for row in self._rows)
        parents = [row.parent for row in self._rows]
        self.table.show(frame, columns, selected=self._chosen_row(), pinned=pinned, parents=parents)

    def _show_nothing(self, caption: str) -> None:
        self._rows, self._counted, self._shown_for, self._drawn_for = (), None, None, None
        self.widget.remove_class("ld-old")
        self.download.disabled = True
        set_text(self.caption, caption)
        columns = (*_FIRST, *_COUNTED)
        self.table.show(frame_of((), [column.key for column in columns], False), columns)
        set_text(self.remark, "")

    def _describe(self, selection: Selection, counts: RegionCounts) -> str:
        session, k = self._context.session, selection.min_patients
        if not counts.mask.voxels:
            whose = "of A and of B" if selection.cohort_b else "of A"
            lower = ": lower the minimum" if k > 1 else ""
            return f"No voxel is lesioned in ≥ {k} patient{'' if k == 1 else 's'} {whose}{lower}"
        size = VOLUME.with_unit(counts.mask.volume_mm3 / ML)
        last = counts.rows[-1]
        # Of a probabilistic atlas, what is expected outside: its maps reach far, if faintly.
        outside = f"{PERCENT.with_unit(100 * last.mean_probability)} {last.region}"
        pair = session.overlap(selection)
        if pair is None:
            return f"A alone: voxels lesioned in ≥ {k} patients of A, {size}, {outside}"
        dice = "" if math.isnan(pair.dice) else f", Dice {COEFFICIENT.text(pair.dice)}"
        return f"Overlap: voxels lesioned in ≥ {k} patients of A and of B, {size}, {outside}{dice}"

    def _hidden(self) -> list[str]:
        assert self._counted is not None
        shown = sum(row.kind == "region" for row in self._rows)
        number = len(self._counted.counts.rows) - 1 - shown
        if not number:
            return []
        regions = counted(number, "region")
        return [f"{regions} without overlap omitted here (included in {self._file})"]

    def _go_to(self, position: int) -> None:
        row, choices = self._rows[position], self._context.choices
        if self._counted is None or choices.regions_atlas != self._atlas:
            return
        counts = self._counted.counts
        if row.kind == "region" and isinstance(row.counted, RegionCount):
            session = self._context.session
            names = filter(None, (choices.cohort_a, choices.cohort_b))
            choices.mm = peak_mm(counts, row.counted, [session.load(name) for name in names])
            choices.region = row.counted.label
        elif row.place is not None and row.counted.voxels:
            grouping = self._counted.grouping
            of_row = grouping.counts if row.kind == "group" and grouping else counts
            choices.mm, choices.region = of_row.places[row.place], None

    def _leave(self) -> None:
        self._context.choices.region = None

    def _mark(self) -> None:
        """Highlight the region whose patients are asked for."""
        chosen = self.table.selected
        is_region = chosen is None or self._rows[chosen].kind == "region"
        if self._context.choices.region is not None or is_region:
            self.table.mark(self._chosen_row())

    def _chosen_row(self) -> int | None:
        label = self._context.choices.region
        places = (
            position
            for position, row in enumerate(self._rows)
            if row.kind == "region" and isinstance(row.counted, RegionCount)
            if row.counted.label == label
        )
        return next(places, None) if label is not None else None


def _named(name: str, control: widgets.Widget) -> tuple[widgets.Widget, ...]:
    """A control, after its name for a screen reader."""
    label = widgets.Label(name)
    label.add_class("ld-unseen")
    return label, control


_FIRST = (Column("region", "Region", wraps=True),)
_NAMES = (
    Column("full_name", "Full name", wraps=True),
    Column("gyrus", "Gyrus", wraps=True, is_optional=True),
    Column("lobe", "Lobe", wraps=True),
    Column("hemisphere", "Hemisphere", is_optional=True),
    Column("system", "System", is_optional=True),
)
_LABEL = Column("label", "Label", is_optional=True)
_VOXELS = Column(
    "voxels", "Voxels", COUNT, help="Voxels of the map that lie in the region", is_optional=True
)
_COUNTED = (
    Column("volume_mm3", "Volume (mL)", VOLUME, 1 / ML, "Volume of the map within the region"),
    Column("percent_of_map", "% of map", PERCENT, help="Share of the map that lies in the region"),
    Column(
        "percent_of_region", "% of region", PERCENT, help="Share of the region that the map covers"
    ),
    Column(
        "dice", "Dice", COEFFICIENT, help="Dice coefficient of map and region: 1 for the same",
        is_optional=True,
    ),
)  # fmt: skip
_EXPECTED = (
    Column(
        "expected_volume_mm3", "Expected (mL)", VOLUME, 1 / ML,
        "Sum of the region's probabilities over the map, as a volume",
    ),
    Column(
        "mean_probability", "Exp. % of map", PERCENT, 100,
        "Expected share of the map that lies in the region",
    ),
    Column(
        "expected_percent_of_region", "Exp. % of region", PERCENT,
        help="Expected share of the region that the map covers",
    ),
    Column(
        "max_probability", "Max. prob.", PROBABILITY,
        help="Largest probability of the region at a voxel of the map",
    ),
)  # fmt: skip


def shown_columns(counts: RegionCounts, has_b: bool) -> tuple[Column, ...]:
    """The columns that say something about this atlas; patients are those of folder A."""
    of_a = " of A" if has_b else ""
    patients = (
        Column(
            "patients", f"Patients{of_a}", COUNT,
            help=f"Patients{of_a} with any lesioned voxel in the region, at any threshold",
        ),
        Column(
            "patients_at_least", f"≥ {LEAST_PERCENT:g} % of it", COUNT, is_optional=True,
            help=f"Patients{of_a} of whom at least {LEAST_PERCENT:g} % of the region is lesioned",
        ),
        Column(
            "max_patients_at_voxel", f"Most{of_a} at a voxel", COUNT,
            help=f"Largest number of patients{of_a} lesioned at one voxel of the region",
        ),
        Column(
            "mean_percent_lesioned", f"Mean load{of_a} %", PERCENT,
            help=f"Share of the region lesioned, mean of the patients{of_a} lesioned there",
        ),
    )  # fmt: skip
    known = set(counts.columns)
    names = tuple(column for column in _NAMES if column.key in known)
    amounts = _EXPECTED if counts.probabilistic else _COUNTED
    return (*_FIRST, *names, *patients, *amounts, _VOXELS, _LABEL)
