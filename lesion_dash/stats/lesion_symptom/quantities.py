"""What a lesion-symptom map holds at each voxel."""

from __future__ import annotations

from ...core.defaults import SymptomTest
from ..voxel_maps import Quantity
from .univariate import BINARY, LINEAR

STATISTICS = {"ols": "t", "rank": "t", "welch": "t", "brunner-munzel": "BM"}

_SIGN = "lesioned minus spared"


def symptom_quantities(
    score: str, test: SymptomTest, v_mm3: tuple[float, ...], is_linear: bool
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
            "Area under the ROC curve, ties counting half; 0.5 is no difference.",
            "coolwarm",
        ),
        ("n", "lesioned patients", "patients", "Patients lesioned at the voxel.", "viridis"),
    ]
    if is_linear:
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
    return tuple(
        Quantity(
            key=key, label=label, unit=unit, file=f"{key}.nii", meaning=meaning, colormap=colormap
        )
        for key, label, unit, meaning, colormap in rows
    )


def file_names(test: SymptomTest, v_mm3: tuple[float, ...]) -> list[str]:
    """Names of the files of a map."""
    is_linear = test in LINEAR
    return [quantity.file for quantity in symptom_quantities("", test, v_mm3, is_linear)]
