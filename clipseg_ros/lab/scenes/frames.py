# SPDX-License-Identifier: Apache-2.0
"""What a simulated camera sees over time: recorded scenes in turn, or a rendered one, still or moving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from clipseg_ros.lab.scenes.recorded import load_recorded


@dataclass(frozen=True)
class Shot:
    """What a camera films at one moment.

    Attributes
    ----------
    rgb : (H, W, 3) uint8
    depth : (H, W) float32 metres, NaN where unknown
    k : (3, 3) camera matrix in pixels
    """

    rgb: np.ndarray
    depth: np.ndarray
    k: np.ndarray


class Frames(Protocol):
    """A source of shots; size is (height, width)."""

    size: tuple[int, int]

    def at(self, seconds: float) -> Shot:
        """The shot at a time since the start, in seconds."""

    def close(self) -> None:
        """Free what the source holds."""


class RecordedFrames:
    """The recorded scenes in turn, `dwell` seconds each, beginning with number `first`; 0 stays with it.

    Raises ValueError for a number that there is not.
    """

    def __init__(self, first: int = 0, *, dwell: float = 5.0):
        scenes = load_recorded()
        if not 0 <= first < len(scenes):
            raise ValueError(f"there is no recorded scene {first}; give 0 to {len(scenes) - 1}")
        self._frames = [Shot(s.rgb, s.depth, s.k) for s in scenes]
        self._first, self._dwell = first, dwell
        self.size = self._frames[0].rgb.shape[:2]

    def at(self, seconds: float) -> Shot:
        """The shot at a time since the start, in seconds."""
        passed = int(seconds // self._dwell) if self._dwell > 0 else 0
        return self._frames[(self._first + passed) % len(self._frames)]

    def close(self) -> None:
        """Nothing to free."""


class RenderedFrames:
    """One scene of the simulated home, rendered with MuJoCo from a camera that stands or swings about.

    Parameters
    ----------
    seed : chooses the scene
    kind : what it shows, one of home.KINDS, or '' for any
    width, height : of the pictures, in pixels
    swing : largest angle to either side in degrees, 0 keeps the camera still
    period : of a swing there and back, in seconds

    Raises
    ------
    ImportError
        Without MuJoCo or the furniture package.
    ValueError
        For a kind that there is not.
    """

    def __init__(
        self,
        seed: int,
        *,
        kind: str = "",
        width: int = 640,
        height: int = 480,
        swing: float = 0.0,
        period: float = 20.0,
    ):
        from clipseg_ros.lab.scenes.home import Home

        self._home = Home(0, width=width, height=height)
        self._plan = self._home.prepare(seed, kind=kind or None)
        self._swing, self._period = np.radians(swing), period
        self._still = self._picture(0.0) if swing == 0 else None
        self.size = (height, width)

    def at(self, seconds: float) -> Shot:
        """The shot at a time since the start, in seconds."""
        if self._still is not None:
            return self._still
        return self._picture(self._swing * np.sin(2 * np.pi * seconds / self._period))

    def close(self) -> None:
        """Free the renderer."""
        self._home.close()

    def _picture(self, angle: float) -> Shot:
        rgb, depth, k = self._home.picture(self._plan.view.swung(angle))
        return Shot(rgb, depth, k)
