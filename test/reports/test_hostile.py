# SPDX-License-Identifier: Apache-2.0
"""A few hundred of the hostile messages and requests of benchmarks/hostile.py: nothing breaks, nothing good is lost."""
from __future__ import annotations

import contextlib

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from attack import MEMORY, Attack  # noqa: E402

pytestmark = pytest.mark.ros

STEPS, CYCLES = 60, 2


@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_hostile_messages_and_requests_break_nothing_and_lose_nothing(peer, start_node, transport):
    process = start_node(namespace="/hostile", parameters={"image_transport": transport, "depth_transport": transport,
                                                           **MEMORY})
    with contextlib.closing(Attack(peer, process, name="/hostile/clipseg", seed=0,
                                   compressed=transport == "compressed")) as attack:
        attack.begin()
        for number in range(STEPS):
            attack.step(number)
        for number in range(CYCLES):
            attack.cycle(number)
        assert attack.faults() == dict.fromkeys(attack.faults(), [])
        assert sum(attack.sent.values()) > 2 * STEPS
    assert process.stop() == 0
