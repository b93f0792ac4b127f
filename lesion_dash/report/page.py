"""The page of a report: one HTML file that loads nothing, made of the templates beside it.

What the page says stands in ``templates``; the numbers, and how they are written, come from here.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ..atlas.atlas import Atlas
from ..atlas.installed import installed_atlas
from ..atlas.places import names_of_place
from ..atlas.published import LIBRARY, is_library_name, probable_credit
from ..core.formats import PERCENT, P, decimals_of
from ..core.text import counted, enumerated, printable
from ..images.space import space_of
from ..regions.counts import RegionCount
from ..regions.involvement import RegionInvolvement
from ..stats.coverage import Mark
from ..stats.lesion_symptom.design import CONTROLS
from ..stats.lesion_symptom.mapping import STATEMENT
from ..stats.lesion_symptom.prediction_result import STATEMENT as OF_PREDICTIONS
from ..stats.lesion_symptom.sentences import control_sentence, outcome_sentence
from ..stats.lesion_symptom.univariate import TESTS
from .figures import Picture
from .findings import Findings, RegionFindings, Side, atlas_files, file_name
from .formatting import (
    age_summary,
    column_rows,
    condition_label,
    criteria,
    fixed,
    ml,
    point,
    round_number,
    sex_summary,
    share,
)
from .reproduction import Again, checksum_tables, versions

PAGE_NAME = "report.html"

_FOLDER = Path(__file__).parent
_NO_BREAK = "\u00a0"
_BEFORE_UNIT = re.compile(r"(?<=[\d)]) (?=(?:%|mL|mm³?|years|months|weeks|days)(?!\w))")


def make_page(
    findings: Findings,
    pictures: Mapping[str, Picture],
    files: list[tuple[str, str]],
    again: Again,
    day: date,
) -> str:
    """The page as text.

    Parameters
    ----------
    findings : Findings
    pictures : mapping
        By the names that `figures.drawings` gives them.
    files : list of (str, str)
        Name of each file beside the page, and what it holds.
    again : Again
    day : date
        On which the report was made.
    """
    style = (_FOLDER / "page.css").read_text(encoding="utf-8")
    # The page may show its own pictures in its own style, and nothing else, whatever it holds.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'"
    )
    same: dict[str, list[str]] = {}  # of A and of B in one line
    for name, content in files:
        same.setdefault(content, []).append(name)
    page = _environment().get_template("page.html.jinja")
    return page.render(
        _context(findings),
        pictures=pictures,
        files=same,
        day=day,
        style=Markup(style),
        policy=policy,
        versions=versions(),
        columns=column_rows(findings),
        conventions=_convention_rows(findings),
        rules=rules(findings),
        region_rows=_region_rows,
        credits=[*filter(None, map(atlas_credit, findings.atlases))],
        atlas_files=atlas_files,
        criteria=criteria(findings),
        again=again,
        checksums=checksum_tables(findings),
    )


def summary(findings: Findings) -> tuple[str, ...]:
    """The report in short: a few sentences of plain text."""
    template = _environment().get_template("summary.html.jinja")
    items = re.findall("<li>(.*?)</li>", template.render(_context(findings)), re.DOTALL)
    return tuple(_flowing(Markup(item)).unescape() for item in items)


@cache
def _environment() -> Environment:
    """The templates; every value is escaped, and an unknown name is an error."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "base64": lambda content: base64.b64encode(content).decode(),
        "breakable": _breakable,
        "code": _code,
        "counted": counted,
        "enumerated": enumerated,
        "file_name": file_name,
        "fixed": fixed,
        "p": P.text,
        "flowing": _flowing,
        "ml": ml,
        "percent": PERCENT.text,
        "point": point,
        "prose": _prose,
        "round_number": round_number,
        "share": share,
    }
    return environment


def _finalize(value: object) -> object:
    """Spell out line breaks and unprintable characters, which names of files may hold."""
    is_text = isinstance(value, str) and not hasattr(value, "__html__")
    return printable(str(value)) if is_text else value


def _escaped(text: str) -> Markup:
    return escape(_finalize(text))


def _flowing(text: str) -> Markup:
    """Text in one line, where a template breaks it."""
    return Markup(re.sub(r"\s*\n\s*", " ", _escaped(text).strip()))


def _prose(text: str) -> Markup:
    """Flowing text in which a number and its unit stay on one line."""
    return Markup(_BEFORE_UNIT.sub(_NO_BREAK, _flowing(text)))


