# SPDX-License-Identifier: Apache-2.0
"""The real node in the test's own process, so that a test can break what is inside of it, and somebody beside it."""
from __future__ import annotations

import math
import time
from collections.abc import Callable

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from pictures import noise
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from clipseg_ros.ros.node import ClipsegNode

WAIT = 60
PERIOD = 0.1
"""Seconds between two pictures."""


class Room:
    """A node of its own, and somebody who sends pictures and listens; everything goes over the middleware.

    Attributes
    ----------
    sent : the last picture's stamp, in seconds
    masks : that arrived
    states : of the node, from its diagnostics
    """

    def __init__(self, namespace: str, **parameters) -> None:
        values = {"weights": "untrained", "autostart": False, "prompts": ["mug"], "input_size": 64, **parameters}
        self._namespace, self.sent = namespace, 0
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = ClipsegNode(context=self.context, namespace=namespace, parameter_overrides=[
            Parameter(name, value=value) for name, value in values.items()])
        self.peer = rclpy.create_node("peer", context=self.context)
        self.images = self.peer.create_publisher(Image, f"{namespace}/image", 1)
        self.masks, self.states = self.listen(Image, "mask"), []
        self.peer.create_subscription(DiagnosticArray, "/diagnostics", self._hear, 1)
        self.executor = SingleThreadedExecutor(context=self.context)
        for one in (self.node, self.peer):
            self.executor.add_node(one)

    def _hear(self, told: DiagnosticArray) -> None:
        if told.status[0].name.startswith(self._namespace[1:]):
            self.states.append(told.status[0])

    def listen(self, message_type: type, output: str) -> list:
        """The list of the messages that arrive of an output of the node."""
        heard: list = []
        self.peer.create_subscription(message_type, f"{self._namespace}/clipseg/{output}", heard.append, 10)
        return heard

    def start(self) -> None:
        """Configure and activate."""
        assert [self.node.trigger_configure(), self.node.trigger_activate()] == [TransitionCallbackReturn.SUCCESS] * 2

    def until(self, reached: Callable[[], object], what: str) -> float:
        """Send a picture again and again until then; returns the seconds that it took."""
        start, sent = time.monotonic(), -math.inf
        while not reached():
            now = time.monotonic()
            assert now < start + WAIT, what
            if now > sent + PERIOD:
                self.sent += 1
                self.images.publish(noise(self.sent))
                sent = now
            self.executor.spin_once(timeout_sec=0.005)
        return time.monotonic() - start

    def again(self, what: str) -> float:
        """Send pictures until there is another mask; returns the seconds that it took."""
        self.masks.clear()
        return self.until(lambda: self.masks, what)

    def close(self) -> None:
        """End the node, as the process does."""
        self.node.destroy_node()
        self.peer.destroy_node()
        rclpy.try_shutdown(context=self.context)
