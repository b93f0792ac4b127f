"""Below the maps of Larger than chance?: the clusters that the test found, and their peaks."""

from __future__ import annotations

from functools import partial

import ipywidgets as widgets
import pandas as pd

from ...core.defaults import SIGNIFICANCE_LEVEL
from ...core.formats import COORDINATE, COUNT, VOLUME, P
from ...core.tables import csv_bytes
from ...core.text import counted
from ...plotting.figures import ML
from ...stats.size_bias import FILE_NAME, SizeClusters, VolumePermutations
from ..app_context import AppContext
from ..controls import card, download_button, heading, note, set_text
from ..places import named_places
from ..size_bias_service import SizeBiasRequest, SizeBiasService
from ..widgets.table import Column, Table

_ASK = "Press “Run permutation test” to list the significant clusters."
_ABOUT = (
    "A cluster is of voxels with a corrected p (family-wise) ≤ {level:g} that share a face, an "
    "edge or a corner; the most extreme peak first. Corrected p, patients and the mean of their "
    "lesion volumes are those of the peak's voxel; the size of a cluster is not tested. Click a "
    "row to go to its peak."
)
_NO_ATLAS = "Choose an atlas on the page Maps to name the regions."
_NONE = (
    "None found: no voxel has a corrected p (family-wise) ≤ {level:g}. The smallest of the "
    "{tested:,} voxels tested is {smallest}."
)


class ClustersPanel:
    """A row per cluster; a click on it moves the crosshair to the peak.

    Parameters
    ----------
    context : AppContext
    service : SizeBiasService
    """

    def __init__(self, context: AppContext, service: SizeBiasService) -> None:
        self._context, self._service = context, service
        self._request: tuple[SizeBiasRequest, VolumePermutations, str] | None = None
        self.clusters: SizeClusters | None = None
        guard = context.banner.guard
        self.table = Table("What the test found", "clusters", guard(self._go_to))
        self.caption, self.about = note(), note()
        self.download = download_button("CSV", f"Save {FILE_NAME}", guard(self._save))
        self._finder = context.worker()
        head = widgets.HBox([heading("Significant clusters"), self.caption, self.download])
        self.widget = card(head, self.about, self.table, name="chance-clusters")
        context.choices.observe(guard(lambda _: self._find()), names="loaded_atlases")
        self.ask(None)

    def ask(self, request: tuple[SizeBiasRequest, VolumePermutations, str] | None) -> None:
        """List what a test found in a cohort, or say how to make one.

        Parameters
        ----------
        request : tuple or None
            The request, the test, and the cohort in words.
        """
        if request != self._request or request is None:
            self._request, self.clusters = request, None
            self._find()

    def _find(self) -> None:
        self.download.disabled = True
        if self._request is None:
            self._say(_ASK)
            return
        request, permutations, _ = current = self._request
        atlas = str(self._context.choices.loaded_atlas)
        job = partial(self._service.clusters, request, permutations, atlas)
        self._finder.submit(job, partial(self._show, current, atlas))

    def _say(self, words: str) -> None:
        """Say why there is no table."""
        set_text(self.caption, "")
        set_text(self.about, words)
        self.table.add_class("ld-hidden")

    def _show(
        self,
        request: tuple[SizeBiasRequest, VolumePermutations, str],
        atlas: str,
        clusters: SizeClusters,
    ) -> None:
        if request != self._request or atlas != self._context.choices.loaded_atlas:
            return  # something else was chosen meanwhile
        self.clusters = clusters
        permutations = request[1]
        self.download.disabled = not len(clusters)
        if not len(clusters):
            smallest = P.text(float(permutations.corrected_p.min()))
            self._say(
                _NONE.format(
                    level=SIGNIFICANCE_LEVEL, tested=permutations.tested, smallest=smallest
                )
            )
            set_text(self.caption, request[2])
            return
        set_text(self.caption, f"{counted(len(clusters), 'cluster')} of {request[2]}")
        about = _ABOUT.format(level=SIGNIFICANCE_LEVEL)
        set_text(self.about, about if atlas else f"{about} {_NO_ATLAS}")
        self.table.remove_class("ld-hidden")
        self.table.show(*shown_table(clusters, bool(atlas)))

    def _go_to(self, position: int) -> None:
        if self.clusters is not None:
            self._context.choices.mm = self.clusters.rows[position].mm

    def _save(self) -> None:
        if self.clusters is not None:
            self._context.saver.save(FILE_NAME, csv_bytes(self.clusters.table))


def shown_table(
    clusters: SizeClusters, has_regions: bool
) -> tuple[pd.DataFrame, tuple[Column, ...]]:
    """The table as it is shown: the side where both were tested, regions where an atlas is."""
    table = clusters.table
    sides = ["larger" if statistic > 0 else "smaller" for statistic in table["statistic"]]
    region = [Column("place", "Region at the peak", wraps=True)] if has_regions else []
    lesions = [Column("lesions", "Lesions")] if clusters.test.side == "two-sided" else []
    columns = (
        Column("cluster", "Cluster", COUNT),
        *region,
        *(Column(f"{axis}_mm", f"{axis} (mm)", COORDINATE) for axis in "xyz"),
        Column("corrected_p", "Corrected p (family-wise)", P, help="Of the peak's voxel"),
        *lesions,
        Column(
            "mean_volume_mm3", "Mean lesion volume (mL)", VOLUME, 1 / ML,
            "Mean total lesion volume of the patients lesioned at the peak",
        ),
        Column(
            "patients", f"Patients (of {clusters.test.n_patients:,})", COUNT,
            help="Patients lesioned at the peak",
        ),
        Column("voxels", "Cluster (voxels)", COUNT),
        Column("volume_mm3", "Cluster (mL)", VOLUME, 1 / ML),
    )  # fmt: skip
    return table.assign(lesions=sides, place=named_places(table)), columns