def _breakable(name: str) -> Markup:
    """A long name that may go on in the next line after each underscore."""
    return Markup("_<wbr>").join(_escaped(part) for part in name.split("_"))


def _code(lines: str) -> Markup:
    """Lines of code, as they are."""
    return Markup("\n").join(_escaped(line) for line in lines.split("\n"))


def _context(findings: Findings) -> dict[str, Any]:
    """Values and functions for every template."""
    return {
        "findings": findings,
        "sides": findings.sides,
        "a": findings.a,
        "b": findings.sides[-1],
        "pair": findings.is_pair,
        "owners": [findings.owner(side) for side in findings.sides],
        "request": findings.request,
        "k": findings.request.min_patients,
        "grid": findings.a.cohort.grid,
        "stated": space_of(findings.a.cohort.grid),
        "space_of": space_of,
        "age": partial(age_summary, findings),
        "sex": sex_summary,
        "cited_in": cited_in,
        "names_of_place": partial(names_of_place, findings.atlases),
        "conditions": partial(_condition_labels, findings),
        "of_each": partial(_of_each, findings),
        "outcome_sentence": outcome_sentence,
        "control_sentence": control_sentence,
        "tests": TESTS,
        "controls": CONTROLS,
        "of_map": STATEMENT,
        "of_predictions": OF_PREDICTIONS,
    }


def _of_each(findings: Findings, describe: Callable[[Side], str]) -> Markup:
    """The text on the cohort, or ``... in A and ... in B`` without empty ones."""
    texts = {side.letter.upper(): _flowing(describe(side)) for side in findings.sides}
    if not findings.is_pair:
        return texts["A"]
    return Markup(" and ").join(text + f" in {letter}" for letter, text in texts.items() if text)


def _condition_labels(findings: Findings, side: Side) -> list[str]:
    conditions = findings.request.conditions(side.letter)
    return [condition_label(condition, side.cohort.units) for condition in conditions]


def _convention_rows(findings: Findings) -> list[list[str]]:
    """A row for the minimum of this report and for each rule, of each cohort."""
    rows = []
    for side in findings.sides:
        of = f"{side.letter.upper()}: " if findings.is_pair else ""
        own = Mark(findings.request.min_patients, "this report", "")
        for mark in (own, *side.coverage.marks):
            row = side.coverage.at(mark.min_patients)
            rows.append(
                [
                    f"{of}{mark.label}",
                    str(row.min_patients),
                    counted(row.voxels),
                    ml(row.volume_mm3),
                    PERCENT.text(row.percent_of_brain),
                    PERCENT.text(row.percent_of_lesioned),
                ]
            )
    return rows


class _RegionRow(NamedTuple):
    """A row of the table of regions: what is counted, patients of A and B, a place."""

    of_map: RegionCount
    patients: tuple[RegionInvolvement, ...]
    place: list[str]


def _region_rows(own: RegionFindings) -> list[_RegionRow]:
    """What lies outside, then the regions that hold any voxel, most patients first."""
    known = [{row.label: row for row in involved.rows} for involved in own.involved]
    pairs = zip(own.counts.rows, own.counts.places, strict=True)
    *regions, outside = (
        (count, tuple(rows[count.label] for rows in known if count.label in rows), place)
        for count, place in pairs
    )
    touched = [row for row in regions if row[0].voxels]
    touched.sort(key=lambda row: -sum(own.patients for own in row[1]))
    rows = [(outside[0], (), outside[2]), *touched]
    decimals = decimals_of((value for _, _, place in rows for value in place), limit=1)
    return [
        _RegionRow(count, patients, [fixed(value, decimals) for value in place])
        for count, patients, place in rows
    ]


