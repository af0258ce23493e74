# SPDX-License-Identifier: Apache-2.0
"""What the page knows now: the newest view of each camera, the prompts, how the source fares. Newest wins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from clipseg_ros.perception.overlay import COLOURS
from clipseg_ros.web.packets import pack_view
from clipseg_ros.web.prompt_list import Entry, PromptList
from clipseg_ros.web.source import Source, View

_Answer = TypeVar("_Answer")

_THREADS = 4
"""That wait for the source and encode pictures, so many at a time whatever viewers ask for."""

MOST_SENTENCES = 5


class Board:
    """Sources write on it from any thread; everything else is for the thread of the event loop that made it.

    Attributes
    ----------
    views : the newest of each camera
    prompts : on the page
    """

    def __init__(self, source: Source) -> None:
        self.views: dict[str, View] = {}
        self.prompts = PromptList()
        self.source = source
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="page")
        self._changing = asyncio.Lock()
        self._wakes: set[asyncio.Event] = set()
        self._figures: dict[str, dict[str, str]] = {}
        self._troubles: tuple[str, ...] = ()
        self._cameras: tuple[str, ...] = ()
        self.changes = 0

    # For sources, from any thread

    def show(self, view: View) -> None:
        """A camera has a new view."""
        self._later(self._show, view)

    def tell(self, troubles: Sequence[str], figures: dict[str, dict[str, str]]) -> None:
        """What is wrong, in sentences, and what is measured, by camera and name, in words."""
        self._later(self._tell, tuple(troubles)[:MOST_SENTENCES], figures)

    def looking_for(self, texts: Sequence[str], thresholds: Sequence[float]) -> None:
        """The source looks for these prompts now, with these thresholds."""
        self._later(self._adopt, texts, thresholds)

    def cameras(self, names: Sequence[str]) -> None:
        """These are the cameras now, in this order; views of others are forgotten."""
        self._later(self._keep, tuple(names))

    # For viewers

    def join(self) -> asyncio.Event:
        """An event that is set whenever something is new, until `leave`."""
        wake = asyncio.Event()
        wake.set()
        self._wakes.add(wake)
        if len(self._wakes) == 1:
            self._attend()
        return wake

    def leave(self, wake: asyncio.Event) -> None:
        """The event is not needed any more."""
        self._wakes.discard(wake)
        if not self._wakes:
            self._attend()

    async def in_thread(self, work: Callable[..., _Answer], *arguments: Any) -> _Answer:
        """Do what takes a while in one of the page's few threads."""
        return await self._loop.run_in_executor(self._threads, work, *arguments)

    async def packet(self, view: View) -> bytes:
        """The view as it travels, made once for all viewers."""
        if view.packing is None:
            view.packing = asyncio.ensure_future(self.in_thread(pack_view, view))
        return await asyncio.shield(view.packing)

    async def change(self, mutate: Callable[[PromptList], None]) -> None:
        """Change the prompts and tell the source; whatever it refuses is taken back. Changes take turns.

        Raises ValueError or OSError, with a sentence.
        """
        async with self._changing:
            before = self.prompts.entries
            try:
                mutate(self.prompts)
                self.prompts.sent()
                self.touch()
                await self.in_thread(self.source.look_for, self.prompts.wanted)
            except (ValueError, OSError):
                self.prompts.entries = before
                raise
            finally:
                self.touch()

    def state(self) -> dict[str, Any]:
        """All but the pictures, as viewers get it."""
        return {"type": "state", "title": self.source.title,
                "cameras": [name for name in self._cameras if name in self.views],
                "prompts": [_as_json(one) for one in self.prompts.entries],
                "troubles": list(self._troubles), "figures": self._figures,
                "recall": self.source.recall is not None}

    def touch(self) -> None:
        """Something that `state` tells has changed."""
        self.changes += 1
        self._wake()

    def close(self) -> None:
        """End the threads; what they still do is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _later(self, act: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(act, *arguments)
        except RuntimeError:  # the page has ended
            pass

    def _keep(self, names: tuple[str, ...]) -> None:
        self._cameras = names
        self.views = {name: view for name, view in self.views.items() if name in names}
        self.touch()

    def _show(self, view: View) -> None:
        if view.camera not in self._cameras:
            return
        is_new_camera = view.camera not in self.views
        self.views[view.camera] = view
        if is_new_camera:
            self.touch()
        self._wake()

    def _tell(self, troubles: tuple[str, ...], figures: dict[str, dict[str, str]]) -> None:
        if (troubles, figures) != (self._troubles, self._figures):
            self._troubles, self._figures = troubles, figures
            self.touch()

    def _adopt(self, texts: Sequence[str], thresholds: Sequence[float]) -> None:
        self.prompts.adopt(texts, thresholds)
        self.touch()

    def _attend(self) -> None:
        self.source.attend(bool(self._wakes))

    def _wake(self) -> None:
        for wake in self._wakes:
            wake.set()


def _as_json(entry: Entry) -> dict[str, Any]:
    red, green, blue = COLOURS[entry.colour % len(COLOURS)].tolist()
    return {"text": entry.text, "threshold": round(entry.effective, 4), "own": entry.threshold is not None,
            "on": entry.on, "colour": f"#{red:02x}{green:02x}{blue:02x}"}
