# SPDX-License-Identifier: Apache-2.0
"""What the node is doing, once a second on /diagnostics: frames, ages, the network's time, objects followed."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from statistics import median

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from clipseg_ros.ros.worker import Counts

TOPIC = "/diagnostics"
PERIOD = 1.0
"""Seconds between two reports."""

_KEPT = 100


class FrameTimes:
    """How long the last frames of one camera took; one thread records while another one reads.

    Attributes
    ----------
    ages : seconds from a frame's stamp to its published result
    network : seconds that the network took for the batch with the frame
    """

    def __init__(self) -> None:
        self.ages: deque[float] = deque(maxlen=_KEPT)
        self.network: deque[float] = deque(maxlen=_KEPT)

    def record(self, *, age: float, network: float) -> None:
        """Take one more frame into account."""
        self.ages.append(age)
        self.network.append(network)


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
        self._processed: dict[str, int] = {}

    def publish(self, counts: Mapping[str, Counts], times: Mapping[str, FrameTimes],
                silence: Callable[[str], str], *, gpu_memory: int = 0) -> None:
        """Report on the cameras in `times`; `silence` says of one why no image arrives, or is empty if they do.

        gpu_memory : bytes that the network holds; 0, and nothing is said of it, on a CPU
        """
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        for camera, taken in times.items():
            status = self._status(camera, counts.get(camera, Counts()), taken, silence(camera))
            if gpu_memory:
                status.values.append(KeyValue(key="GPU memory [MiB]", value=str(gpu_memory // 2**20)))
            message.status.append(status)
        self._publisher.publish(message)

    def destroy(self) -> None:
        """Remove the publisher."""
        self._node.destroy_publisher(self._publisher)

    def _status(self, camera: str, counts: Counts, times: FrameTimes, silence: str) -> DiagnosticStatus:
        fresh = counts.processed - self._processed.get(camera, 0)
        self._processed[camera] = counts.processed
        values = {"frames processed": str(counts.processed), "frames overtaken": str(counts.overtaken),
                  "frames per second": f"{fresh / PERIOD:.1f}", "age of results [ms]": _milliseconds(times.ages),
                  "network [ms]": _milliseconds(times.network)}
        return DiagnosticStatus(
            level=DiagnosticStatus.WARN if silence else DiagnosticStatus.OK, hardware_id=self._hardware,
            name=f"{self._node.get_fully_qualified_name().lstrip('/')}: {camera}", message=silence or "images arrive",
            values=[KeyValue(key=key, value=value) for key, value in values.items()])


def _milliseconds(values: deque[float]) -> str:
    """The median, in milliseconds; a dash where there is none."""
    seconds = list(values)
    return f"{1000 * median(seconds):.1f}" if seconds else "-"
