# SPDX-License-Identifier: Apache-2.0
"""What the node is doing, once a second on /diagnostics: frames, ages, the network's time, what is wrong."""
from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from statistics import median

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from clipseg_ros.memory import Memory
from clipseg_ros.ros.camera import Camera
from clipseg_ros.ros.namesakes import Namesakes
from clipseg_ros.ros.worker import Counts

TOPIC = "/diagnostics"
PERIOD = 1.0
"""Seconds between two reports."""


class Diagnostics:
    """Publishes a status of the node, and one per camera while it is active."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(DiagnosticArray, TOPIC, 1)
        self._namesakes = Namesakes(node)
        self._published: dict[str, int] = {}

    def publish(self, state: str, *, broken: bool = False, warn: bool = False, cameras: Iterable[Camera] = (),
                counts: Mapping[str, Counts] | None = None, hardware: str = "", gpu_memory: int = 0,
                memory: Memory | None = None) -> None:
        """Report.

        Parameters
        ----------
        state : of the node, in words; `broken` is an error, `warn` a warning
        counts : of the frames of each camera, by its name
        hardware : where the network runs
        gpu_memory : bytes that the network holds; 0, and nothing is said of it, on a CPU
        memory : what is remembered; None without a memory
        """
        level = DiagnosticStatus.ERROR if broken else DiagnosticStatus.WARN if warn else DiagnosticStatus.OK
        values = {"GPU memory [MiB]": str(gpu_memory // 2**20)} if gpu_memory else {}
        if memory is not None:
            values |= {"keyframes": str(len(memory)), "keyframes [MB]": f"{memory.nbytes / 1e6:.1f}"}
        told, namesake = (level, state), self._namesakes.check()
        if namesake:
            told = max(level, DiagnosticStatus.WARN), f"{state}; {namesake}"
        message = DiagnosticArray(status=[self._status("node", *told, hardware, values)])
        message.header.stamp = self._node.get_clock().now().to_msg()
        for camera in cameras:
            values = self._figures(camera, (counts or {}).get(camera.name, Counts()))
            level, sentence = (DiagnosticStatus.WARN, state) if warn else _health(camera)
            message.status.append(self._status(camera.name, level, sentence, hardware, values))
        self._publisher.publish(message)

    def _status(self, name: str, level: bytes, sentence: str, hardware: str,
                values: Mapping[str, str]) -> DiagnosticStatus:
        return DiagnosticStatus(
            level=level, hardware_id=hardware, message=sentence,
            name=f"{self._node.get_fully_qualified_name().lstrip('/')}: {name}",
            values=[KeyValue(key=key, value=value) for key, value in values.items()])

    def _figures(self, camera: Camera, counts: Counts) -> dict[str, str]:
        tally = camera.tally
        fresh = tally.published - self._published.get(camera.name, 0)
        self._published[camera.name] = tally.published
        return {"frames taken": str(counts.taken), "frames published": str(tally.published),
                "frames failed": str(tally.failed), "frames overtaken": str(counts.overtaken),
                "frames without depth": str(camera.input.without_depth if camera.input else 0),
                "frames per second": f"{fresh / PERIOD:.1f}", "age of results [ms]": _milliseconds(tally.ages),
                "network [ms]": _milliseconds(tally.network)}


def _health(camera: Camera) -> tuple[bytes, str]:
    silence = "" if camera.input is None else camera.input.silence
    trouble, lasting = camera.tally.trouble
    if silence:
        return DiagnosticStatus.WARN, silence
    if trouble:
        return (DiagnosticStatus.ERROR if lasting else DiagnosticStatus.WARN), trouble
    if camera.input is not None and camera.input.trouble:
        return DiagnosticStatus.WARN, camera.input.trouble
    return DiagnosticStatus.OK, "images arrive"


def _milliseconds(values: deque[float]) -> str:
    """The median of seconds, in milliseconds; a dash where there is none."""
    seconds = list(values)
    return f"{1000 * median(seconds):.1f}" if seconds else "-"
