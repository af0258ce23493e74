# SPDX-License-Identifier: Apache-2.0
"""The node as a process of its own: started, watched and stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class NodeProcess:
    """A context in which `clipseg_node` runs; its words go to a file, which is kept when something went wrong.

    Parameters
    ----------
    parameters : of the node, by name
    remappings : topics of the node, from -> to
    """

    def __init__(self, parameters: dict[str, Any], *, remappings: dict[str, str] | None = None) -> None:
        self._command = [sys.executable, "-m", "clipseg_ros.ros.node", *ros_arguments(parameters, remappings or {})]
        handle = tempfile.NamedTemporaryFile("wb", prefix="clipseg_node_", suffix=".log", delete=False)
        self.log = Path(handle.name)
        self._output = handle
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> NodeProcess:
        self._process = subprocess.Popen(self._command, stdout=self._output, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self.stop()
        if kind is None:
            self.log.unlink(missing_ok=True)

    @property
    def ended(self) -> bool:
        """Whether the process is no longer there."""
        return self._process is None or self._process.poll() is not None

    @property
    def last_words(self) -> str:
        """The last complaint in the node's log, or its last line."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        complaints = [line for line in lines if "[ERROR]" in line or "[FATAL]" in line or "Error:" in line]
        return (complaints or lines or ["it said nothing"])[-1].strip()

    def stop(self, *, patience: float = 20.0) -> None:
        """Ask the node to end, and make it end after `patience` seconds."""
        for request in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self.ended:
                break
            self._process.send_signal(request)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        self._output.close()


def ros_arguments(parameters: dict[str, Any], remappings: dict[str, str]) -> Sequence[str]:
    """What follows an executable on its command line to set parameters and topics."""
    arguments = ["--ros-args"]
    for name, value in parameters.items():
        arguments += ["-p", f"{name}:={_as_yaml(value)}"]
    for source, target in remappings.items():
        arguments += ["-r", f"{source}:={target}"]
    return arguments


def _as_yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)
