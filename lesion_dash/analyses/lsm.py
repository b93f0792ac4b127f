"""`lesion-dash lsm`: where damage goes with a score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from ..core import defaults
from ..core.defaults import SIGNIFICANCE_LEVEL
from ..core.text import counted
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
REGIONS_NAME = "regions.csv"
_MAX_CLUSTERS = 5  # printed; arbitrary, the table holds them all
_WITHOUT = "without_control_"


class LesionSymptomMap(Request):
    """Where damage goes with a score: voxel-based lesion-symptom mapping (VLSM).

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
        "columns of numbers or categories that are held constant", "COLUMN", default=(),
        several=True,
    )  # fmt: skip
    output: fields.Output
    overwrite: fields.Overwrite
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
        "volumes in mm³: a corrected p for so much of false findings or more",
        "MM3",
        default=defaults.EXCEEDANCES_MM3,
        several=True,
    )
    cluster_p: float = option(
        "p from which on voxels form clusters", "P", default=defaults.CLUSTER_P, gt=0, lt=1
    )
    side: defaults.SymptomSide = option(
        "what counts as extreme: scores of lesioned patients that differ, are larger, or smaller",
        default=defaults.SYMPTOM_SIDE,
    )
    blocks: str | None = option(
        "column such as a site: scores are exchanged among patients of one value only",
        "COLUMN",
        default=None,
    )
    atlas: str | None = fields.source("to name the region of each cluster", "ATLAS", default=None)
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
        from ..plotting.symptoms import SCATTER_NAME, SLICES_NAME
        from ..stats.lesion_symptom.cluster_table import TABLE_NAME
        from ..stats.lesion_symptom.multivariate import file_names as multivariate_names
        from ..stats.lesion_symptom.quantities import file_names
        from ..stats.lesion_symptom.univariate import LINEAR

        maps = file_names(self.test, self.v)
        both = [f"{_WITHOUT}{name}" for name in maps] if self.compare_control else []
        together = multivariate_names(self.multivariate, self.v) if self.multivariate else []
        regions = [REGIONS_NAME] if self.atlas and self.test in LINEAR else []
        tables = [TABLE_NAME, *regions, "null.csv", "patients.csv"]
        return [*maps, *both, *together, *tables, SLICES_NAME, SCATTER_NAME, SCRIPT_NAME]

    def run(self, progress: Progress) -> Result:
        from ..atlas.atlas import atlas_input
        from ..cohort.cohort import cohort_input
        from ..stats.lesion_symptom.cluster_table import find_symptom_clusters

        atlas = open_atlas(self.atlas, self.labels, self) if self.atlas else None
        cohort = load_folder(self.masks, self, progress)
        if atlas is not None:
            atlas = atlas.on_grid(cohort.grid)
        symptom_map = self._map(cohort, self.control, progress)
        without = self._map(cohort, "none", progress) if self.compare_control else None
        together = self._together(symptom_map, progress)
        clusters = find_symptom_clusters(symptom_map, atlas)
        regions = self._regions(cohort, atlas, progress)
        lines = _summary(symptom_map, clusters)
        if regions is not None:
            lines += _region_lines(regions)
        if together is not None:
            lines += _together_lines(together)
        if without is not None:
            lines.append(_comparison(symptom_map, without))
        if atlas is None and len(clusters):
            lines.append("peaks are coordinates in mm: give an atlas to name their regions")
        return Result(
            files=self._files(symptom_map, without, together, clusters, regions),
            inputs=[cohort_input(cohort), *([atlas_input(atlas)] if atlas is not None else [])],
            counts=_counts(symptom_map, clusters),
            lines=[*side_notices(atlas), *lines, self.files_line()],
            notes=_each_once(symptom_map, together, regions),
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

    def _files(
        self,
        symptom_map: SymptomMap,
        without: SymptomMap | None,
        together: MultivariateMap | None,
        clusters: SymptomClusters,
        regions: ColumnTests | None,
    ) -> Iterator[tuple[str, Any]]:
        from ..core.tables import csv_bytes
        from ..images.maps import nifti_parts
        from ..plotting.figures import figure_bytes
        from ..plotting.symptoms import (
            SCATTER_NAME,
            SLICES_NAME,
            draw_symptom_scatter,
            draw_symptom_slices,
        )
        from ..stats.lesion_symptom.cluster_table import TABLE_NAME

        for prefix, maps in {"": symptom_map, _WITHOUT: without}.items():
            if maps is not None:
                for name, image in maps.files.items():
                    yield f"{prefix}{name}", nifti_parts(image.to_nifti())
        if together is not None:
            for name, image in together.files.items():
                yield name, nifti_parts(image.to_nifti())
        yield TABLE_NAME, csv_bytes(clusters.table)
        if regions is not None:
            yield REGIONS_NAME, csv_bytes(regions.table)
        yield "null.csv", csv_bytes(symptom_map.null_table)
        yield "patients.csv", csv_bytes(symptom_map.patients.table)
        yield SLICES_NAME, figure_bytes(draw_symptom_slices(symptom_map))
        yield SCATTER_NAME, figure_bytes(draw_symptom_scatter(symptom_map, clusters))
        again = self.model_copy(update={"output": f"{self.output}_again", "overwrite": False})
        yield SCRIPT_NAME, f"{again.as_python()}\n".encode()


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


def _summary(symptom_map: SymptomMap, clusters: SymptomClusters) -> list[str]:
    """Design, thresholds, clusters and what the map does not show."""
    from ..stats.lesion_symptom.mapping import STATEMENT, voxels_in

    name = symptom_map.statistic_name
    height = {"two-sided": f"|{name}|", "larger": name, "smaller": f"-{name}"}[symptom_map.side]
    largest = symptom_map.heights_of(symptom_map.statistic).max()
    thresholds = [f"{symptom_map.threshold():.2f} for any false voxel"]
    thresholds += [
        f"{symptom_map.threshold(v):.2f} for {v:g} mm³ of them or more"
        for v in symptom_map.v_mm3
        if voxels_in(v, symptom_map.grid.voxel_volume) > 1
    ]
    significant = symptom_map.corrected_p <= SIGNIFICANCE_LEVEL
    count = int(significant.sum())
    volume = count * symptom_map.grid.voxel_volume / 1000
    voxels = counted(count, "voxel")
    small = f"{voxels} ({volume:,.2f} mL) with corrected p at most {SIGNIFICANCE_LEVEL:g}"
    above = f"{height} above which corrected p is at most {SIGNIFICANCE_LEVEL:g}"
    lines = [
        symptom_map.sentence,
        f"{above}: {'; '.join(thresholds)}",
        f"{small}; largest {height} {largest:.2f}",
    ]
    lines += [_cluster_line(row, symptom_map) for row in clusters.rows[:_MAX_CLUSTERS]]
    if len(clusters) > _MAX_CLUSTERS:
        lines.append(f"  and {counted(len(clusters) - _MAX_CLUSTERS, 'more cluster')}")
    if not len(clusters):
        lines.append("no cluster is significant by its peak or its size")
        detectable = symptom_map.values.get("power_d80")
        if detectable is not None:
            lines.append(
                f"smallest effect found in 80 % of such studies: {detectable.min():.2f} to "
                f"{detectable.max():.2f} SD, by voxel: smaller ones are found less often"
            )
    return [*lines, STATEMENT]


def _cluster_line(row: Any, symptom_map: SymptomMap) -> str:
    from ..atlas.places import NamedPlace
    from ..stats.lesion_symptom.quantities import left_out
    from ..stats.lesion_symptom.univariate import LINEAR

    named = NamedPlace(row.region, row.full_name, row.lobe, row.nearest_region, row.nearest_mm)
    place = named.words or f"{row.x_mm:.0f}, {row.y_mm:.0f}, {row.z_mm:.0f} mm"
    unit = symptom_map.patients.name
    has_terms = symptom_map.covariates or symptom_map.control in ("log-volume", "volume")
    given = ", given the covariates," if has_terms and symptom_map.test in LINEAR else ""
    has_covariates = bool(symptom_map.covariates)
    if what := left_out("effect", symptom_map.test, symptom_map.control, has_covariates):
        given += f" not given {what}," if given else f", not given {what},"
    p = symptom_map.cluster_p
    forming = f" at uncorrected p below {p:g}" if p is not None else ""
    return (
        f"  {row.cluster}: {row.volume_mm3 / 1000:.2f} mL{forming}, peak in {place}: {unit} "
        f"{row.mean_lesioned:.1f} of {row.lesioned} lesioned, {row.mean_spared:.1f} of "
        f"{row.spared} spared; lesioned minus spared{given} {row.effect:.2f} (95 % interval "
        f"{row.ci_low:.2f} to {row.ci_high:.2f}); corrected p {row.corrected_p:.3g} of the "
        f"peak, {row.cluster_p:.3g} of the cluster's size"
    )


def _region_lines(regions: ColumnTests) -> list[str]:
    """The regions with a corrected p, at most as many as clusters."""
    table = regions.table[regions.table["corrected_p"] <= SIGNIFICANCE_LEVEL]
    count = counted(len(table), "region")
    lines = [f"{count} of {len(regions.table)} with corrected p at most {SIGNIFICANCE_LEVEL:g}"]
    for row in table.sort_values("corrected_p").head(_MAX_CLUSTERS).to_dict("records"):
        low, effect, high = (row[key] / 10 for key in ("ci_low", "effect", "ci_high"))
        part = f"{effect:.2f} ({low:.2f} to {high:.2f}) for each 10 % of the region"
        lines.append(
            f"  {row['name']}: {part}; corrected p {row['corrected_p']:.3g} over all regions"
        )
    return lines


def _together_lines(together: MultivariateMap) -> list[str]:
    """What the model of all voxels found, and where both maps agree."""
    level = SIGNIFICANCE_LEVEL
    own, both = (int((p <= level).sum()) for p in (together.corrected_p, together.conjunction_p))
    agreement = (
        f"{counted(own, 'voxel')} with corrected p at most {level:g} in the model of all voxels "
        f"(z above {together.threshold():.2f}), {both:,} in both maps with the same sign: a place "
        "found by both is the more robust one, one found by neither is not shown to be without "
        "an effect"
    )
    return [together.sentence, agreement]


def _comparison(symptom_map: SymptomMap, without: SymptomMap) -> str:
    from ..stats.lesion_symptom.cautions import volume_correlation

    a, b = (int((item.corrected_p <= SIGNIFICANCE_LEVEL).sum()) for item in (symptom_map, without))
    r = volume_correlation(symptom_map.patients)
    return (
        f"without control of lesion volume, {b:,} voxels in place of {a:,} have a corrected p of "
        f"at most {SIGNIFICANCE_LEVEL:g}; r of {symptom_map.patients.name} and log volume {r:.2f}"
    )
