# SPDX-License-Identifier: Apache-2.0
"""Subscribers and publishers of a node's topics that come and go, while one camera films and one listener stays."""
from __future__ import annotations

import random
from collections import Counter, deque
from contextlib import ExitStack

import rclpy
from filming import Shot, filming
from geometry_msgs.msg import PoseArray
from rclpy.context import Context
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_peers import Peer
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from visualization_msgs.msg import MarkerArray

from clipseg_ros.msg import SegmentedObjectArray
from clipseg_ros.srv import Segment

OUTPUTS = {"mask": Image, "probability": Image, "overlay": Image, "label_mask": Image, "objects": SegmentedObjectArray,
           "poses": PoseArray, "markers": MarkerArray, "cloud": PointCloud2, "points": PointCloud2}
INPUTS = {"image": Image, "depth": Image, "camera_info": CameraInfo}
AT_ONCE = 8
"""So many of them are there at a time."""
STRANGER = 50
"""Each so many-th is a process's worth: a participant with a node of its own."""


class Crowd:
    """Every step follows from the seed.

    Parameters
    ----------
    inputs, outputs : in front of the topics of a camera, and of those of its results
    node : with its namespace

    Attributes
    ----------
    came : who came so far, by kind
    filmed, again : pictures whose results came, and those of them that had to be sent again
    faults : what was wrong with results
    """

    def __init__(self, peer: Peer, *, inputs: str, outputs: str, node: str, seed: int = 1) -> None:
        self._peer, self._inputs, self._outputs, self._node = peer, inputs, outputs, node
        self._rng = random.Random(seed)
        self._there: deque[ExitStack] = deque()
        self._made = ExitStack()
        self._film = self._made.enter_context(filming(peer, inputs, outputs))
        self.came: Counter[str] = Counter()
        self.filmed = self.again = 0
        self.faults: list[str] = []

    def step(self) -> None:
        """One comes, one goes, and a picture is looked at."""
        self._there.append(self._comer())
        if len(self._there) > AT_ONCE:
            self._there.popleft().close()
        self.film()

    def film(self) -> None:
        """Send a picture until its result is there."""
        shot, sent = Shot(metres=self._rng.choice([1.0, 2.0, 3.0])), 0

        def send() -> None:
            nonlocal sent
            sent += 1
            self._film.send(shot, seconds=self.filmed)
        self.filmed += 1
        self._peer.repeat(send, lambda: any(one.header.stamp.sec == self.filmed for one in self._film.results),
                          f"the result of picture {self.filmed}")
        self.again += sent - 1
        self.faults += self._film.faults
        self._film.results.clear()

    def leave(self) -> None:
        """All go but the camera and the listener."""
        while self._there:
            self._there.popleft().close()

    def close(self) -> None:
        """All go."""
        self.leave()
        self._made.close()

    def _comer(self) -> ExitStack:
        offer = QoSProfile(depth=self._rng.randint(1, 5),
                           reliability=self._rng.choice([ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT]),
                           durability=self._rng.choice([DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL]))
        made, node, number = ExitStack(), self._peer.node, sum(self.came.values())
        if number % STRANGER == STRANGER - 1:
            context = Context()
            rclpy.init(context=context)
            made.callback(context.try_shutdown)
            node = rclpy.create_node(f"stranger{number}", context=context)
            made.callback(node.destroy_node)
            self.came["participants"] += 1
        kind = self._rng.choices(["subscriptions", "publishers", "clients"], [6, 3, 1])[0]
        if kind == "subscriptions":
            name = self._rng.choice(list(OUTPUTS))
            one = node.create_subscription(OUTPUTS[name], f"{self._outputs}/{name}", lambda _: None, offer.depth)
            made.callback(node.destroy_subscription, one)
        elif kind == "publishers":
            name = self._rng.choice(list(INPUTS))
            made.callback(node.destroy_publisher, node.create_publisher(INPUTS[name], f"{self._inputs}/{name}", offer))
        else:
            client = node.create_client(Segment, f"{self._node}/segment")
            client.call_async(Segment.Request(prompts=["mug"]))
            made.callback(node.destroy_client, client)
        self.came[kind] += 1
        return made
