# SPDX-License-Identifier: Apache-2.0
"""Subscribers and publishers that come and go; benchmarks/crowd.py lets 10,000 do so."""
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from crowd import Crowd  # noqa: E402
from footprint import Footprint  # noqa: E402

pytestmark = pytest.mark.ros

COMERS = 300


def test_every_picture_has_its_result_and_nothing_is_left_of_those_who_went(peer, faulty, recovery):
    crowd = Crowd(peer, inputs="/faults/front", outputs="/faults/clipseg/front", node="/faults/clipseg")
    crowd.film()
    before = Footprint.of(faulty.pid)
    while sum(crowd.came.values()) < COMERS:
        crowd.step()
    crowd.leave()
    with recovery("comings and goings"):
        crowd.film()
    peer.wait(lambda: Footprint.of(faulty.pid).descriptors <= before.descriptors, "the descriptors to be closed")
    assert not crowd.faults and not faulty.ended
    assert Footprint.of(faulty.pid).threads <= before.threads
    crowd.close()
