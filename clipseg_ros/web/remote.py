# SPDX-License-Identifier: Apache-2.0
"""A running node as the page's source: what it sees, what it says, and how it is asked."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future
from std_msgs.msg import Header

from clipseg_ros.clipseg.written import PromptText
from clipseg_ros.msg import Prompts, RememberedObject
from clipseg_ros.ros.outputs.images import to_image
from clipseg_ros.ros.reports import Reports
from clipseg_ros.srv import Recall, SetVisualPrompt
from clipseg_ros.web.board import Board
from clipseg_ros.web.health import Health
from clipseg_ros.web.source import Recollection
from clipseg_ros.web.watched import WatchedCamera

_TICK = 0.2
"""Seconds between two looks at the node."""

_AGAIN = 5.0
"""Seconds after which a request is sent again: a middleware may lose an answer (rmw_fastrtps issue 842)."""

_TRIES = 4
_SETTINGS = ("cameras", "image_transport", "mono16_range", "memory_size")


class RemoteSource:
    """Follows a node, also when it goes and comes again, and then gives it the page's prompts and examples back.

    Parameters
    ----------
    node : of this process; spun by others
    target : full name of the node that is followed
    """

    recall: Callable[[str], list[Recollection]] | None = None

    def __init__(self, node: Node, target: str) -> None:
        self.title = target
        self._node, self._target = node, target
        self._health = Health(node, target)
        self._reports = Reports(self._health)
        self._board: Board | None = None
        self._cameras: dict[str, WatchedCamera] = {}
        self._settings: dict[str, Any] = {}
        self._watched = False
        self._asked: Future | None = None
        self._wanted: tuple[PromptText, ...] = ()
        self._examples: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
        self._speakers: frozenset[bytes] = frozenset()
        self._restoring = ThreadPoolExecutor(1, thread_name_prefix="restore")

    def open(self, board: Board) -> None:
        """Begin to follow the node."""
        self._board, node, target = board, self._node, self._target
        self._getting = node.create_client(GetParameters, f"{target}/get_parameters")
        self._setting = node.create_client(SetParameters, f"{target}/set_parameters")
        self._storing = node.create_client(SetVisualPrompt, f"{target}/set_visual_prompt")
        self._recalling = node.create_client(Recall, f"{target}/recall")
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        node.create_subscription(Prompts, f"{target}/prompts", self._on_prompts, latched)
        # The node's own clock may be a simulated one that stands still.
        node.create_timer(_TICK, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def close(self) -> None:
        """End; what was made on the node goes with it."""
        self._restoring.shutdown(wait=False, cancel_futures=True)

    def attend(self, watched: bool) -> None:
        """Only while somebody looks are pictures and results listened to."""
        self._watched = watched

    def look_for(self, prompts: Sequence[PromptText]) -> None:
        """ValueError, with the node's own sentence, for what it refuses. A node that is not there gets them later."""
        self._wanted = tuple(prompts)
        if not self._setting.service_is_ready():
            return
        written = Parameter("prompts", value=[one.written for one in prompts] or [""])
        answer = self._call(self._setting, SetParameters.Request(parameters=[written.to_parameter_msg()]))
        if not answer.results[0].successful:
            raise ValueError(answer.results[0].reason)

    def keep_example(self, name: str, rgb: np.ndarray, mask: np.ndarray | None) -> None:
        """ValueError, with the node's own sentence, for what it refuses, ConnectionError where it is not there."""
        if not self._storing.service_is_ready():
            raise ConnectionError(f"the node {self._target} is not there to keep the example; start it first")
        self._store(name, rgb, mask)
        self._examples[name] = rgb, mask

    def _recall(self, text: str) -> list[Recollection]:
        """ValueError, with the node's own sentence, for what cannot be looked for."""
        answer = self._call(self._recalling, Recall.Request(prompts=[text]))
        if not answer.success:
            raise ValueError(answer.message)
        now = self._node.get_clock().now().nanoseconds * 1e-9
        return [Recollection(_caption(one, answer.frame_id, now), one.score, bytes(one.thumbnail.data))
                for one in answer.objects]

    def _store(self, name: str, rgb: np.ndarray, mask: np.ndarray | None) -> None:
        request = SetVisualPrompt.Request(name=name, image=to_image(rgb, "rgb8", Header()))
        if mask is not None:
            request.mask = to_image(mask.astype(np.uint8) * 255, "mono8", Header())
        answer = self._call(self._storing, request)
        if not answer.success:
            raise ValueError(answer.message)

    def _call(self, client: Any, request: Any) -> Any:
        """The answer, for any thread but the one that spins. TimeoutError, with a sentence, where none comes."""
        answered, answers = threading.Event(), []

        def take(future: Future) -> None:
            answers.append(future.result())
            answered.set()

        for _ in range(_TRIES):
            client.call_async(request).add_done_callback(take)
            if answered.wait(_AGAIN):
                return answers[0]
        raise TimeoutError(f"the node {self._target} gave no answer within {_TRIES * _AGAIN:.0f} s; its log may say "
                           "why")

    def _on_prompts(self, message: Prompts) -> None:
        """What the node looks for, or, of a node that has just come and looks for nothing, a chance to say what to."""
        speakers = frozenset(bytes(one.endpoint_gid)
                             for one in self._node.get_publishers_info_by_topic(f"{self._target}/prompts"))
        is_new, self._speakers = bool(speakers - self._speakers), speakers | self._speakers
        if is_new and not message.prompts and (self._wanted or self._examples):
            self._restoring.submit(self._restore)
        else:
            self._board.looking_for(message.prompts, message.thresholds)

    def _restore(self) -> None:
        """Give the node what it lost when it ended."""
        try:
            for name, (rgb, mask) in list(self._examples.items()):
                self._store(name, rgb, mask)
            self.look_for(self._wanted)
        except (ValueError, OSError) as error:
            self._reports.warn(f"the page's prompts could not be given to the node again: {error}")

    def _tick(self) -> None:
        """Follow the node and its publishers, and say how it fares."""
        if self._getting.service_is_ready():
            self._ask_settings()
        else:
            self._asked = None
        for camera in self._cameras.values():
            (camera.open if self._watched else camera.close)()
            camera.check()
        self._board.tell(self._troubles(), self._figures())

    def _ask_settings(self) -> None:
        """Ask which cameras the node has, once each time it appears."""
        if self._asked is None:
            self._asked = self._getting.call_async(GetParameters.Request(names=list(_SETTINGS)))
            self._asked.add_done_callback(self._on_settings)

    def _on_settings(self, future: Future) -> None:
        settings = dict(zip(_SETTINGS, map(parameter_value_to_python, future.result().values)))
        if settings == self._settings or not settings.get("cameras"):
            return
        for camera in self._cameras.values():
            camera.close()
        self._settings = settings
        self.recall = self._recall if settings["memory_size"] else None
        self._cameras = {name: self._camera(name) for name in settings["cameras"]}
        self._board.cameras([self._label(name) for name in self._cameras])

    def _camera(self, name: str) -> WatchedCamera:
        settings, label = self._settings, self._label(name)
        prefix = f"{label}/" if label else ""
        return WatchedCamera(
            self._node, self._board, label=label, image=f"{prefix}image", objects=f"{self._target}/{prefix}objects",
            compressed=settings["image_transport"] == "compressed", mono16_range=settings["mono16_range"],
            reports=self._reports)

    def _label(self, camera: str) -> str:
        """What the page calls it; the only one needs no name."""
        return camera if len(self._settings["cameras"]) > 1 else ""

    def _troubles(self) -> list[str]:
        if not self._getting.service_is_ready():
            domain = os.environ.get("ROS_DOMAIN_ID") or 0
            return [f"there is no node {self._target} (ROS_DOMAIN_ID {domain}); start it with "
                    "`ros2 launch clipseg_ros clipseg.launch.py`"]
        state = self._health.state
        if state:
            return [state, *self._health.said]
        sentences = [self._health.trouble(name) or camera.trouble(working=self._health.is_well(name))
                     for name, camera in self._cameras.items()]
        return [sentence for sentence in dict.fromkeys([*sentences, *self._health.said]) if sentence]

    def _figures(self) -> dict[str, dict[str, str]]:
        return {self._label(name): self._health.figures(name) for name in self._cameras}


def _caption(one: RememberedObject, frame_id: str, now: float) -> str:
    """What, where and when, in words; `now` in seconds."""
    at = one.pose.position
    place = f"at {at.x:.2f} {at.y:.2f} {at.z:.2f} m in {frame_id}" if one.has_pose else "somewhere"
    age = now - (one.last_seen.sec + one.last_seen.nanosec * 1e-9)
    views = "1 view" if one.views == 1 else f"{one.views} views"
    return f"{one.prompt}, {place}, seen {age:.0f} s ago in {views}"
