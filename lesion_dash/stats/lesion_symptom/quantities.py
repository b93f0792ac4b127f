"""What a lesion-symptom map holds at each voxel."""

from __future__ import annotations

from ...core.defaults import Control, SymptomTest
from ..voxel_maps import Quantity
from .families import COVARIATE_CONTROLS
from .univariate import BINARY, LINEAR

STATISTICS = {"ols": "t", "rank": "t", "welch": "t", "brunner-munzel": "BM"}

_SIGN = "lesioned minus spared"


_TITLES = {
    "statistic": f"{{statistic}} of {{score}}, {_SIGN}",
    "p": "p of {score}, uncorrected",
    "fdr_p": "false discovery rate of {score}",
    "effect": f"Difference of {{score}}, {_SIGN}",
    "auc": "Probability that spared patients have the higher {score}",
}
"""Of maps, where the label with a capital letter would not do."""

_EFFECT = ("effect", "ci_low", "ci_high")
_SHORT = {"auc": "P(spared higher)"}


def left_out(key: str, test: SymptomTest, control: Control, has_covariates: bool) -> str:
    """What a quantity does not take into account, though the test does; empty where nothing.

    Of a score of 0 and 1, effects are differences of shares as they are, and every AUC is that of
    the scores as they are. Controls that are not a covariate belong to no regression of the score.
    """
    if key == "auc" or (key in _EFFECT and test in BINARY):
        parts = {"covariates": has_covariates, "lesion volume": control != "none"}
    else:
        is_none = control == "none" or control in COVARIATE_CONTROLS
        parts = {"lesion volume": key in _EFFECT and not is_none}
    return " and ".join(name for name, is_out in parts.items() if is_out)


def effect_notes(test: SymptomTest, control: Control, has_covariates: bool) -> tuple[str, ...]:
    """A sentence where effects leave out what the test takes into account."""
    what = left_out("effect", test, control, has_covariates)
    note = f"effects and their 95 % intervals are not given {what}; statistics and p are"
    return (note,) if what else ()


def symptom_quantities(
    score: str,
    test: SymptomTest,
    control: Control,
    has_covariates: bool,
    v_mm3: tuple[float, ...],
) -> tuple[Quantity, ...]:
    """The quantities of a map, in the order of their files."""
    name = STATISTICS.get(test, "z")
    unit = "share with the symptom" if test in BINARY else score
    rows = [
        ("statistic", f"{name} of {score}, {_SIGN}", "", f"{name} of the test.", "coolwarm"),
        ("p", f"p of {score}", "", "p of the voxel alone, not corrected.", "viridis_r"),
        (
            "corrected_p",
            f"corrected p of {score}",
            "",
            "p corrected for the family-wise error over all tested voxels, by permutations.",
            "viridis_r",
        ),
        *(
            (
                f"corrected_p_v{v:g}",
                f"corrected p of {score}, {v:g} mm³ or more",
                "",
                f"p of {v:g} mm³ or more of false findings, by permutations.",
                "viridis_r",
            )
            for v in v_mm3
        ),
        (
            "fdr_p",
            f"false discovery rate of {score}",
            "",
            "Benjamini and Hochberg's p.",
            "viridis_r",
        ),
        ("effect", f"{score}, {_SIGN}", unit, "Difference of the mean.", "coolwarm"),
        ("ci_low", f"lower bound of {score}, {_SIGN}", unit, "Of the 95 % interval.", "coolwarm"),
        ("ci_high", f"upper bound of {score}, {_SIGN}", unit, "Of the 95 % interval.", "coolwarm"),
        (
            "auc",
            f"probability that spared patients have the higher {score}",
            "",
            "Area under the ROC curve, ties counting half; 0.5 is not a difference.",
            "coolwarm",
        ),
        ("n", "lesioned patients", "patients", "Patients lesioned at the voxel.", "viridis"),
    ]
    if test in LINEAR:
        rows += [
            ("hedges_g", f"Hedges' g of {score}, {_SIGN}", "SD", "Standardised.", "coolwarm"),
            (
                "partial_r",
                f"partial r of {score}, {_SIGN}",
                "",
                "Partial correlation with the lesion.",
                "coolwarm",
            ),
            (
                "power_d80",
                "smallest effect found with 80 % power",
                "SD",
                "Standardised difference that passes the corrected threshold in 80 % of studies.",
                "viridis_r",
            ),
        ]
    if test == "ols":
        rows.append(
            (
                "log10_bf10",
                f"log10 Bayes factor of {score}",
                "",
                "Below -0.48 (BF10 < 1/3) it is evidence for no difference.",
                "coolwarm",
            )
        )
    quantities = []
    for key, label, unit, meaning, colormap in rows:
        what = left_out(key, test, control, has_covariates)
        quantities.append(
            Quantity(
                key=key,
                label=f"{label}, not given {what}" if what else label,
                title=_TITLES.get(key, "").format(score=score, statistic=name),
                unit=unit,
                file=f"{key}.nii",
                meaning=f"{meaning} The test is given {what}, this is not." if what else meaning,
                colormap=colormap,
                statistic=name if key == "statistic" else key,
                # The label alone may fill a header, which is cut.
                header=f"{_SHORT.get(key, key)} of {score}, not given {what}" if what else "",
            )
        )
    return tuple(quantities)


def file_names(test: SymptomTest, v_mm3: tuple[float, ...]) -> list[str]:
    """Names of the files of a map."""
    return [quantity.file for quantity in symptom_quantities("", test, "none", False, v_mm3)]
