# SPDX-License-Identifier: Apache-2.0
"""The network in this process, looking at pictures, a video or a camera: the page without ROS."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Protocol

import numpy as np

from clipseg_ros.clipseg import Prompt, Segmenter
from clipseg_ros.clipseg.written import PromptText
from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.following import Follower
from clipseg_ros.perception.found import FoundObject, locate_objects
from clipseg_ros.perception.objects import Objects
from clipseg_ros.perception.patches import Patches
from clipseg_ros.web.board import Board
from clipseg_ros.web.source import Recollection, Thing, View

MOST_EXAMPLES = 64
_PAUSE = 0.03
"""Seconds between two looks at what a film shows."""

_REPORT = 0.5
"""Seconds between two reports of figures."""


class Shot(Protocol):
    """rgb: (H, W, 3) uint8; depth: (H, W) float32 metres, NaN where unknown, or None; k: (3, 3) pixels, or None."""

    rgb: np.ndarray
    depth: np.ndarray | None
    k: np.ndarray | None


class Film(Protocol):
    """What is looked at."""

    def at(self, seconds: float) -> Shot:
        """What it shows at that time since its start; the same object as before while that does not change.

        OSError or ValueError, with a sentence, where nothing can be shown.
        """

    def close(self) -> None:
        """Let go of it."""


class LocalSource:
    """Segments a film in a thread of its own, newest picture first.

    Parameters
    ----------
    title : of the film, for people
    prompts : to begin with
    """

    recall: Callable[[str], list[Recollection]] | None = None

    def __init__(self, segmenter: Segmenter, film: Film, *, title: str, prompts: Sequence[PromptText] = ()) -> None:
        self.title = title
        self._segmenter = segmenter
        self._film = film
        self._written = tuple(prompts)
        self._examples: dict[str, Prompt] = {}
        self._follower = Follower(memory=2.0, births=1, weight=1.0)
        self._network: deque[float] = deque(maxlen=20)
        self._shown: deque[float] = deque(maxlen=20)
        self._reported = ("", 0.0)
        self._watched, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="segmenter", daemon=True)
        self._board: Board | None = None

    def open(self, board: Board) -> None:
        """Begin to look at the film."""
        self._board = board
        board.cameras([""])
        self._tell_prompts()
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._ended.set()
        self._watched.set()
        self._thread.join()
        self._film.close()

    def attend(self, watched: bool) -> None:
        """Only while somebody looks does the network work."""
        (self._watched.set if watched else self._watched.clear)()

    def look_for(self, prompts: Sequence[PromptText]) -> None:
        """ValueError, with a sentence, for prompts that cannot be looked for; the earlier ones then stay."""
        self._segmenter.check([self._prompt(one) for one in prompts])
        self._written = tuple(prompts)
        self._tell_prompts()

    def keep_example(self, name: str, rgb: np.ndarray, mask: np.ndarray | None) -> None:
        """ValueError, with a sentence, for a picture that cannot be used."""
        if name not in self._examples and len(self._examples) >= MOST_EXAMPLES:
            raise ValueError(f"there are {MOST_EXAMPLES} examples already; give this one the name of another")
        self._examples = {**self._examples, name: Prompt(image=rgb, mask=mask)}
        self._reported = ("", 0.0)

    def _prompt(self, written: PromptText) -> Prompt:
        meant, *unlike = map(self._part, written.parts)
        return replace(meant, unlike=tuple(unlike)) if unlike else meant

    def _part(self, text: str) -> Prompt:
        if not text.startswith("@"):
            return Prompt(text)
        if text[1:] not in self._examples:
            raise ValueError(f"there is no example {text}; click a thing or choose a picture, and name it so")
        return self._examples[text[1:]]

    def _tell_prompts(self) -> None:
        self._board.looking_for([one.text for one in self._written], [self._threshold(one) for one in self._written])

    def _threshold(self, written: PromptText) -> float:
        return self._segmenter.threshold if written.threshold is None else written.threshold

    def _run(self) -> None:
        start, done = time.monotonic(), None
        while not self._ended.is_set():
            self._watched.wait()
            try:
                shot = self._film.at(time.monotonic() - start)
                written, examples = self._written, self._examples
                if done is None or done[0] is not shot or done[1:] != (written, examples):
                    self._look(shot, written)
                    done = shot, written, examples
                self._report([self._segmenter.unknown_words_note([self._prompt(one) for one in written])])
            except Exception as error:  # the next picture may be a good one
                self._report([str(error) or type(error).__name__])
            self._ended.wait(_PAUSE)

    def _look(self, shot: Shot, written: Sequence[PromptText]) -> None:
        taken = time.monotonic()
        prompts, texts = [self._prompt(one) for one in written], [one.text for one in written]
        view = View("", lambda: shot.rgb, taken=taken, searched=bool(prompts))
        if prompts:
            maps, = self._segmenter.maps([shot.rgb], prompts, [self._threshold(one) for one in written], camera=[""])
            self._network.append(time.monotonic() - taken)
            size = shot.rgb.shape[1::-1]
            camera = None if shot.k is None else Pinhole(shot.k[0, 0], shot.k[1, 1], shot.k[0, 2], shot.k[1, 2], size)
            regions = Objects(maps, Patches(shot.rgb, shot.depth, camera)).regions
            found = locate_objects(regions, texts, camera, shot.depth)
            view.things = [_as_thing(one) for one in self._follower.follow(found, taken)]
            view.scores = dict(zip(texts, maps.scores))
        self._shown.append(time.monotonic())
        self._board.show(view)

    def _report(self, troubles: Sequence[str]) -> None:
        """Say what is wrong and what is measured, now and again."""
        said, at = self._reported
        troubles = [trouble for trouble in troubles if trouble]
        if " ".join(troubles) == said and time.monotonic() - at < _REPORT:
            return
        self._reported = " ".join(troubles), time.monotonic()
        span = self._shown[-1] - self._shown[0] if len(self._shown) > 1 else 0.0
        figures = {"rate": f"{(len(self._shown) - 1) / span:.1f} /s"} if span else {}
        if self._network:
            figures["network"] = f"{1000 * median(self._network):.0f} ms"
        self._board.tell(troubles, {"": figures})


def _as_thing(one: FoundObject) -> Thing:
    x, y, width, height = one.region.roi
    distance = None if one.pose is None else float(np.linalg.norm(one.pose.position))
    return Thing(one.prompt, one.region.score, (x, y), (width, height), one.region.mask, one.track_id, distance)
