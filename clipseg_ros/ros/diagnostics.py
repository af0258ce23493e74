# SPDX-License-Identifier: Apache-2.0
"""What the node is doing, once a second on /diagnostics: frames, ages, the network's time, what is wrong."""
from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from statistics import median

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from clipseg_ros.ros.camera import Camera
from clipseg_ros.ros.worker import Counts

TOPIC = "/diagnostics"
PERIOD = 1.0
"""Seconds between two reports."""


class Diagnostics:
    """Publishes a status per camera.

    Parameters
    ----------
    hardware : where the network runs, for people
    """

    def __init__(self, node: Node, *, hardware: str) -> None:
        self._node = node
        self._hardware = hardware
        self._publisher = node.create_publisher(DiagnosticArray, TOPIC, 1)
        self._published: dict[str, int] = {}

    def publish(self, cameras: Iterable[Camera], counts: Mapping[str, Counts], *, gpu_memory: int = 0) -> None:
        """Report on the cameras.

        counts : of the frames of each camera, by its name
        gpu_memory : bytes that the network holds; 0, and nothing is said of it, on a CPU
        """
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        for camera in cameras:
            status = self._status(camera, counts.get(camera.name, Counts()))
            if gpu_memory:
                status.values.append(KeyValue(key="GPU memory [MiB]", value=str(gpu_memory // 2**20)))
            message.status.append(status)
        self._publisher.publish(message)

    def destroy(self) -> None:
        """Remove the publisher."""
        self._node.destroy_publisher(self._publisher)

    def _status(self, camera: Camera, counts: Counts) -> DiagnosticStatus:
        tally = camera.tally
        fresh = tally.published - self._published.get(camera.name, 0)
        self._published[camera.name] = tally.published
        values = {"frames taken": str(counts.taken), "frames published": str(tally.published),
                  "frames failed": str(tally.failed), "frames overtaken": str(counts.overtaken),
                  "frames per second": f"{fresh / PERIOD:.1f}", "age of results [ms]": _milliseconds(tally.ages),
                  "network [ms]": _milliseconds(tally.network)}
        level, sentence = _health(camera)
        return DiagnosticStatus(
            level=level, hardware_id=self._hardware, message=sentence,
            name=f"{self._node.get_fully_qualified_name().lstrip('/')}: {camera.name}",
            values=[KeyValue(key=key, value=value) for key, value in values.items()])


def _health(camera: Camera) -> tuple[bytes, str]:
    silence = "" if camera.input is None else camera.input.silence
    trouble, lasting = camera.tally.trouble
    if silence:
        return DiagnosticStatus.WARN, silence
    if trouble:
        return (DiagnosticStatus.ERROR if lasting else DiagnosticStatus.WARN), trouble
    return DiagnosticStatus.OK, "images arrive"


def _milliseconds(values: deque[float]) -> str:
    """The median of seconds, in milliseconds; a dash where there is none."""
    seconds = list(values)
    return f"{1000 * median(seconds):.1f}" if seconds else "-"
