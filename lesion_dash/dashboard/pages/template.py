"""Template & signal: an image brought to a template, one of its regions, signal to noise there."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import ipywidgets as widgets

from ...core.errors import Cancelled, LesionDashError
from ..app_context import AppContext
from ..archive import zip_of
from ..cache import Cache
from ..lab_files import LabFiles
from ..measurement_service import (
    MapFacts,
    Noise,
    Placed,
    RegionChoice,
    SignalAnswer,
    measure,
    open_facts,
    place_region,
)
from ..persisted_inputs import Control, control, file_control
from ..registering import Request, open_pair, register_pair
from ..tasks import FRAME, PAUSE, Debounce, Done, Job, Worker
from ..template_code import SCRIPT_NAME, ZIP_NAME, files_of, script_of
from ..volume_pair import VolumePair
from .template_code import CodePanel
from .template_images import ImagesPanel
from .template_region import RegionPanel
from .template_signal import SignalPanel
from .template_view import EMPTY, VolumePanel

TITLE = "Registration and signal"
_SEE_ABOVE = "See the message."
_NOTHING = "Nothing to show: see the message."
_FIRST_REGISTER = "Press “Register” first: it brings the region to the native image."
_REFUSED = "Nothing is measured: the registration was refused."
_CHOOSE_REGION = "Choose a region first."
_CHOOSE_IMAGE = "Choose an image first."
_CHOOSE_FILE = "Choose a file in each folder."


def build(context: AppContext) -> widgets.Widget:
    """Images on the left, what comes of them beside."""
    page = TemplatePage(context)
    context.inputs.follow("template", _controls(page))
    return page.widget


def _controls(page: TemplatePage) -> dict[str, Control]:
    """Where the choices that an address or a file keeps are read and made."""
    images, region, signal = page.images, page.region, page.signal
    fields = {"image": images.image, "template": images.template, "lesion": images.lesion}
    fields |= {name: getattr(signal, name) for name in ("background", "air", "second")}
    return {
        **{name: file_control(field) for name, field in fields.items()},
        "kind": control(images.kind),
        "map": file_control(region.map),
        "region": Control(lambda: region.region, region.choose, (region.label,)),
        "threshold": control(region.threshold),
        "coils": control(signal.coils),
    }


class TemplatePage:
    """The way from a scan to signal in a region of a template.

    The button registers; everything else follows the choices at once.
    """

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self.files = LabFiles(context.session.root)
        self.volumes: VolumePair | None = None
        self.placed: Placed | None = None
        self.answer: SignalAnswer | None = None
        self.request: Request | None = None
        self._pending: Request | None = None
        self._before: tuple[Request, VolumePair] | None = None
        self._registered: tuple[Request, VolumePair] | None = None
        self._stop = threading.Event()
        guard = context.banner.guard
        settled = Debounce(FRAME, guard(self._choices_changed))
        measured = Debounce(PAUSE, guard(self._measure))
        self._measure_soon = measured
        self.images = ImagesPanel(context, self.files, settled, guard(self._run), self._cancel)
        self.slices = VolumePanel(context)
        self.region = RegionPanel(context, self.files, self._map_chosen, self._region_changed)
        self.signal = SignalPanel(context, self.files, measured)
        self.code = CodePanel(guard(self._save))
        self._opener = context.worker(self._opening_failed)
        self._mapper = context.worker(self._map_failed)
        self._placer = context.worker(self._map_failed)
        self._regions = Cache(4)
        self._measurer = context.worker(self._measuring_failed)
        self._writer = context.worker(self._packing_failed)
        self.widget = self._lay_out()
        self._choices_changed()

    def _lay_out(self) -> widgets.Box:
        left = widgets.VBox([self.images.widget])
        left.add_class("ld-template-ask")
        right = widgets.VBox(
            [self.slices.widget, self.region.widget, self.signal.widget, self.code.widget]
        )
        right.add_class("ld-template-show")
        page = widgets.Box([left, right])
        page.add_class("ld-template")
        return page

    def _do(self, worker: Worker, job: Job, done: Done) -> None:
        """Work beside the page; what goes wrong when it is shown is shown as well."""
        worker.submit(job, self.context.banner.guard(done))

    # Images

    def _choices_changed(self) -> None:
        """Show what is chosen: registered where that was done, else where the headers put it."""
        if self.images.is_running:
            return
        request = self.images.request
        if request is None:
            if not self.images.image.path:
                self._show_nothing(EMPTY)
            self.images.settle(False)
            return
        self._pending = request
        for known in (self._registered, self._before):
            if known is not None and self._is_of(known, request):
                self._show(request, known[1])
                return
        self.context.banner.clear()
        self.images.settle(False)
        self.images.say("Reading ...")
        self._do(self._opener, partial(_opened, request), self._show_before)

    def _is_of(self, known: tuple[Request, VolumePair], request: Request) -> bool:
        if known[1].registration is None:
            return known[0].subject == request.subject
        return known[0] == request

    def _show_before(self, opened: tuple[Request, VolumePair]) -> None:
        if self._pending is not None and opened[0].subject == self._pending.subject:
            self._before = opened
            self._show(self._pending, opened[1])

    def _run(self) -> None:
        request = self.images.request
        if request is None or self.images.run.disabled:
            return
        self.context.banner.clear()
        self._stop.clear()
        self._pending = request
        self.images.start()
        self._do(self._opener, partial(self._register, request), self._show_registered)

    def _register(self, request: Request) -> tuple[Request, VolumePair]:
        def report(share: float, words: str) -> None:
            if self._stop.is_set():
                raise Cancelled
            self._opener.tell(self.images.progress, share, words)

        return request, register_pair(request, report)

    def _cancel(self) -> None:
        self._stop.set()
        self.images.say("Stopping ...")

    def _show_registered(self, made: tuple[Request, VolumePair]) -> None:
        self.images.stop()
        self._registered = made
        self._show(*made)

    def _show(self, request: Request, volumes: VolumePair) -> None:
        self.request, self.volumes = request, volumes
        self.slices.show(volumes)
        self.images.settle(volumes.registration is not None or not request.template)
        if volumes.registration is not None:
            self.images.say(f"Refused. {_SEE_ABOVE}" if volumes.refusal else "Done.")
        if volumes.refusal is not None:
            self.context.banner.show(volumes.refusal)
        self._region_changed()

    def _opening_failed(self, error: Exception) -> None:
        was_running = self.images.is_running
        self.images.stop()
        if not was_running:
            self._show_nothing(_NOTHING)
        self.images.settle(False)
        is_stopped = isinstance(error, Cancelled)
        self.images.say("Stopped: nothing was changed." if is_stopped else _SEE_ABOVE)
        self.context.banner.show(error)

    def _show_nothing(self, why: str) -> None:
        self.request = self.volumes = self._pending = self._before = None
        self.slices.clear(why)
        self._region_changed()

    # Region

    def _map_chosen(self, path: str) -> None:
        self.context.banner.clear()
        self.region.clear()
        self._region_changed()  # the background is of the regions of one map
        self.region.say("Reading ...")
        self._do(self._mapper, partial(open_facts, path), self._offer)

    def _offer(self, facts: MapFacts) -> None:
        if facts.path == self.region.map.path:
            self.region.offer(facts)
            self._region_changed()

    def _map_failed(self, error: Exception) -> None:
        self.region.clear()
        self.region.say(_NOTHING)
        self._region_changed()
        self.context.banner.show(error)

    def _region_changed(self) -> None:
        choice = self.region.choice
        self.signal.background.offer(self.region.others)
        if choice is not None and self.volumes is not None:
            job = partial(place_region, choice, self.volumes, self._regions)
            self._do(self._placer, job, self._show_placed)
            return
        if choice is not None:
            self.region.say(_CHOOSE_IMAGE)
        self._placer.drop()
        self.placed = None
        self.slices.show_region(None, False)
        self._measure_soon()

    def _show_placed(self, placed: Placed) -> None:
        if placed.choice != self.region.choice or placed.volumes is not self.volumes:
            return  # a newer one is on its way
        before, self.placed = self.placed, placed
        self.region.show(placed)
        self.slices.show_region(placed.mask, before is None or _subject(before) != _subject(placed))
        self._measure_soon()

    # Signal

    def _measure(self) -> None:
        """Measure, or say what is missing."""
        self.answer = None
        why = self._why_not_measured()
        if why:
            self.signal.say(why)
            self._show_code()
            return
        noise = self.signal.noise
        if self.placed is not None and noise is not None:
            self.signal.wait()
            self._do(
                self._measurer,
                partial(measure, self.placed, noise, self._regions),
                self._show_answer,
            )
        self._show_code()

    def _why_not_measured(self) -> str:
        if self.volumes is None:
            return _CHOOSE_IMAGE
        if self.placed is None or self.placed.mask is None:
            return _CHOOSE_REGION
        if self.volumes.refusal is not None:
            return _REFUSED
        if not self.volumes.can_measure:
            return _FIRST_REGISTER
        return "" if self.signal.noise is not None else _CHOOSE_FILE

    def _show_answer(self, answer: SignalAnswer) -> None:
        if answer.placed is self.placed and answer.noise == self.signal.noise:
            self.answer = answer
            self.signal.show(answer)
            self._show_code()

    def _measuring_failed(self, error: Exception) -> None:
        if isinstance(error, LesionDashError):
            self.signal.say(self.context.session.root.without_paths(str(error)))
        else:
            self.signal.say(_NOTHING)
            self.context.banner.show(error)

    # Code and files

    @property
    def _noise(self) -> Noise | None:
        return self.answer.noise if self.answer is not None else None

    def _show_code(self) -> None:
        volumes, request = self.volumes, self.request
        if volumes is None or request is None or volumes.refusal is not None:
            self.code.show("", False)
            return
        can_save = volumes.registration is not None or self.answer is not None
        self.code.show(script_of(request, self.placed, self._noise), can_save)

    def _save(self, name: str) -> None:
        volumes, request = self.volumes, self.request
        if volumes is None or request is None or volumes.refusal is not None:
            return
        if name == SCRIPT_NAME:
            self.context.saver.save(name, self.code.copy.text.encode("utf-8", "backslashreplace"))
            return
        job = partial(files_of, request, volumes, self.placed, self.answer)
        self.code.pack(True)
        self._do(self._writer, lambda: zip_of(job()), self._save_all)

    def _save_all(self, content: bytes) -> None:
        self.code.pack(False)
        self.context.saver.save(ZIP_NAME, content)

    def _packing_failed(self, error: Exception) -> None:
        self.code.pack(False)
        self.context.banner.show(error)


def _opened(request: Request) -> tuple[Request, VolumePair]:
    return request, open_pair(request)


def _subject(placed: Placed) -> tuple[RegionChoice, Any]:
    """What a new crosshair is worth: another region, or another space; no other threshold."""
    choice = placed.choice
    return RegionChoice(choice.path, choice.label), placed.volumes.grid
