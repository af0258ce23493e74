# SPDX-License-Identifier: Apache-2.0
"""Cameras that film a wall, each frame with a stamp of its own, and what a node must make of each of the frames."""
from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pictures import message, noise
from ros_peers import Peer
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from walls import wall

from clipseg_ros.msg import SegmentedObject, SegmentedObjectArray

EVERYTHING = "everything=0.001"
"""A prompt that is all of the picture, so that the object is the wall."""
OFF_AXIS = 10.0
"""Pixels from the principal point to the middle of the picture."""
_numbers = itertools.count(1000)


@dataclass(frozen=True)
class Shot:
    """A picture of a wall, `metres` away, and what is sent along with it.

    Attributes
    ----------
    focal : length in pixels that camera_info tells
    size : (width, height) of picture and depth; `calibrated` is that of camera_info, by default the same
    known : whether the node can know where the wall is
    """

    metres: float = 2.0
    focal: float = 50.0
    size: tuple[int, int] = (64, 48)
    calibrated: tuple[int, int] | None = None
    frame: str = "camera_optical"
    info_frame: str | None = None
    lens: str = "plumb_bob"
    encoding: str = "rgb8"
    depth: bool = True
    info: bool = True
    known: bool = True

    @property
    def position(self) -> tuple[float, float, float]:
        """Where the middle of the wall is, in metres."""
        return OFF_AXIS / self.focal * self.metres, 0.0, self.metres

    def fault(self, found: SegmentedObjectArray) -> str:
        """What is wrong with a result, its place above all, unless it has none; empty for nothing."""
        if found.header.frame_id != self.frame:
            return f"the frame {found.header.frame_id} instead of {self.frame}"
        if len(found.objects) != 1:
            return f"{len(found.objects)} objects instead of one"
        one = found.objects[0]
        if one.area != self.size[0] * self.size[1]:
            return f"{one.area} pixels instead of {self.size}"
        if one.has_pose and not (self.known and np.allclose(place(one), self.position, atol=0.03)):
            return f"the place {place(one)}" + (f" instead of {self.position}" if self.known else " from nowhere")
        return ""

    def messages(self, header: Header, number: int) -> dict[str, CameraInfo | Image]:
        """By topic, what is to be sent first to last."""
        width, height = self.size
        width_told, height_told = self.calibrated or self.size
        k = [self.focal, 0.0, (width - 1) / 2 - OFF_AXIS, 0.0, self.focal, (height - 1) / 2, 0.0, 0.0, 1.0]
        info = CameraInfo(header=Header(stamp=header.stamp, frame_id=self.info_frame or self.frame), width=width_told,
                          height=height_told, k=k, distortion_model=self.lens)
        depth = wall(0, int(1000 * self.metres), shape=(height, width))
        rgb = np.frombuffer(noise(number, size=(height, width)).data, np.uint8).reshape(height, width, 3)
        image = message(rgb if self.encoding == "rgb8" else rgb[..., 0], self.encoding, width=width, height=height)
        depth.header = image.header = header
        sent = {"camera_info": info if self.info else None, "depth": depth if self.depth else None, "image": image}
        return {topic: one for topic, one in sent.items() if one is not None}


def place(one: SegmentedObject) -> tuple[float, float, float]:
    """Of an object, in metres."""
    point = one.pose.pose.position
    return point.x, point.y, point.z


class Film:
    """Publishes frames on the topics of one camera of a node, and compares what comes of them with what was sent.

    Attributes
    ----------
    shots : what was sent, by stamp in seconds; also for other films, whose last results may be on their way still
    results : what the node found
    """

    shots: ClassVar[dict[int, Shot]] = {}

    def __init__(self, peer: Peer, publishers: list[dict], results: list[SegmentedObjectArray]) -> None:
        self._peer, self._publishers, self.results = peer, publishers, results

    def send(self, shot: Shot = Shot(), *, seconds: int | None = None, camera: int = 0) -> int:
        """Publish a frame, taken at `seconds` or else a second after the last one, by one of the cameras."""
        number = next(_numbers)
        header = Header(frame_id=shot.frame)
        header.stamp.sec = number if seconds is None else seconds
        self.shots[header.stamp.sec] = shot
        for topic, one in shot.messages(header, number).items():
            self._publishers[camera][topic].publish(one)
        return header.stamp.sec

    def until(self, wanted: Callable[[SegmentedObject], object], what: str, *, shot: Shot = Shot(),
              period: float = 0.1) -> SegmentedObjectArray:
        """Film such frames until one of them gives an object that is wanted; return the result."""
        sent: set[int] = set()
        first = len(self.results)
        return self._peer.repeat(
            lambda: sent.add(self.send(shot)),
            lambda: next((one for one in self.results[first:] if one.header.stamp.sec in sent and one.objects
                          and wanted(one.objects[0])), None), what, period=period)

    @property
    def located(self) -> Counter[Shot]:
        """How many results there are with a place, of each kind of shot."""
        return Counter(self.shots[one.header.stamp.sec] for one in self.results for two in one.objects if two.has_pose)

    @property
    def faults(self) -> list[str]:
        """What is wrong with the results so far."""
        judged = ((one.header.stamp.sec, self.shots[one.header.stamp.sec].fault(one)) for one in self.results)
        return [f"frame {seconds}: {fault}" for seconds, fault in judged if fault]


@contextmanager
def filming(peer: Peer, topics: str, outputs: str, *, cameras: int = 1) -> Iterator[Film]:
    """So many cameras on the same topics, and the results that a node publishes under `outputs`."""
    kinds = {"image": Image, "depth": Image, "camera_info": CameraInfo}
    with ExitStack() as made:
        publishers = [{name: made.enter_context(peer.publisher(kind, f"{topics}/{name}"))
                       for name, kind in kinds.items()} for _ in range(cameras)]
        yield Film(peer, publishers, made.enter_context(peer.listener(SegmentedObjectArray, f"{outputs}/objects")))
