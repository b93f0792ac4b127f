"""Python that does what the page Template & signal shows, and all of its files in one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ..core.defaults import COILS, ENGINE
from ..core.tables import csv_bytes
from ..core.text import layout, literal
from ..files.reading import checksum
from ..files.writing import provenance_bytes
from ..images.maps import file_parts, masked_bytes, read_map, read_volume
from ..images.template import load_template
from ..scans.region_masks import native_region, read_region
from ..scans.registration.register import register_image
from ..scans.signal import leave_out, measure_native
from .measurement_service import PERCENT, Noise, Placed, RegionChoice, SignalAnswer
from .registering import MNI, Request, engine_for
from .volume_pair import VolumePair

SCRIPT_NAME = "template_and_signal.py"
ZIP_NAME = "template_and_signal.zip"
_PROVENANCE = "template_and_signal.provenance.json"


def script_of(request: Request, placed: Placed | None, noise: Noise | None) -> str:
    """Python that does the same, as far as it was gone.

    It calls the library: no command measures what can be measured of one image, or takes another
    region of the map for the background.

    Parameters
    ----------
    request : Request
    placed : Placed or None
    noise : Noise or None
    """
    script = _Script()
    _register(script, request)
    if placed is not None:
        _place(script, placed, bool(request.template))
        if noise is not None:
            _measure(script, placed, noise)
    return script.text


class _Script:
    """Lines of Python, and the functions that they call."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._functions: dict[str, set[str]] = {}

    def call(self, function: Callable[..., Any], *arguments: str, **values: Any) -> str:
        """A call; arguments are written as they are, values as literals and None not at all."""
        self._functions.setdefault(function.__module__, set()).add(function.__name__)
        given = [f"{name}={literal(value)}" for name, value in values.items() if value is not None]
        return layout(function.__name__, [*arguments, *given])

    @property
    def text(self) -> str:
        """The whole, imports first."""
        modules = sorted(self._functions.items())
        head = [f"from {module} import {', '.join(sorted(names))}" for module, names in modules]
        return "\n".join([*head, "", *self.lines, ""])


def _register(script: _Script, request: Request) -> None:
    image = literal(request.image)
    if not request.template:
        script.lines += [
            f"image = {script.call(read_map, image)}",
            "transform = None  # maps lie in its space",
        ]
        return
    is_shipped = request.template == MNI
    template = script.call(load_template) if is_shipped else literal(request.template)
    engine = engine_for(request.kind)
    registration = script.call(
        register_image,
        image,
        template,
        kind=request.kind,
        lesion=request.lesion or None,
        engine=None if engine == ENGINE else engine,
    )
    script.lines += [
        f"found = {registration}",
        "print(found.quality)",
        "image, transform = found.moving, found.transform",
    ]


def _place(script: _Script, placed: Placed, has_template: bool) -> None:
    threshold = literal(placed.threshold)
    script.lines += ["", f"region = {_read(script, placed.choice)}"]
    if has_template:
        script.lines.append(f"in_template = region.mask_on(found.template.grid, {threshold})")
    native = script.call(native_region, "region", threshold, "transform", "image.grid")
    script.lines.append(f"native = {native}")


def _read(script: _Script, choice: RegionChoice) -> str:
    if choice.label == PERCENT:
        return script.call(read_region, literal(choice.path), percent=True)
    return script.call(read_region, literal(choice.path), label=choice.label or None)


def _measure(script: _Script, placed: Placed, noise: Noise) -> None:
    masks, background = ["image", "native"], noise.background or None
    if noise.background_label:
        other = RegionChoice(placed.choice.path, noise.background_label)
        where = (literal(placed.threshold), "transform", "image.grid")
        script.lines += [
            f"other = {_read(script, other)}",
            f"beside = {script.call(native_region, 'other', *where)}",
            f"background = {script.call(leave_out, 'beside', 'native')}",
        ]
        masks, background = [*masks, "background"], None
    signal = script.call(
        measure_native,
        *masks,
        background=background,
        second=noise.second or None,
        air=noise.air or None,
        coils=None if noise.coils == COILS else noise.coils,
    )
    script.lines += [f"signal = {signal}", "print(signal.quality.table)"]


def files_of(
    request: Request,
    volumes: VolumePair,
    placed: Placed | None,
    answer: SignalAnswer | None,
) -> dict[str, bytes]:
    """Everything there is to save, by name.

    Parameters
    ----------
    request : Request
    volumes : VolumePair
        Credible, or without a registration.
    placed : Placed or None
    answer : SignalAnswer or None
        Of the same region.
    """
    files: dict[str, bytes] = {}
    if volumes.registration is not None:
        from ..analyses.registration_files import registration_files

        files |= registration_files(volumes.registration)
    if placed is not None and placed.mask is not None and volumes.template is not None:
        files["region_in_template.nii.gz"] = _image(placed.mask.to_nifti())
    if answer is not None:
        files["region_native.nii.gz"] = _image(answer.mask.to_nifti())
        files["masked_image.nii.gz"] = masked_bytes(read_volume(request.image), answer.mask, True)[
            0
        ]
        files["signal.csv"] = csv_bytes(answer.signal.quality.table)
    noise = answer.noise if answer is not None else None
    files[SCRIPT_NAME] = script_of(request, placed, noise).encode("utf-8", "backslashreplace")
    sums = {name: checksum(content) for name, content in files.items()}
    files[_PROVENANCE] = _provenance(request, volumes, placed, answer, sums)
    return files


def _image(image: Any) -> bytes:
    return b"".join(file_parts(image, "mask.nii.gz"))


def _provenance(
    request: Request,
    volumes: VolumePair,
    placed: Placed | None,
    answer: SignalAnswer | None,
    sums: dict[str, str],
) -> bytes:
    parameters: dict[str, Any] = asdict(request)
    sources = dict(volumes.registration.sources) if volumes.registration is not None else {}
    sources[request.image] = volumes.native.sha256
    counts: dict[str, Any] = {}
    if placed is not None:
        parameters |= {"region": asdict(placed.choice) | {"threshold": placed.threshold}}
        sources |= placed.region.sources
    if answer is not None:
        quality = answer.signal.quality
        parameters |= {"noise": asdict(answer.noise)} | quality.parameters
        sources |= quality.sources
        counts = {"region_voxels": answer.mask.voxels, "region_mm3": answer.mask.volume_mm3}
        refused = {definition.name: str(error) for definition, error in answer.signal.refused}
        counts |= {"refused": refused, "notes": [*answer.mask.notes, *quality.notes]}
    inputs = [
        {"kind": "file", "file": file, "sha256": sha256 or None} for file, sha256 in sources.items()
    ]
    return provenance_bytes("template & signal", parameters, inputs, counts, sums)
