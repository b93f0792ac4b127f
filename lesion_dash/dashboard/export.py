"""Writes everything that can be saved into the results folder, together."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from ..atlas.atlas import atlas_input
from ..cohort.cohort import cohort_input
from ..core.file_names import plain_name
from ..files.writing import FILE_NAME as PROVENANCE_FILE
from ..files.writing import new_folder, provenance_bytes, write_atomically
from .session import Session
from .state import Selection

_LONGEST_FOLDER = 120  # characters, arbitrary


def export(session: Session, selection: Selection, results: Path) -> Path:
    """Write all files of a selection and their provenance into a new folder below `results`.

    An earlier export is never replaced: the new folder gets a number where the name is taken.

    Raises
    ------
    InputError
        Where the folder cannot be written.
    """
    names = session.file_names(selection)
    with (
        new_folder(results, _folder_name(selection)) as place,
        write_atomically(place, [*names, PROVENANCE_FILE]) as writer,
    ):
        for name in names:
            writer.add(name, session.file_bytes(selection, name))
        writer.add(PROVENANCE_FILE, _provenance(session, selection, writer.sums))
    return place


def _provenance(session: Session, selection: Selection, sums: dict[str, str]) -> bytes:
    cohorts = [session.cohort(name) for name in (selection.cohort_a, selection.cohort_b)]
    inputs = [cohort_input(cohort) for cohort in cohorts if cohort is not None]
    atlases = map(session.atlas, selection.atlases)
    inputs += [atlas_input(atlas) for atlas in atlases if atlas is not None]
    voxels = session.stats(selection).voxels
    counts = {"patients": [part["used"] for part in inputs if "used" in part], "voxels": voxels}
    conditions = {
        f"where_{side}": list(session.origin(name)[1])
        for side, name in (("a", selection.cohort_a), ("b", selection.cohort_b))
    }
    chosen = {
        f"files_{side}": str(session.files_of(name))
        for side, name in (("a", selection.cohort_a), ("b", selection.cohort_b))
    }
    files = {name: text for name, text in chosen.items() if text}
    sides = {
        option: [name for name in selection.atlases if session.use_of(name).sides == said]
        for option, said in (("accept_swapped", "accepted"), ("mirror_atlas", "mirrored"))
    }
    of_names = {option: names for option, names in sides.items() if names}
    spaces = {name: session.use_of(name).space for name in selection.atlases}
    stated = {name: space for name, space in spaces.items() if space}
    of_spaces = {"atlas_spaces": stated} if stated else {}
    parameters = asdict(selection) | conditions | files | of_names | of_spaces
    content = provenance_bytes("dashboard", parameters, inputs, counts, sums)
    # Where dropped files lay on the server tells nobody anything, and is gone with the session.
    return session.root.without_own_folders(content.decode()).encode()


def _folder_name(selection: Selection) -> str:
    cohorts = [name for name in (selection.cohort_a, selection.cohort_b) if name]
    words = "_and_".join([*cohorts]) + f"_at_least_{selection.min_patients}"
    return plain_name(words.lstrip("._/"), _LONGEST_FOLDER)
