"""`lesion-dash lsm`: where damage goes with a score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from ..core import defaults
from ..core.defaults import SIGNIFICANCE_LEVEL
from . import fields
from .fields import option
from .inputs import load_folder, open_atlas, side_notices
from .request import Progress, Request, Result

if TYPE_CHECKING:
    from ..atlas.atlas import Atlas
    from ..cohort.cohort import Cohort
    from ..stats.lesion_symptom.cluster_table import SymptomClusters
    from ..stats.lesion_symptom.column_tests import ColumnTests
    from ..stats.lesion_symptom.mapping import SymptomMap
    from ..stats.lesion_symptom.multivariate import MultivariateMap

SCRIPT_NAME = "lsm_script.py"
REGIONS_NAME, FEATURES_NAME = "regions.csv", "features.csv"
_WITHOUT = "without_control_"


class LesionSymptomMap(Request):
    """Voxel-based lesion-symptom mapping (VLSM): where damage is associated with a score.

    The score is a column of the participants table. All differences are lesioned minus spared: a
    positive one means a higher score in patients with a lesion there. Where no place goes with
    the score, 5 % of maps hold any voxel with a corrected p of at most 0.05, or, with one of --v,
    so many mm³ of them or more. A finding does not say that this place alone causes the deficit,
    and a voxel without one, or not tested, may matter all the same.
    """

    command = "lsm"
    example = "masks/ --score nihss --covariates age sex -o lsm/"

    masks: fields.Masks
    score: str = option(
        "column of the participants table: numbers, or 0 and 1 for liebermeister and fisher",
        "COLUMN",
    )
    covariates: tuple[str, ...] = option(
        "covariates: columns of numbers or categories", "COLUMN", default=(),
        several=True,
    )  # fmt: skip
    output: fields.Output
    overwrite: fields.Overwrite
    bids: fields.Bids
    strict: fields.Strict
    test: defaults.SymptomTest = option(
        "linear regression (ols), the same of ranks, two-sample tests, or tests of 0 and 1",
        default=defaults.SYMPTOM_TEST,
    )
    control: defaults.Control = option(
        "how lesion volume is controlled: as a covariate (log-volume, volume), not at all, or as "
        "earlier papers did",
        default=defaults.CONTROL,
    )
    compare_control: bool = option(
        "write the maps without control of lesion volume as well", default=False
    )
    multivariate: Literal["ridge", "svr"] | None = option(
        "map a model of all voxels together as well, ridge regression or linear support vector "
        "regression, and where both maps agree; of the tests ols and rank",
        default=None,
    )
    min_lesioned: int | None = option(
        "voxels with at least K lesioned and as many spared patients are tested (default: 5 % of "
        "the patients, but at least 5, or 10 for brunner-munzel)",
        "K",
        default=None,
        ge=2,
    )
    permutations: fields.Permutations
    seed: fields.Seed
    v: tuple[float, ...] = option(
        "volumes of false findings in mm³: one corrected p for each",
        "MM3",
        default=defaults.EXCEEDANCES_MM3,
        several=True,
    )
    cluster_p: float = option(
        "cluster-forming p: voxels with this p or less form clusters",
        "P",
        default=defaults.CLUSTER_P,
        gt=0,
        lt=1,
    )
    side: defaults.SymptomSide = option(
        "alternative hypothesis: scores of lesioned patients differ, are larger, or smaller",
        default=defaults.SYMPTOM_SIDE,
    )
    blocks: str | None = option(
        "column such as a site: scores are exchanged among patients of one value only",
        "COLUMN",
        default=None,
    )
    atlas: str | None = fields.source("to name the region of each cluster", "ATLAS", default=None)
    features: str | None = fields.source(
        "CSV or TSV file, a row per patient: each column of numbers is tested as well, such as "
        "disconnections of tracts; of the tests ols and rank",
        "TABLE",
        default=None,
    )
    labels: fields.Labels
    scale: fields.AtlasScale
    accept_swapped: fields.AcceptSwapped
    mirror_atlas: fields.MirrorAtlas
    pattern: fields.Pattern
    session: fields.Session
    several_files: fields.SeveralFiles
    threshold: fields.Threshold
    label: fields.Label
    space: fields.SpaceWithAtlas
    where: fields.Where
    participants: fields.Participants
    scheduler: fields.Scheduler

    def outputs(self) -> list[str]:
        from ..plotting.symptoms import (
            FEATURES_FIGURE,
            REGIONS_FIGURE,
            SCATTER_NAME,
            SLICES_NAME,
        )
        from ..regions.symptoms import region_map_names
        from ..stats.lesion_symptom.cluster_table import TABLE_NAME
        from ..stats.lesion_symptom.multivariate import file_names as multivariate_names
        from ..stats.lesion_symptom.quantities import file_names
        from ..stats.lesion_symptom.univariate import LINEAR

        maps = file_names(self.test, self.v)
        both = [f"{_WITHOUT}{name}" for name in maps] if self.compare_control else []
        together = multivariate_names(self.multivariate, self.v) if self.multivariate else []
        regions: list[str] = []
        if self.atlas and self.test in LINEAR:
            regions = [REGIONS_NAME, REGIONS_FIGURE, *region_map_names()]
        if self.features:
            regions += [FEATURES_NAME, FEATURES_FIGURE]
        tables = [TABLE_NAME, *regions, "null.csv", "patients.csv"]
        return [*maps, *both, *together, *tables, SLICES_NAME, SCATTER_NAME, SCRIPT_NAME]

    def run(self, progress: Progress) -> Result:
        from ..atlas.atlas import atlas_input
        from ..cohort.cohort import cohort_input
        from ..files.writing import file_input
        from ..stats.lesion_symptom.cluster_table import find_symptom_clusters
        from ..stats.lesion_symptom.sentences import (
            control_sentence,
            map_sentences,
            multivariate_sentences,
            region_sentences,
        )

        atlas = open_atlas(self.atlas, self.labels, self) if self.atlas else None
        cohort = load_folder(self.masks, self, progress)
        symptom_map = self._map(cohort, self.control, progress)
        without = self._map(cohort, "none", progress) if self.compare_control else None
        together = self._together(symptom_map, progress)
        clusters = find_symptom_clusters(symptom_map, atlas)
        regions = self._regions(cohort, atlas, progress)
        features = self._features(cohort, progress)
        lines = map_sentences(symptom_map, clusters)
        if regions is not None:
            lines += region_sentences(regions)
        if features is not None:
            lines += region_sentences(features, part=1)
        if together is not None:
            lines += multivariate_sentences(together)
        if without is not None:
            lines.append(control_sentence(symptom_map, without))
        if atlas is None and len(clusters):
            lines.append("peaks are coordinates in mm: give an atlas to name their regions")
        return Result(
            files=self._files(symptom_map, without, together, clusters, (regions, features), atlas),
            inputs=[
                cohort_input(cohort),
                *([atlas_input(atlas)] if atlas is not None else []),
                *([file_input("features", self.features)] if self.features else []),
            ],
            counts=_counts(symptom_map, clusters),
            lines=[*side_notices(atlas), *lines, self.files_line()],
            notes=_each_once(symptom_map, together, regions, features),
        )

    def _map(self, cohort: Cohort, control: defaults.Control, progress: Progress) -> SymptomMap:
        from ..stats.lesion_symptom.mapping import map_symptom, memory_needed

        memory = memory_needed(cohort, self.test, self.min_lesioned)
        doing = f"permuting {self.score}, up to {memory / 1e9:.1f} GB"
        return map_symptom(
            cohort,
            self.score,
            test=self.test,
            covariates=self.covariates,
            control=control,
            min_lesioned=self.min_lesioned,
            permutations=self.permutations,
            seed=self.seed,
            v_mm3=self.v,
            cluster_p=self.cluster_p,
            side=self.side,
            blocks=self.blocks,
            progress=progress(doing, "permutation"),
        )

    def _together(self, symptom_map: SymptomMap, progress: Progress) -> MultivariateMap | None:
        from ..stats.lesion_symptom.multivariate import map_multivariate

        if self.multivariate is None:
            return None
        doing = progress(f"{self.multivariate} of {self.score}", "permutation")
        return map_multivariate(symptom_map, self.multivariate, progress=doing)

    def _regions(
        self, cohort: Cohort, atlas: Atlas | None, progress: Progress
    ) -> ColumnTests | None:
        """The same test of the share of each region; of linear tests alone."""
        from ..regions.load import lesion_load
        from ..regions.symptoms import region_symptoms

        if atlas is None or self.test not in ("ols", "rank"):
            return None
        return region_symptoms(
            lesion_load(cohort, atlas),
            self.score,
            test=self.test,
            covariates=self.covariates,
            control=self.control,
            permutations=self.permutations,
            seed=self.seed,
            side=self.side,
            blocks=self.blocks,
            progress=progress(f"permuting {self.score} in regions", "permutation"),
        )

    def _features(self, cohort: Cohort, progress: Progress) -> ColumnTests | None:
        """The same test of each column of a table."""
        from ..core.errors import InputError
        from ..regions.symptoms import table_symptoms

        if self.features is None:
            return None
        if self.test not in ("ols", "rank"):
            problem = f"columns of numbers have no test {self.test}"
            raise InputError("features", problem, "choose the test ols or rank")
        return table_symptoms(
            self.features,
            cohort,
            self.score,
            test=self.test,
            covariates=self.covariates,
            control=self.control,
            permutations=self.permutations,
            seed=self.seed,
            side=self.side,
            blocks=self.blocks,
            progress=progress(f"permuting {self.score} in columns", "permutation"),
        )

    def _files(
        self,
        symptom_map: SymptomMap,
        without: SymptomMap | None,
        together: MultivariateMap | None,
        clusters: SymptomClusters,
        columns: tuple[ColumnTests | None, ColumnTests | None],
        atlas: Atlas | None,
    ) -> Iterator[tuple[str, Any]]:
        from ..core.tables import csv_bytes
        from ..plotting.figures import figure_bytes
        from ..plotting.symptoms import (
            FEATURES_FIGURE,
            REGIONS_FIGURE,
            SCATTER_NAME,
            SLICES_NAME,
            draw_forest,
            draw_symptom_scatter,
            draw_symptom_slices,
        )
        from ..regions.symptoms import region_maps
        from ..stats.lesion_symptom.cluster_table import TABLE_NAME

        for prefix, maps in {"": symptom_map, _WITHOUT: without}.items():
            if maps is not None:
                for name, image in maps.files.items():
                    said = f"{image.name}, without control of lesion volume"
                    yield f"{prefix}{name}", replace(image, name=said) if prefix else image
        if together is not None:
            yield from together.files.items()
        yield TABLE_NAME, csv_bytes(clusters.table)
        regions, features = columns
        if features is not None:
            yield FEATURES_NAME, csv_bytes(features.table)
            yield FEATURES_FIGURE, figure_bytes(draw_forest(features, part=1))
        if regions is not None:
            yield REGIONS_NAME, csv_bytes(regions.table)
            yield REGIONS_FIGURE, figure_bytes(draw_forest(regions))
            if atlas is not None:
                on_grid = atlas.on_grid(symptom_map.grid)
                yield from region_maps(regions, on_grid).files.items()
        yield "null.csv", csv_bytes(symptom_map.null_table)
        yield "patients.csv", csv_bytes(symptom_map.patients.table)
        yield SLICES_NAME, figure_bytes(draw_symptom_slices(symptom_map))
        yield SCATTER_NAME, figure_bytes(draw_symptom_scatter(symptom_map, clusters))
        yield SCRIPT_NAME, self.script


def _each_once(*results: SymptomMap | MultivariateMap | ColumnTests | None) -> list[str]:
    """The notes of all results."""
    notes = [note for result in results if result is not None for note in result.notes]
    return list(dict.fromkeys(notes))


def _counts(symptom_map: SymptomMap, clusters: SymptomClusters) -> dict[str, Any]:
    significant = int((symptom_map.corrected_p <= SIGNIFICANCE_LEVEL).sum())
    return {
        "patients": symptom_map.patients.size,
        "excluded": {reason: len(ids) for reason, ids in symptom_map.patients.excluded.items()},
        "voxels_tested": symptom_map.tested,
        "patterns": symptom_map.prepared.patterns.size,
        f"voxels_corrected_p_at_most_{SIGNIFICANCE_LEVEL:g}": significant,
        "threshold": symptom_map.threshold(),
        "clusters": len(clusters),
        "notes": list(symptom_map.notes),
        "sentence": symptom_map.sentence,
    }
