# SPDX-License-Identifier: Apache-2.0
"""Uses the node as a person's program would: sends prompts, reads the results, calls the service."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import Image
from std_msgs.msg import String

from clipseg_ros.messages.images import image_to_mask, image_to_rgb
from clipseg_ros.msg import SegmentedObjectArray
from clipseg_ros.srv import Segment

_TOPICS = {"mask": Image, "overlay": Image, "objects": SegmentedObjectArray}


@dataclass(frozen=True)
class Result:
    """What the node said about one frame: mask (H, W) bool, overlay (H, W, 3) uint8 RGB, seconds since its stamp."""

    objects: SegmentedObjectArray
    mask: np.ndarray
    overlay: np.ndarray
    seconds: float


class Visitor:
    """Talks to the node called `/clipseg`.

    Parameters
    ----------
    node : on which subscriptions, publisher and client are made; not spun by others
    check : called while waiting; raises when waiting is in vain
    """

    def __init__(self, node: Node, *, check: Callable[[], None]) -> None:
        self._clock = node.get_clock()
        self._check = check
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        self._prompts = node.create_publisher(String, "/clipseg/prompt", 1)
        self._client = node.create_client(Segment, "/clipseg/segment")
        self._parts: dict[int, dict[str, Any]] = {}
        self._results: list[Result] = []
        for name, kind in _TOPICS.items():
            node.create_subscription(kind, f"/clipseg/{name}", lambda message, name=name: self._take(name, message), 5)

    def wait(self, condition: Callable[[], bool], what: str, *, seconds: float) -> None:
        """Serve the subscriptions until the condition holds; TimeoutError when it does not for so long."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come within {seconds:.0f} s")
            self._check()
            self._executor.spin_once(timeout_sec=0.1)

    def look_for(self, text: str, *, frames: int, seconds: float = 60.0) -> list[Result]:
        """Send a prompt, and the results of the first `frames` frames that were published after that."""
        self.wait(lambda: self._prompts.get_subscription_count() > 0, "the node's subscription to prompts", seconds=30)
        sent = self._clock.now()
        self._prompts.publish(String(data=text))

        def results() -> list[Result]:
            return [result for result in self._results
                    if Time.from_msg(result.objects.header.stamp) > sent and list(result.objects.prompts) == [text]]

        self._parts.clear()
        self._results.clear()
        self.wait(lambda: len(results()) >= frames, f"the result for {text!r}", seconds=seconds)
        return results()[:frames]

    def ask(self, texts: list[str], *, seconds: float = 60.0) -> Segment.Response:
        """Call the service for the newest frame."""
        self.wait(self._client.service_is_ready, "the service /clipseg/segment", seconds=30)
        future = self._client.call_async(Segment.Request(prompts=texts))
        self.wait(future.done, "the answer of /clipseg/segment", seconds=seconds)
        return future.result()

    def _take(self, name: str, message: Any) -> None:
        """Collect the messages of one frame, which have one stamp."""
        stamp = Time.from_msg(message.header.stamp)
        parts = self._parts.setdefault(stamp.nanoseconds, {})
        parts[name] = message
        if name == "objects":
            parts["seconds"] = (self._clock.now() - stamp).nanoseconds * 1e-9
        if all(name in parts for name in _TOPICS):
            self._results.append(Result(parts["objects"], image_to_mask(parts["mask"]),
                                        image_to_rgb(parts["overlay"]), parts["seconds"]))
            del self._parts[stamp.nanoseconds]
