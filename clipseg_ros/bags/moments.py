# SPDX-License-Identifier: Apache-2.0
"""The pictures of a recording, each with what belongs to it: depth, calibration and transform."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from clipseg_ros.bags.cameras import Camera
from clipseg_ros.bags.reading import Bag, Record
from clipseg_ros.bags.transforms import TransformTree
from clipseg_ros.messages.calibration import Calibration
from clipseg_ros.messages.depth import measured_depth_of
from clipseg_ros.messages.headers import seconds
from clipseg_ros.messages.images import compressed_to_rgb, image_to_rgb
from clipseg_ros.perception.findings import Space
from clipseg_ros.perception.selection import Limits
from clipseg_ros.perception.transforms import Transform

WAITED = 1.0
"""Seconds of recording that a picture waits for depth and transforms, which may have been recorded behind it."""
STATIC, MOVING = "/tf_static", "/tf"


@dataclass(frozen=True)
class Choices:
    """What a run may choose; the names and defaults are those of the node's parameters.

    every : one picture of so many is searched
    start, end : seconds since the recording's beginning; infinity for its end
    """

    target_frame: str = ""
    depth_slop: float = 0.05
    min_depth: float = 0.05
    max_depth: float = 20.0
    assume_registered: bool = False
    rectified: bool = False
    mono16_range: str = "auto"
    limits: Limits = field(default_factory=Limits)
    refine: str = "objects"
    point: str = "centroid"
    track_memory: float = 2.0
    track_births: int = 1
    smoothing_weight: float = 1.0
    every: int = 1
    start: float = 0.0
    end: float = float("inf")


class Moment:
    """One picture. What is made of its messages is made when it is first asked for, in any thread.

    Parameters
    ----------
    received : nanoseconds at which it was recorded
    image, depth, info : messages; None for depth and info where there is none, or for depth the ValueError that says
        why it is missing
    transform : to the target frame, None without one, or the ValueError that says why it is unknown
    calibration : of the camera
    warn : told, in a sentence, why objects have no pose
    """

    def __init__(self, received: int, image: Any, *, depth: Any, info: Any, transform: Transform | ValueError | None,
                 calibration: Calibration, choices: Choices, warn: Callable[[str], None]) -> None:
        self.received = received
        self.header = image.header
        self._image, self._depth, self._info = image, depth, info
        self._transform = transform
        self._calibration = calibration
        self._choices = choices
        self._warn = warn

    @property
    def seconds(self) -> float:
        """The picture's stamp."""
        return seconds(self.header)

    @cached_property
    def rgb(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB. Raises ValueError where the message is faulty."""
        convert = image_to_rgb if hasattr(self._image, "encoding") else compressed_to_rgb
        return convert(self._image, mono16_range=self._choices.mono16_range)

    def space(self) -> Space:
        """What is known of camera and depth."""
        camera = None
        try:
            if self._info is None:
                if self._depth is not None:
                    raise ValueError("there is depth, but no camera_info")
                return Space()
            size = self.rgb.shape[1], self.rgb.shape[0]
            camera = self._calibration.camera(self._info, size, rectified=self._choices.rectified)
            if self._depth is None:
                return Space(camera)
            if isinstance(self._depth, ValueError):
                raise self._depth
            return Space(camera, measured_depth_of(self._depth, self.header, size, self._choices))
        except ValueError as error:
            self._warn(f"objects have no pose: {error}")
            return Space(camera)

    def transform(self) -> Transform | None:
        """To the target frame; None where the recording does not tell."""
        if isinstance(self._transform, ValueError):
            self._warn(f"objects have no pose: {self._transform}")
            return None
        return self._transform


class _Depth(NamedTuple):
    """received: nanoseconds; stamp: seconds."""

    received: int
    stamp: float
    message: Any


class Moments:
    """Walks through a recording once, with a second of it in memory.

    Parameters
    ----------
    warn : told, in a sentence, what cannot be read and why objects have no pose
    """

    def __init__(self, bag: Bag, camera: Camera, choices: Choices, *, warn: Callable[[str], None]) -> None:
        self._bag, self._camera, self._choices, self._warn = bag, camera, choices, warn
        self._tree = TransformTree()
        self._calibration = Calibration(warn)
        self._info: Any = None
        self._depths: deque[_Depth] = deque()
        self._waiting: deque[tuple[Record, Any]] = deque()
        self._count = 0

    def __iter__(self) -> Iterator[Moment]:
        first = self._bag.start + int(self._choices.start * 1e9)
        end = self._bag.end if np.isinf(self._choices.end) else self._bag.start + int(self._choices.end * 1e9)
        self._learn_what_stays(first)
        names = [topic.name for topic in self._camera[:3] if topic is not None]
        names += [MOVING, STATIC] if self._choices.target_frame else []
        wait = int(WAITED * 1e9)
        for record in self._bag.records(names, start=first, stop=end + wait):
            while self._waiting and record.received - self._waiting[0][0].received > wait:
                yield self._moment(*self._waiting.popleft())
            if record.topic != self._camera.image.name or record.received < end:
                self._take(record)
        while self._waiting:
            yield self._moment(*self._waiting.popleft())

    def _learn_what_stays(self, first: int) -> None:
        """What is published once and holds from then on, if it was before the first picture."""
        info = self._camera.info
        if first > self._bag.start:
            for record in self._bag.records([STATIC, *([info.name] if info else [])], stop=first):
                self._take(record)

    def _take(self, record: Record) -> None:
        is_image = record.topic == self._camera.image.name
        if is_image:
            self._count += 1
            if (self._count - 1) % self._choices.every:
                return
        try:
            message = record.message()
        except ValueError as error:
            self._warn(str(error))
            return
        if is_image:
            self._waiting.append((record, message))
        elif record.topic in (STATIC, MOVING):
            self._tree.add(message, static=record.topic == STATIC)
        elif self._camera.info is not None and record.topic == self._camera.info.name:
            self._info = message
        else:
            self._keep_depth(record, message)

    def _keep_depth(self, record: Record, message: Any) -> None:
        """One goes once it is older than all pictures that wait, by as much as they wait."""
        self._depths.append(_Depth(record.received, seconds(message.header), message))
        oldest = self._waiting[0][0].received if self._waiting else record.received
        while self._depths[0].received < oldest - int(WAITED * 1e9):
            self._depths.popleft()

    def _moment(self, record: Record, image: Any) -> Moment:
        return Moment(record.received, image, depth=self._depth(seconds(image.header)), info=self._info,
                      transform=self._transform(image.header), calibration=self._calibration, choices=self._choices,
                      warn=self._warn)

    def _depth(self, stamp: float) -> Any | ValueError | None:
        """The message nearest to a stamp in seconds."""
        if self._camera.depth is None:
            return None
        near = min(self._depths, key=lambda one: abs(one.stamp - stamp), default=None)
        if near is None or abs(near.stamp - stamp) > self._choices.depth_slop:
            return ValueError(f"no depth image is within {self._choices.depth_slop:g} s (--depth-slop) of an image")
        return near.message

    def _transform(self, header: Any) -> Transform | ValueError | None:
        target = self._choices.target_frame
        if not target:
            return None
        try:
            nanoseconds = header.stamp.sec * 10**9 + header.stamp.nanosec
            return self._tree.look_up(target, header.frame_id.lstrip("/"), nanoseconds)
        except ValueError as error:
            return ValueError(f"{header.frame_id} cannot be transformed to {target}: {error}")
