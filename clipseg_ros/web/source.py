# SPDX-License-Identifier: Apache-2.0
"""What the page needs of whatever segments: a running node, or the network in this process."""

from __future__ import annotations

import time
from asyncio import Future
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from clipseg_ros.clipseg.written import PromptText
    from clipseg_ros.web.board import Board

_NUMBERS = count(1)


@dataclass(frozen=True, eq=False)
class Thing:
    """One object of a picture.

    Attributes
    ----------
    prompt : what it was found for
    score : 0 to 1
    corner : (x, y) of the upper left pixel of its box
    mask : (height, width) uint8, not 0 inside the object; None where it is not known, and the box stands for it
    size : (width, height) of its box in pixels
    track_id : 0 while it is not followed
    distance : metres to its visible surface; None where they are not known
    """

    prompt: str
    score: float
    corner: tuple[int, int]
    size: tuple[int, int]
    mask: np.ndarray | None = None
    track_id: int = 0
    distance: float | None = None


@dataclass(eq=False)
class View:
    """One picture of one camera and what was found in it.

    Attributes
    ----------
    picture : returns the (H, W, 3) uint8 RGB; called once, and not by the thread that made the view.
        ValueError, with a sentence, for one that is faulty
    scores : highest probability in the picture of each prompt that was looked for, 0 to 1
    taken : time.monotonic() of the picture's stamp, as far as that can be known
    searched : False for a picture that only shows that the camera works
    number : unlike that of any other view of this process
    packing : makes what travels of it, once somebody wants it
    """

    camera: str
    picture: Callable[[], np.ndarray]
    things: Sequence[Thing] = ()
    scores: dict[str, float] = field(default_factory=dict)
    taken: float = field(default_factory=time.monotonic)
    searched: bool = True
    number: int = field(default_factory=lambda: next(_NUMBERS))
    packing: Future[bytes] | None = None

    @cached_property
    def rgb(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB. ValueError where the picture is faulty."""
        return self.picture()

    @property
    def age(self) -> float:
        """Seconds since the picture was taken."""
        return max(0.0, time.monotonic() - self.taken)

    def mask_of(self, thing: Thing) -> np.ndarray:
        """(H, W) bool: the pixels of one of the things."""
        mask = np.zeros(self.rgb.shape[:2], bool)
        (x, y), (width, height) = thing.corner, thing.size
        box = mask[y:y + height, x:x + width]
        box[:] = True if thing.mask is None else thing.mask[:box.shape[0], :box.shape[1]] != 0
        return mask


@dataclass(frozen=True)
class Recollection:
    """Something that was seen before.

    Attributes
    ----------
    caption : what, when and where, in words
    score : how well it fits what was asked for, 0 to 1
    thumbnail : a JPEG or PNG file
    """

    caption: str
    score: float
    thumbnail: bytes


class Source(Protocol):
    """Tells a `Board` what it sees, from threads of its own. Its methods may take a while.

    Attributes
    ----------
    title : what the page shows, for people
    recall : answers what was seen before that fits a text; None while there is no memory to ask. ValueError or OSError,
        with a sentence, for no answer
    """

    title: str
    recall: Callable[[str], list[Recollection]] | None

    def open(self, board: Board) -> None:
        """Begin."""

    def close(self) -> None:
        """End."""

    def attend(self, watched: bool) -> None:
        """Whether anybody looks at the page, so that nothing is done for nobody. Returns at once."""

    def look_for(self, prompts: Sequence[PromptText]) -> None:
        """Look for these from now on. ValueError or OSError, with a sentence, where that is not possible."""

    def keep_example(self, name: str, rgb: np.ndarray, mask: np.ndarray | None) -> None:
        """Let `@name` stand for a picture, (H, W, 3) uint8 RGB, and what is meant in it, (H, W) bool or None for all.

        ValueError or OSError, with a sentence, where that is not possible.
        """
