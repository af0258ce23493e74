# SPDX-License-Identifier: Apache-2.0
"""One camera of a running node: its pictures, joined with what the node found in them."""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import ExitStack

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from clipseg_ros.messages.images import compressed_to_rgb
from clipseg_ros.msg import SegmentedObject, SegmentedObjectArray
from clipseg_ros.ros.inputs.images import image_to_rgb
from clipseg_ros.ros.inputs.subscription import AdaptiveSubscription
from clipseg_ros.ros.reports import Reports
from clipseg_ros.web.board import Board
from clipseg_ros.web.source import Thing, View

SILENCE = 6.0
"""Seconds without a picture, or without a result, after which it is said why; the node is a little quicker."""

_RAW_AFTER = 1.0
"""Seconds without a result after which pictures are shown without one."""

_MOST_BYTES = 96 * 2**20
"""Of pictures that wait for their results."""

_PLAUSIBLE_AGE = 3600.0
"""Seconds; an older stamp is of another clock than this machine's: a simulated or a recorded one."""


class WatchedCamera:
    """Shows the newest picture whose result has come, and while none comes the pictures alone.

    It listens from `open` to `close`, so that the node does nothing for a page at which nobody looks.

    Parameters
    ----------
    label : of the camera on the page
    image, objects : topics; the former is remapped as the node's own
    compressed : whether images arrive on image/compressed
    """

    def __init__(self, node: Node, board: Board, *, label: str, image: str, objects: str, compressed: bool,
                 mono16_range: str, reports: Reports) -> None:
        self._node, self._board, self._reports = node, board, reports
        self._label, self._objects, self._mono16_range = label, objects, mono16_range
        self._image = f"{node.resolve_topic_name(image)}/compressed" if compressed else image
        self._type = CompressedImage if compressed else Image
        self._listening: ExitStack | None = None
        self._images: AdaptiveSubscription | None = None
        self._pictures: OrderedDict[tuple[int, int], Image | CompressedImage] = OrderedDict()
        self._publishers = 0
        self._opened = self._pictured = self._answered = self._joined = 0.0
        self._unmasked = False

    def open(self) -> None:
        """Listen, if it does not yet."""
        if self._listening is not None:
            return
        self._opened = self._pictured = self._answered = self._joined = time.monotonic()
        with ExitStack() as made:
            self._images = AdaptiveSubscription(self._node, self._type, self._image, self._on_image,
                                                reports=self._reports)
            made.callback(self._images.destroy)
            results = self._node.create_subscription(SegmentedObjectArray, self._objects, self._on_objects,
                                                     QoSProfile(depth=1))
            made.callback(self._node.destroy_subscription, results)
            made.callback(self._pictures.clear)
            self._listening = made.pop_all()

    def close(self) -> None:
        """Do not listen."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def check(self) -> None:
        """Follow the publishers, and show pictures alone while no result comes. Call it now and again."""
        if self._listening is None:
            return
        self._publishers = self._images.check()
        if time.monotonic() - self._joined > _RAW_AFTER and self._pictures:
            _, newest = self._pictures.popitem()
            self._pictures.clear()
            self._show(newest, searched=False)

    def trouble(self, *, working: bool) -> str:
        """What is wrong, in a sentence, empty for nothing; `working`: whether the node's own pictures arrive."""
        if self._listening is None:
            return ""
        now, topic = time.monotonic(), self._images.topic
        if now - self._pictured > SILENCE:
            if working:
                return (f"{topic}: the node gets pictures, but none arrive here; the page needs the node's remappings "
                        "(image:=TOPIC)")
            if self._publishers:
                return (f"{topic}: no image has arrived for {now - self._pictured:.0f} s, although something publishes "
                        "there")
            return f"{topic}: nothing publishes images there; remap `image` to the camera's topic"
        if now - self._answered < SILENCE < now - self._joined:
            return f"{topic}: results arrive, but not the pictures that they are of; the network drops large messages"
        if self._unmasked:
            return "the objects come without masks, so their boxes are shown: the parameter object_masks is false"
        return ""

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._pictured = time.monotonic()
        self._pictures[_stamp(message.header)] = message
        while len(self._pictures) > 1 and sum(len(one.data) for one in self._pictures.values()) > _MOST_BYTES:
            self._pictures.popitem(last=False)

    def _on_objects(self, message: SegmentedObjectArray) -> None:
        self._answered = time.monotonic()
        stamp = _stamp(message.header)
        picture = self._pictures.get(stamp)
        if picture is None:
            return
        self._joined = self._answered
        while next(iter(self._pictures)) != stamp:
            self._pictures.popitem(last=False)
        self._unmasked = any(not one.mask.width for one in message.objects)
        self._show(picture, searched=bool(message.prompts), things=[_as_thing(one) for one in message.objects],
                   scores=dict(zip(message.prompts, message.scores)))

    def _show(self, picture: Image | CompressedImage, **found: object) -> None:
        convert = image_to_rgb if isinstance(picture, Image) else compressed_to_rgb
        stamp = picture.header.stamp
        age = self._node.get_clock().now().nanoseconds * 1e-9 - stamp.sec - stamp.nanosec * 1e-9
        self._board.show(View(self._label, lambda: convert(picture, mono16_range=self._mono16_range),
                              taken=time.monotonic() - (age if abs(age) < _PLAUSIBLE_AGE else 0.0), **found))


def _stamp(header: Header) -> tuple[int, int]:
    return header.stamp.sec, header.stamp.nanosec


def _as_thing(one: SegmentedObject) -> Thing:
    image, roi = one.mask, one.roi
    mask = None
    if image.width:
        mask = np.ascontiguousarray(np.frombuffer(image.data, np.uint8).reshape(image.height, -1)[:, :image.width])
    at = one.pose.pose.position
    distance = float(np.linalg.norm([at.x, at.y, at.z])) if one.has_pose else None
    return Thing(one.prompt, one.score, (roi.x_offset, roi.y_offset), (roi.width, roi.height), mask, one.track_id,
                 distance)
