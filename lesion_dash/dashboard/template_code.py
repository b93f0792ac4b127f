"""Python that does what the page Template & signal shows, and all of its files in one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..core.tables import csv_bytes
from ..files.reading import checksum
from ..files.writing import provenance_bytes
from ..images.maps import file_parts, masked_bytes, read_volume
from .measurement_service import PERCENT, Noise, Placed, RegionChoice, SignalAnswer
from .registering import MNI, Request, engine_for
from .volume_pair import VolumePair

SCRIPT_NAME = "template_and_signal.py"
ZIP_NAME = "template_and_signal.zip"
_PROVENANCE = "template_and_signal.provenance.json"


def script_of(request: Request, placed: Placed | None, noise: Noise | None) -> str:
    """Python that does the same, as far as it was gone.

    Parameters
    ----------
    request : Request
    placed : Placed or None
    noise : Noise or None
    """
    imports, lines = _of_images(request)
    if placed is not None:
        imports |= {"lesion_dash.scans.region_masks": ["native_region", "read_region"]}
        lines += ["", *_of_region(placed, bool(request.template))]
        if noise is not None:
            needed = ["leave_out"] if noise.background_label else []
            imports["lesion_dash.scans.signal"] = [*needed, "measure_native"]
            lines += _of_signal(placed, noise)
    head = [f"from {module} import {', '.join(imports[module])}" for module in sorted(imports)]
    return "\n".join([*head, "", *lines, ""])


def _of_images(request: Request) -> tuple[dict[str, list[str]], list[str]]:
    if not request.template:
        lines = [
            f"image = read_map({request.image!r})",
            "transform = None  # maps lie in its space",
        ]
        return {"lesion_dash.images.maps": ["read_map"]}, lines
    imports = {"lesion_dash.scans.registration.register": ["register_image"]}
    template = repr(request.template)
    if request.template == MNI:
        imports["lesion_dash.images.template"] = ["load_template"]
        template = "load_template()"
    choices = [f"kind={request.kind!r}"]
    choices += [f"lesion={request.lesion!r}"] if request.lesion else []
    engine = engine_for(request.kind)
    choices += [f"engine={engine!r}"] if engine != "auto" else []
    lines = [
        "found = register_image(",
        f"    {request.image!r},",
        f"    {template},",
        *(f"    {choice}," for choice in choices),
        ")",
        "print(found.quality)",
        "image, transform = found.moving, found.transform",
    ]
    return imports, lines


def _of_region(placed: Placed, has_template: bool) -> list[str]:
    threshold = placed.threshold
    lines = [f"region = {_reading(placed.choice)}"]
    if has_template:
        lines.append(f"in_template = region.mask_on(found.template.grid, {threshold})")
    return [*lines, f"native = native_region(region, {threshold}, transform, image.grid)"]


def _reading(choice: RegionChoice) -> str:
    if choice.label == PERCENT:
        return f"read_region({choice.path!r}, percent=True)"
    label = f", {choice.label!r}" if choice.label else ""
    return f"read_region({choice.path!r}{label})"


def _of_signal(placed: Placed, noise: Noise) -> list[str]:
    choices = []
    lines = []
    if noise.background_label:
        other = RegionChoice(placed.choice.path, noise.background_label)
        lines += [
            f"other = {_reading(other)}",
            f"beside = native_region(other, {placed.threshold}, transform, image.grid)",
            "background = leave_out(beside, native)",
        ]
        choices.append("background=background")
    elif noise.background:
        choices.append(f"background={noise.background!r}")
    choices += [f"{name}={path!r}" for name in ("second", "air") if (path := getattr(noise, name))]
    choices += [f"coils={noise.coils}"] if noise.coils != 1 else []
    more = "".join(f"\n    {choice}," for choice in choices)
    call = (
        f"measure_native(\n    image,\n    native,{more}\n)"
        if more
        else ("measure_native(image, native)")
    )
    return [*lines, f"signal = {call}", "print(signal.quality.table)"]


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
