"""The visitor's own files: where they are dropped, what came of them, and how they go again."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets

from ...core.errors import InputError
from ...core.text import counted, printable
from ...files.incoming import Plan
from ..app_context import AppContext
from ..model.own_files import LIMITS, Drop
from ..widgets.drop import FileDrop

_PRIVATE = (
    "<details><summary>Kept for this session only, then deleted.</summary>Dropped files lie in a "
    "temporary folder of the server that no other visitor sees, and are deleted when this page is "
    "closed. Links and saved sessions exclude them. At most "
    f"{LIMITS.files:,} files at once, {LIMITS.per_file / 1e6:,.0f} MB each, "
    f"{LIMITS.total / 1e9:,.0f} GB in all.</details>"
)
_MOST_LINES = 200


class OwnFilesDrop:
    """A place for the visitor's own files.

    Parameters
    ----------
    context : AppContext
    then : callable
        Given what was listed anew.
    ask : str
        What is written there.
    around : str
        Selector of the part of the page onto which files are dropped.
    """

    def __init__(
        self, context: AppContext, then: Callable[[Drop], None], ask: str, around: str
    ) -> None:
        self._context, self._then = context, then
        self._refused: Mapping[str, str] = {}
        guard = context.banner.guard
        self.drop = FileDrop(
            context.own,
            guard(self._begun),
            guard(self._complete),
            context.banner.show,
            ask=ask,
            around=around,
        )
        self.report = widgets.HTML()
        self.report.add_class("ld-note")
        self.remove = widgets.Button(
            description="Remove my files", tooltip="Delete all dropped files from the server"
        )
        self.remove.add_class("ld-button")
        self.remove.on_click(guard(lambda _: self._remove()))
        self._worker = context.worker(self._failed)
        private = widgets.HTML(_PRIVATE)
        private.add_class("ld-note")
        self.widget = widgets.VBox([self.drop, self.report, self.remove, private])
        self.widget.add_class("ld-own-files")
        context.session.root.observe(self._show_remove)
        self._show_remove()

    def tell(self, text: str, reasons: Mapping[str, str], notes: tuple[str, ...] = ()) -> None:
        """Say what came of the files: a sentence, and in a fold what is wrong with which."""
        self.drop.say("; ".join([text, *notes]))
        self.report.value = reasons_html(reasons)

    def _begun(self, plan: Plan) -> None:
        self._context.banner.clear()
        self._refused = plan.refused
        self.report.value = reasons_html(plan.refused)

    def _complete(self, _plan: Plan) -> None:
        self._worker.submit(self._context.own.keep, self._kept)

    def _kept(self, drop: Drop) -> None:
        self._context.session.root.announce()
        reasons = {**self._refused, **drop.rejected}
        self.tell(_words(drop), reasons, drop.notes)
        if drop.images and not drop.cohorts and drop.images == len(drop.rejected):
            lines = tuple(f"{file}: {reason}" for file, reason in drop.rejected.items())
            problem = f"no readable image among {counted(drop.images, 'file')}, none was kept"
            raise InputError("the files", problem, "see the reason for each", lines)
        self._then(drop)

    def _failed(self, error: Exception) -> None:
        self.drop.say("Nothing was kept: see the message at the top.")
        self._context.banner.show(error)

    def _remove(self) -> None:
        self._context.remove_own_files()
        self.tell("All dropped files were deleted.", {})

    def _show_remove(self) -> None:
        root = self._context.session.root
        is_any = any(map(root.is_own, root.image_counts))
        (self.remove.remove_class if is_any else self.remove.add_class)("ld-hidden")


class OwnMasks(OwnFilesDrop):
    """The place in the column of settings: what is dropped becomes folder A, or the atlas."""

    def __init__(self, context: AppContext) -> None:
        ask = "Drop a folder of masks, or an atlas with its table"
        super().__init__(context, self._choose, ask, ".ld-choices")
        context.choices.observe(context.banner.guard(self._report_skipped), names="cohort_a")

    def _choose(self, drop: Drop) -> None:
        choices = self._context.choices
        for side in ("folder_a", "folder_b"):
            choices.set_trait(side, drop.now_called(getattr(choices, side)))
        choices.atlases = tuple(map(drop.now_called, choices.atlases))
        if drop.cohorts and not drop.renamed:
            choices.folder_a = drop.cohorts[0]
        if drop.atlases and not drop.renamed:
            choices.atlas = drop.atlases[0]

    def _report_skipped(self, _change: Any) -> None:
        """Name the files of a dropped folder that are not used, with the reason."""
        session, name = self._context.session, str(self._context.choices.cohort_a)
        folder = session.origin(name)[0]
        cohort = session.cohort(name) if session.root.is_own(folder) else None
        if cohort is None:
            return
        skipped = {row.file: row.reason for row in cohort.patients if row.outcome == "reject"}
        patients = counted(cohort.n_patients, "patient")
        words = f"{session.root.words_of(folder)} is folder A: {patients}"
        self.tell(words, {**self._refused, **skipped})


def reasons_html(reasons: Mapping[str, str], noun: str = "file", outcome: str = "not used") -> str:
    """Files, or folders, with the reason for each, folded."""
    if not reasons:
        return ""
    lines = [f"{printable(file)}: {printable(reason)}" for file, reason in reasons.items()]
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = [f"and {len(lines) - _MOST_LINES:,} more"]
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    title = f"{counted(len(reasons), noun)} {outcome}"
    return f"<details><summary>{title}</summary><ul>{items}</ul></details>"


def _words(drop: Drop) -> str:
    images = drop.images - len(drop.rejected)
    if not images:
        return "" if drop.rejected else "The tables were received"
    also = "" if drop.cohorts or drop.atlases else ": see the lists of files on the other pages"
    return f"{counted(images, 'image')} received{also}"
