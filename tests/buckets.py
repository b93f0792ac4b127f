"""A bucket in memory, and folders that are copied into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from phantoms import AFFINE, random_masks, write_masks


@contextmanager
def empty_bucket() -> Iterator[Any]:
    import fsspec

    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()


def write_study(folder: Path) -> Path:
    """Masks, and what else may lie among them."""
    masks = random_masks(12)
    write_masks(folder, masks)
    shifted = AFFINE.copy()
    shifted[0, 3] += 20
    write_masks(folder, masks[:2], names=["a/sub-a.nii", ".hidden/sub-h.nii"])
    write_masks(folder, masks[2:4] + masks[2:3], names=["sub-t.nii", "sub-t.nii.gz", "x.nii/y.nii"])
    (folder / "sub-t.nii").write_bytes(b"broken")
    (folder / "sub-broken.nii.gz").write_bytes(b"broken")
    (folder / "sub-empty.nii.gz").write_bytes(b"")
    (folder / "sub-1.mgz").write_bytes(b"x")
    (folder / "._sub-2.nii").write_bytes(b"x")
    (folder / "sub-3.nii.gz.part").write_bytes(b"x")
    write_masks(folder, masks[4:5], shifted, names=["sub-off.nii"])
    write_masks(folder, masks[:1], names=["overlap_map.nii"])
    (folder / "sub-pair.hdr").write_bytes(b"")
    (folder / "notes.txt").write_text("no image")
    (folder / "participants.tsv").write_text("participant_id\tage\nsub-000\t61\n")
    return folder


def upload(folder: Path, bucket, url: str) -> str:
    for file in folder.rglob("*"):
        if file.is_file():
            bucket.pipe_file(f"{url}/{file.relative_to(folder).as_posix()}", file.read_bytes())
    return url
