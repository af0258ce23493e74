# SPDX-License-Identifier: Apache-2.0
"""The node as a process of its own: started, watched and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class NodeProcess:
    """A `clipseg_node` whose words go to a file; as a context it runs, and the file is kept if something goes wrong.

    Parameters
    ----------
    parameters : of the node, by name
    remappings : topics of the node, from -> to
    namespace : of the node and its topics
    log : the file; by default a temporary one
    environment : what the process gets beside its surroundings
    """

    def __init__(self, parameters: Mapping[str, Any], *, remappings: Mapping[str, str] | None = None,
                 namespace: str = "/", log: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
        self._command = [sys.executable, "-m", "clipseg_ros.ros.node",
                         *ros_arguments(parameters, {"__ns": namespace, **(remappings or {})})]
        self._environment = {**os.environ, **(environment or {})}
        self.log_file = log or Path(tempfile.mkstemp(prefix="clipseg_node_", suffix=".log")[1])
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> NodeProcess:
        return self.start()

    def __exit__(self, kind: type | None, *_: object) -> None:
        self.stop()
        if kind is None:
            self.log_file.unlink(missing_ok=True)

    def start(self) -> NodeProcess:
        """Start the process and return at once."""
        with self.log_file.open("wb") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=subprocess.STDOUT,
                                             env=self._environment)
        return self

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process is no longer there."""
        return self._process is None or self._process.poll() is not None

    @property
    def log(self) -> str:
        """All that the node has said so far."""
        return self.log_file.read_text(errors="replace")

    @property
    def last_words(self) -> str:
        """The last complaint in the node's log, or its last line."""
        lines = [line for line in self.log.splitlines() if line.strip()]
        complaints = [line for line in lines if "[ERROR]" in line or "[FATAL]" in line or "Error:" in line]
        return (complaints or lines or ["it said nothing"])[-1].strip()

    def stop(self, request: signal.Signals = signal.SIGINT, *, patience: float = 20.0) -> int:
        """Ask the node to end, make it end after `patience` seconds, and return its exit status."""
        for step in (request, signal.SIGTERM, signal.SIGKILL):
            if self.ended:
                break
            self._process.send_signal(step)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        return self._process.wait()


def ros_arguments(parameters: Mapping[str, Any], remappings: Mapping[str, str]) -> Sequence[str]:
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
