"""Images chosen on the page Template & signal in, what they look like together out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..core.defaults import KIND, Kind
from ..core.errors import LesionDashError
from ..images.maps import Map, as_map, read_map
from ..images.masks import Mask, read_mask
from ..images.template import load_template
from ..scans.registration.engines import engine_named, installed_engines
from ..scans.registration.register import register_image
from ..scans.registration.task import NotCredible, Report
from ..transforms.transform import Transform
from ..transforms.warping import warp_map, warp_mask
from .volume_pair import VolumePair

MNI = "mni152"
MNI_NAME = "MNI152 brain, T1, 1 mm"


@dataclass(frozen=True)
class Request:
    """What is to be seen.

    Parameters
    ----------
    image : str
        Path.
    template : str
        Path, ``mni152``, or empty: the image is seen in its own space.
    kind : str
    lesion : str
        Path, or empty.
    """

    image: str
    template: str = ""
    kind: Kind = KIND
    lesion: str = ""

    @property
    def subject(self) -> tuple[str, str, str]:
        """What it is about, however it is registered."""
        return self.image, self.template, self.lesion


def read_template(name: str) -> Map:
    """The template of a request."""
    if name == MNI:
        return replace(as_map(load_template()), name="MNI152 brain")
    return read_map(name)


def open_pair(request: Request) -> VolumePair:
    """The image where its header puts it: on the template, or in its own space without one.

    Raises
    ------
    InputError
        Where a file cannot be used.
    """
    native = read_map(request.image)
    own = _own_lesion(request.lesion, native)
    if not request.template:
        return _ready(VolumePair(native, native, lesion=own, native_lesion=own))
    template = read_template(request.template)
    placed = warp_map(native, Transform(), template.grid)
    lesion = None if own is None else warp_mask(own, Transform(), template.grid)
    return _ready(VolumePair(native, placed, template, lesion, own))


def register_pair(request: Request, report: Report) -> VolumePair:
    """The image registered to its template; one that is not credible with the reason.

    Raises
    ------
    InputError
        Where a file cannot be used.
    Cancelled
        Where `report` raises it.
    """
    template = read_template(request.template) if request.template == MNI else request.template
    refusal: NotCredible | None = None
    try:
        registration = register_image(
            request.image,
            template,
            request.kind,
            lesion=request.lesion or None,
            engine=engine_for(request.kind),
            report=report,
        )
    except NotCredible as error:
        if error.registration is None:
            raise
        registration, refusal = error.registration, error
    volumes = VolumePair(
        registration.moving,
        registration.image,
        registration.template,
        registration.lesion,
        registration.native_lesion,
        registration,
        refusal,
    )
    return _ready(volumes)


def engine_for(kind: Kind) -> str:
    """The engine that is asked: the usual one, else one the user has installed.

    Raises
    ------
    InputError
        Where none is installed; the sentence says how to get one.
    """
    try:
        engine_named("auto", kind)
    except LesionDashError:
        for engine in installed_engines():
            if kind in engine.kinds:
                return engine.name
        raise
    return "auto"


def why_not(kind: Kind) -> str:
    """Why a kind of registration cannot be had here; empty where it can."""
    try:
        engine_for(kind)
    except LesionDashError as error:
        return str(error)
    return ""


def _own_lesion(path: str, native: Map) -> Mask | None:
    return read_mask(path).on_grid(native.grid) if path else None


def _ready(volumes: VolumePair) -> VolumePair:
    """With the greys worked out: this happens beside the page."""
    volumes.levels  # noqa: B018
    return volumes
