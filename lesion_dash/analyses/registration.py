"""`lesion-dash register`: an image, and what belongs to it, onto a template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core import defaults
from ..core.errors import InputError
from . import fields
from .fields import option, source
from .request import Progress, Request, Result, no_progress, shown_path

if TYPE_CHECKING:
    from ..images.maps import MapLike
    from ..scans.registration.task import NotCredible, Registration


MNI = "mni152"


class Register(Request):
    """Register an image to a template, its lesion mask and other images along with it."""

    command = "register"
    example = "scan.nii.gz --template mni152 --lesion lesion.nii.gz -o registered/"

    moving: str = source("NIfTI image of one volume, or its URL", "MOVING", positional=True)
    template: str = source(
        f"the template: a NIfTI image, or {MNI} for the bundled MNI152 brain",
        "IMAGE",
    )
    output: fields.Output
    overwrite: fields.Overwrite
    strict: fields.Strict
    kind: defaults.Kind = option(
        "transform model; deformable needs dipy, greedy or ANTs, which are installed separately",
        default=defaults.KIND,
    )
    lesion: str | None = source(
        "lesion on MOVING's grid: excluded from the comparison, and transformed as well",
        "MASK",
        default=None,
    )
    others: tuple[str, ...] = source(
        "other images in MOVING's space, transformed as well; masks stay masks, labels labels",
        "IMAGE",
        "--with",
        several=True,
        default=(),
    )
    engine: defaults.Engine = option(
        "auto: simpleitk for rigid and affine, dipy for deformable (pip install dipy); greedy and "
        "ants are programs that you have installed, for deformable",
        default=defaults.ENGINE,
    )

    def outputs(self) -> list[str]:
        from ..files.listing import strip_ending
        from ..files.paths import as_path
        from .registration_files import file_names

        others = [strip_ending(as_path(path).name) for path in self.others]
        return file_names(self.kind, self.lesion is not None, others)[:-1]

    def parameters(self) -> dict[str, Any]:
        images = {name: getattr(self, name) for name in ("moving", "template", "lesion")}
        return {
            "asked_engine": self.engine,
            **{name: shown_path(image) for name, image in images.items()},
            "with": shown_path(self.others),
        }

    def execute(self, progress: Progress = no_progress) -> Result:
        from ..scans.registration.task import NotCredible

        try:
            return super().execute(progress)
        except NotCredible as error:
            raise self._with_picture(error) from None

    def run(self, progress: Progress) -> Result:
        from ..scans.registration.register import register_image
        from .registration_files import REFUSED, all_notes, registration_files

        show = progress("registering", "%")
        registration = register_image(
            self.moving,
            open_template(self.template),
            self.kind,
            lesion=self.lesion,
            others=list(self.others),
            engine=self.engine,
            report=show and (lambda fraction, step: show(round(100 * fraction), 100, step)),
        )
        return Result(
            files=registration_files(registration, self.parameters()).items(),
            lines=[*_lines(registration), self.files_line()],
            notes=all_notes(registration),
            obsolete=[self.target.folder / REFUSED],
        )

    def _with_picture(self, error: NotCredible) -> InputError:
        """The error with the place of a picture of the registration that is refused."""
        from ..files.writing import write_atomically
        from .registration_files import REFUSED, refused_picture

        picture = refused_picture(error)
        if picture is None:
            return error
        folder = self.target.folder
        with write_atomically(folder, [REFUSED], overwrite=True) as writer:
            writer.add(REFUSED, picture)
        shows = f"{folder / REFUSED} shows it"
        remedy = f"{error.remedy}; {shows}" if error.remedy else shows
        others = tuple(reason for reason in error.details if reason not in error.problem)
        return InputError(error.subject, error.problem, remedy, others)


def open_template(name: str) -> MapLike:
    """The brain that is shipped where the name says so, else the path of an image."""
    if name != MNI:
        return name
    from dataclasses import replace

    from ..images.maps import as_map
    from ..images.template import load_template

    return replace(as_map(load_template()), name=MNI)


def _lines(registration: Registration) -> list[str]:
    quality = registration.quality
    names = f"{registration.moving.name} on {registration.template.name}"
    before, after = quality.similarity_before, quality.similarity_after
    covered = f"{quality.coverage:.0%} of the template covered; volumes x {quality.determinant:.3f}"
    lines = [
        f"{names}: {registration.kind} by {registration.engine}, {registration.seconds:.0f} s",
        f"similarity {before:.2f} before, {after:.2f} after; {covered}",
    ]
    if registration.kind == "deformable":
        low, high = quality.smallest_jacobian, quality.largest_jacobian
        lines.append(f"volumes x {low:.2f} to x {high:.2f} from place to place")
    native, lesion = registration.native_lesion, registration.lesion
    if native is not None and lesion is not None:
        volume = f"{native.volume_mm3:,.0f} mm³ in its own image, the one to report"
        lines.append(f"lesion volume: {volume} ({lesion.volume_mm3:,.0f} mm³ in the template)")
    return lines
