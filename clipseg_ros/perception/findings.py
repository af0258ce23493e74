# SPDX-License-Identifier: Apache-2.0
"""What was found in one picture, from the network's maps to followed objects."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.following import Follower
from clipseg_ros.perception.found import FoundObject, locate_objects
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.objects import Objects
from clipseg_ros.perception.overlay import draw_overlay
from clipseg_ros.perception.patches import Patches
from clipseg_ros.perception.selection import Limits
from clipseg_ros.perception.transforms import Transform


class Space(NamedTuple):
    """camera: that took the picture, None where its calibration is unknown; depth: (H, W) float32 metres in the
    picture's size, NaN where it was not measured, None without depth; up: (3,) unit vector against gravity in the
    camera's optical frame, None where nobody measures it.
    """

    camera: Pinhole | None = None
    depth: np.ndarray | None = None
    up: np.ndarray | None = None


class Choices(Protocol):
    """limits: what is too small or too much for an object; refine: one of `objects.MODES`; point: one of
    `location.POINTS`.
    """

    @property
    def limits(self) -> Limits: ...
    refine: str
    point: str


class Findings:
    """Each part is made when it is first asked for and then never again.

    Parameters
    ----------
    rgb : (H, W, 3) uint8, the picture
    texts : of the n prompts
    maps : what the network found of them
    seconds : when the picture was taken
    look_up : returns what is known of camera and depth; asked only where a pixel reaches its prompt's threshold
    move : returns where poses are moved to, a frame whose z axis points up, None where that is unknown, so that objects
        have no pose; no `move` leaves poses in the picture's frame
    follower : numbers the objects; None leaves them without
    """

    def __init__(self, rgb: np.ndarray, texts: Sequence[str], maps: Maps, *, choices: Choices, seconds: float,
                 look_up: Callable[[], Space] = Space, move: Callable[[], Transform | None] | None = None,
                 follower: Follower | None = None) -> None:
        self.rgb = rgb
        self.texts = texts
        self._choices = choices
        self._seconds = seconds
        self._look_up = look_up
        self._move = move
        self._follower = follower
        self._raw = maps

    @cached_property
    def scores(self) -> list[float]:
        """Highest probability of each prompt, 0 to 1, as the network said."""
        return self._raw.scores

    @cached_property
    def space(self) -> Space:
        """What is known of camera and depth; nothing is looked up where no pixel reaches its prompt's threshold."""
        return self.surroundings if self._is_anything_found else Space()

    @cached_property
    def surroundings(self) -> Space:
        """What is known of camera and depth, whatever was found."""
        return self._look_up()

    @cached_property
    def transform(self) -> Transform | None:
        """From the picture's frame to that of the poses; None where it is unknown."""
        return Transform.identity() if self._move is None else self._move()

    @cached_property
    def maps(self) -> Maps:
        """What pictures show: the network's maps, refined as the choices say."""
        if self._choices.refine == "none" or not self._is_anything_found:
            return self._raw
        return self._things.refined(self._choices.refine)

    @cached_property
    def probability(self) -> np.ndarray:
        """(n * H, W) float32: the prompts' probability images under each other, the first on top."""
        return self.maps.probabilities.reshape(-1, self.maps.size[1])

    @cached_property
    def overlay(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB: the picture with masks, objects and a legend drawn on it."""
        return draw_overlay(self.rgb, self.maps, self.texts, scores=self.scores, objects=self.objects)

    @cached_property
    def located(self) -> tuple[FoundObject, ...]:
        """Each thing that is meant, with its place, the first prompt's first; not yet numbered.

        With the point "top" things have no pose where nothing says where up is.
        """
        regions = self._things.regions if self._is_anything_found else [[] for _ in self.texts]
        (camera, depth, _), point = self.space, self._choices.point
        if point == "top" and (depth is None or not any(regions) or self._up is None):
            depth, point = None, "centroid"
        found = locate_objects(regions, self.texts, camera, depth, point=point, up=self._up if point == "top" else None)
        if self._move is not None and any(one.pose is not None for one in found):
            found = tuple(one.seen_from(self.transform) for one in found)
        return found

    @cached_property
    def _up(self) -> np.ndarray | None:
        """(3,) in the picture's frame: the z axis of the frame of the poses, or as measured."""
        if self._move is None:
            return self.space.up
        return None if self.transform is None else self.transform.matrix[2]

    @cached_property
    def objects(self) -> tuple[FoundObject, ...]:
        """As `located`, and numbered. With a follower, ask one picture after the other in the order of their times."""
        return self.located if self._follower is None else self._follower.follow(self.located, self._seconds)

    @cached_property
    def _is_anything_found(self) -> bool:
        return any(score * self._raw.full_scale >= threshold
                   for score, threshold in zip(self.scores, self._raw.thresholds))

    @cached_property
    def _things(self) -> Objects:
        space = self.space
        return Objects(self._raw, Patches(self.rgb, space.depth, space.camera), self._choices.limits)