REFERENCES = {
    "Weaver et al., 2019": (
        "Weaver NA, Zhao L, Biesbroek JM, Kuijf HJ, et al.; Meta VCI Map consortium (2019). The "
        "Meta VCI Map consortium for meta-analyses on strategic lesion locations for vascular "
        "cognitive impairment using lesion-symptom mapping: Design and multicenter pilot study. "
        "Alzheimer's & Dementia: Diagnosis, Assessment & Disease Monitoring 11, 310-326. "
        "doi:10.1016/j.dadm.2019.02.007"
    ),
    "Sperber and Karnath, 2017": (
        "Sperber C, Karnath HO (2017). Impact of correction factors in human brain "
        "lesion-behavior inference. Human Brain Mapping 38(3), 1692-1701. doi:10.1002/hbm.23490"
    ),
    "Mah et al., 2014": (
        "Mah YH, Husain M, Rees G, Nachev P (2014). Human brain lesion-deficit inference "
        "remapped. Brain 137(9), 2522-2531. doi:10.1093/brain/awu164"
    ),
    "Freedman and Lane, 1983": (
        "Freedman D, Lane D (1983). A nonstochastic interpretation of reported significance "
        "levels. Journal of Business & Economic Statistics 1(4), 292-298. "
        "doi:10.1080/07350015.1983.10509354"
    ),
    "Westfall and Young, 1993": (
        "Westfall PH, Young SS (1993). Resampling-based multiple testing: examples and methods "
        "for p-value adjustment. New York: Wiley"
    ),
    "Phipson and Smyth, 2010": (
        "Phipson B, Smyth GK (2010). Permutation P-values should never be zero: calculating exact "
        "P-values when permutations are randomly drawn. Statistical Applications in Genetics and "
        "Molecular Biology 9, 39. doi:10.2202/1544-6115.1585"
    ),
    "Mirman et al., 2018": (
        "Mirman D, Landrigan JF, Kokolis S, Verillo S, Ferrara C, Pustina D (2018). Corrections "
        "for multiple comparisons in voxel-based lesion-symptom mapping. Neuropsychologia 115, "
        "112-123. doi:10.1016/j.neuropsychologia.2017.08.025"
    ),
    "Fonov et al., 2011": (
        "Fonov V, Evans AC, Botteron K, Almli CR, McKinstry RC, Collins DL (2011). Unbiased "
        "average age-appropriate atlases for pediatric studies. NeuroImage 54(1), 313-327. "
        "doi:10.1016/j.neuroimage.2010.07.033"
    ),
    "Abraham et al., 2014": (
        "Abraham A, Pedregosa F, Eickenberg M, Gervais P, Mueller A, Kossaifi J, Gramfort A, "
        "Thirion B, Varoquaux G (2014). Machine learning for neuroimaging with scikit-learn. "
        "Frontiers in Neuroinformatics 8, 14. doi:10.3389/fninf.2014.00014"
    ),
    "Harris et al., 2020": (
        "Harris CR, Millman KJ, van der Walt SJ, et al. (2020). Array programming with NumPy. "
        "Nature 585, 357-362. doi:10.1038/s41586-020-2649-2"
    ),
    "Brett et al.": (
        "Brett M, Markiewicz CJ, Hanke M, Côté MA, Cipollini B, McCarthy P, et al. NiBabel. "
        "Zenodo, a record for each version. doi:10.5281/zenodo.591597; nipy.org/nibabel"
    ),
    "Nilearn contributors": (
        "Nilearn contributors. Nilearn. Zenodo, a record for each version. "
        "doi:10.5281/zenodo.8397156; nilearn.github.io"
    ),
    "LESYMAP (Pustina)": (
        "Pustina D. LESYMAP, lesion to symptom mapping in R; option minSubjectPerVoxel. "
        "github.com/dorianps/LESYMAP"
    ),
}
"""What is cited in a text, and the whole reference."""


def cited_in(text: str) -> tuple[str, ...]:
    """The references of a text, in the order of the alphabet.

    Examples
    --------
    >>> [reference[:9] for reference in cited_in("Weaver et al., 2019; Mah et al., 2014")]
    ['Mah YH, H', 'Weaver NA']
    """
    # A line of a template may end within a name.
    line = " ".join(text.split())
    return tuple(sorted(whole for short, whole in REFERENCES.items() if short in line))


def rules(findings: Findings) -> tuple[str, ...]:
    """Who asks for which minimum of patients, a line for each source with its rules."""
    labels: dict[str, dict[str, None]] = {}
    for side in findings.sides:
        for mark in side.coverage.marks:
            labels.setdefault(mark.reference, {})[mark.label] = None
    return tuple(f"{enumerated([*names])}: {source}" for source, names in labels.items())


def atlas_credit(atlas: Atlas) -> str:
    """Whom to cite for an atlas, as far as that is known."""
    if is_library_name(atlas.name):
        known = LIBRARY.get(atlas.name)
        return f"Atlas: {known.credit}" if known else ""
    if (installed := installed_atlas(atlas.name)) is not None:
        return f"Atlas {atlas.name}: {installed.credit}"
    guess = probable_credit(atlas_files(atlas)[0], (region.name for region in atlas.regions))
    if not guess:
        return f"Atlas {atlas.name}: cite its authors; this report does not know who they are."
    return f"Atlas {atlas.name}: {guess} (a guess by its names; check it)."
