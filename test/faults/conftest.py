# SPDX-License-Identifier: Apache-2.0
"""What the tests of faults have in common: a node with two cameras, and how long it took to recover."""
from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from ros_peers import Peer, TestedNode

from clipseg_ros.ros.middleware import VARIABLES

NAME = "/faults/clipseg"
PROFILE = Path(__file__).resolve().parents[2] / "config" / "fastdds.xml"
_RECOVERY = "recovered from "


@pytest.fixture(scope="session")
def faulty(peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestedNode]:
    """An active node that finds the wall which its cameras, front and rear, film.

    It has the Fast DDS profile that the launch file gives it. Without that, half a megabyte is all the room for what is
    on its way to all subscribers, and one that is stopped may cost the others their images.
    """
    from filming import EVERYTHING

    process = TestedNode(tmp_path_factory.mktemp("faulty") / "log", namespace="/faults", parameters={
        "cameras": "[front, rear]", "prompts": f"['{EVERYTHING}']"})
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.setenv(name, str(PROFILE))
        process.start()
    try:
        peer.wait_until_active(process, NAME)
        yield process
    finally:
        process.stop()


@pytest.fixture
def recovery(record_property: Callable) -> Callable[[str], AbstractContextManager]:
    """Times what lies between the end of a fault and the first right result; nobody is held to it."""
    @contextlib.contextmanager
    def timed(fault: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        record_property(_RECOVERY + fault, time.monotonic() - began)
    return timed


def pytest_terminal_summary(terminalreporter) -> None:
    """A line for each fault that a node recovered from."""
    lines = [f"{name}: {value:.2f} s" for report in terminalreporter.getreports("passed")
             for name, value in report.user_properties if report.when == "call" and name.startswith(_RECOVERY)]
    for line in lines:
        terminalreporter.write_line(line)
