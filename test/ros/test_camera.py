# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from clipseg_ros.ros.camera import NO_RESULT, Tally  # noqa: E402

pytestmark = pytest.mark.ros


@pytest.fixture
def clocked():
    """A tally and the one number of its clock."""
    now = [100.0]
    return Tally(clock=lambda: now[0]), now


def test_a_fault_is_told_at_once_and_an_error_once_it_lasts(clocked):
    tally, now = clocked
    assert tally.trouble == ("", False)
    tally.took()
    tally.fail("the image has the encoding 'rgb7'")
    assert tally.trouble == ("the image has the encoding 'rgb7'", False)
    now[0] += NO_RESULT
    tally.took()
    tally.fail("the network broke")
    assert tally.trouble == (f"no result for {NO_RESULT:.0f} s: the network broke", True)
    assert (tally.published, tally.failed) == (0, 2)


def test_a_result_ends_the_trouble(clocked):
    tally, now = clocked
    tally.took()
    tally.fail("bad luck")
    tally.took()
    tally.publish(age=0.2, network=0.1)
    now[0] += 2 * NO_RESULT
    assert tally.trouble == ("", False), "no frame was taken since"
    assert (tally.published, tally.failed) == (1, 1)
    assert (list(tally.ages), list(tally.network)) == ([0.2], [0.1])


def test_a_network_that_does_not_come_back_is_told(clocked):
    tally, now = clocked
    tally.took()
    now[0] += NO_RESULT - 1
    assert tally.trouble == ("", False)
    now[0] += 8
    assert tally.trouble == ("the network has been at work on one frame for 12 s", False)
