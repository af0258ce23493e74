# SPDX-License-Identifier: Apache-2.0
"""How a running node fares: its diagnostics, and the warnings in its log and this one's."""

from __future__ import annotations

import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import Log
from rclpy.logging import LoggingSeverity
from rclpy.node import Node
from rclpy.qos import QoSProfile

_TOPIC = "/diagnostics"
_FRESH = 3.0
"""Seconds for which a report counts."""

_HEARD = 15.0
"""Seconds for which a warning is shown."""

_CURES = {"inactive": "`ros2 lifecycle set {node} activate` starts it",
          "unconfigured": "it loads its weights, or waits for `ros2 lifecycle set {node} configure`",
          "paused by ~/enable": "`ros2 service call {node}/enable std_srvs/srv/SetBool '{{data: true}}'` lets it go on"}


class Health:
    """What the node says of itself. Takes the place of a logger too, whose warnings it shows and passes on.

    Parameters
    ----------
    target : full name of the node
    """

    def __init__(self, node: Node, target: str) -> None:
        self._logger = node.get_logger()
        self._target = target
        self._voice = target.strip("/").replace("/", ".")
        self._prefix = f"{target.lstrip('/')}: "
        self._statuses: dict[str, DiagnosticStatus] = {}
        self._reported = 0.0
        self._warnings: dict[str, float] = {}
        node.create_subscription(DiagnosticArray, _TOPIC, self._on_diagnostics, QoSProfile(depth=10))
        node.create_subscription(Log, "/rosout", self._on_log, QoSProfile(depth=50))

    @property
    def state(self) -> str:
        """Why the node as a whole does not work, in a sentence; empty while it does, or says nothing."""
        status = self._status("node")
        if status is None or status.message == "active":
            return ""
        cure = _CURES.get(status.message, "").format(node=self._target)
        return f"the node {self._target}: {status.message}" + (f"; {cure}" if cure else "")

    @property
    def said(self) -> list[str]:
        """The last warnings, newest first."""
        now = time.monotonic()
        self._warnings = {text: at for text, at in self._warnings.items() if now - at < _HEARD}
        return list(reversed(self._warnings))

    def is_well(self, camera: str) -> bool:
        """Whether the node gets images of the camera."""
        status = self._status(camera)
        return status is not None and status.level == DiagnosticStatus.OK

    def trouble(self, camera: str) -> str:
        """What the node says is wrong with one of its cameras; empty for nothing."""
        status = self._status(camera)
        return "" if status is None or status.level == DiagnosticStatus.OK else f"{camera}: {status.message}"

    def figures(self, camera: str) -> dict[str, str]:
        """What the node measures of a camera, for people."""
        status = self._status(camera)
        values = {} if status is None else {one.key: one.value for one in status.values}
        network = values.get("network [ms]", "-").partition(".")[0]
        return {} if network == "-" else {"rate": f"{values['frames per second']} /s", "network": f"{network} ms"}

    def warning(self, sentence: str) -> None:
        """As a logger's."""
        self._logger.warning(sentence)
        self._hear(sentence)

    def error(self, sentence: str) -> None:
        """As a logger's."""
        self._logger.error(sentence)
        self._hear(sentence)

    def _status(self, name: str) -> DiagnosticStatus | None:
        return self._statuses.get(name) if time.monotonic() - self._reported < _FRESH else None

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        own = {one.name.removeprefix(self._prefix): one for one in message.status if one.name.startswith(self._prefix)}
        if own:
            self._statuses, self._reported = own, time.monotonic()

    def _on_log(self, message: Log) -> None:
        if message.name == self._voice and message.level >= LoggingSeverity.WARN:
            self._hear(message.msg)

    def _hear(self, sentence: str) -> None:
        self._warnings.pop(sentence, None)
        self._warnings[sentence] = time.monotonic()
