# SPDX-License-Identifier: Apache-2.0
"""Pictures in turn, a video and a camera, each of which shows something at any time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True, eq=False)
class Still:
    """One picture, (H, W, 3) uint8 RGB, of which nothing else is known."""

    rgb: np.ndarray
    depth: None = None
    k: None = None


class Slides:
    """Pictures in turn, each for so many seconds, read when they are shown.

    Parameters
    ----------
    names : at least one
    read : returns the (H, W, 3) uint8 RGB of a name; OSError or ValueError, with a sentence, where it cannot
    """

    def __init__(self, names: Sequence[str], read: Callable[[str], np.ndarray], *, dwell: float) -> None:
        self._names, self._read, self._dwell = names, read, dwell
        self._index, self._still = -1, None

    def at(self, seconds: float) -> Still:
        """The picture at that time."""
        index = int(seconds // self._dwell) % len(self._names)
        if index != self._index or self._still is None:
            self._index, self._still = index, None
            self._still = Still(self._read(self._names[index]))
        return self._still

    def close(self) -> None:
        """Nothing to let go of."""


class Moving:
    """A video, at its own speed and again from its start when it has ended, or what a camera films now.

    Parameters
    ----------
    name : a file, or the number of a camera

    Raises OSError, with a sentence, where OpenCV cannot open it.
    """

    def __init__(self, name: str | int) -> None:
        self._name = name
        self._capture = cv2.VideoCapture(name)
        if not self._capture.isOpened():
            raise OSError(f"{'the camera ' if isinstance(name, int) else ''}{name} cannot be opened; it must be a "
                          "picture, a folder of them, a video that OpenCV reads, or the number of a camera")
        # A camera has no speed of its own here: each read waits for the next frame.
        self._rate = 0.0 if isinstance(name, int) else self._capture.get(cv2.CAP_PROP_FPS) or 25.0
        self._count, self._start, self._still = 0, 0.0, None

    def at(self, seconds: float) -> Still:
        """The newest frame."""
        due = int((seconds - self._start) * self._rate) + 1
        if self._still is not None and self._rate and self._count >= due:
            return self._still
        # Frames that are late already are passed over.
        while self._rate and self._count + 1 < due and self._capture.grab():
            self._count += 1
        there, frame = self._capture.read()
        if there:
            self._count += 1
        else:
            frame = self._again(seconds)
        self._still = Still(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        return self._still

    def close(self) -> None:
        """Let go of the file or the camera."""
        self._capture.release()

    def _again(self, seconds: float) -> np.ndarray:
        """The first frame, once more."""
        self._capture.release()
        self._capture = cv2.VideoCapture(self._name)
        self._count, self._start = 1, seconds
        there, frame = self._capture.read()
        if not there:
            raise OSError(f"{self._name} shows nothing any more; is it still there?")
        return frame
