# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading

import pytest

from clipseg_ros.ros.inputs import depth_buffer
from clipseg_ros.ros.inputs.depth_buffer import KEPT, DepthBuffer, Unmatched


def filled(*stamps: float) -> DepthBuffer:
    buffer = DepthBuffer()
    for stamp in stamps:
        buffer.add(stamp, f"at {stamp}")
    return buffer


@pytest.mark.parametrize(("stamps", "wanted", "found"), [
    ((1.0, 1.1, 1.2), 1.1, 1.1),
    ((1.0, 1.1, 1.2), 1.14, 1.1),
    ((1.2, 1.1, 1.0), 1.16, 1.2),
    ((1.0, 1.04), 1.08, 1.04),
])
def test_the_nearest_within_the_slop(stamps, wanted, found):
    assert filled(*stamps).nearest(wanted, 0.05) == f"at {found}"


@pytest.mark.parametrize(("stamps", "wanted", "kind", "says"), [
    ((), 1.0, ValueError, "no depth image has arrived"),
    ((1.0, 3.0), 1.4, Unmatched, r"image is of 1.400 s and the nearest depth image of 1.000 s: that is -0.400 s away"),
    ((9.0,), 1.0, Unmatched, r"\+8.000 s away, more than depth_slop \(0.05 s\)"),
])
def test_none_near_enough_is_a_sentence(stamps, wanted, kind, says):
    with pytest.raises(kind, match=says) as caught:
        filled(*stamps).nearest(wanted, 0.05)
    assert type(caught.value) is kind


@pytest.fixture
def patient(monkeypatch):
    """Waiting ends by what arrives, not by time."""
    monkeypatch.setattr(depth_buffer, "LONGEST_WAIT", 60.0)


class Late(float):
    """A stamp that tells when it is compared, which `nearest` does before it waits."""

    looking = threading.Event()

    def __sub__(self, other):
        self.looking.set()
        return float(self) - other


def test_one_that_is_on_its_way_is_waited_for(patient):
    buffer = filled(1.0)

    def deliver():
        Late.looking.wait(10)
        buffer.add(1.9, "late")

    thread = threading.Thread(target=deliver)
    thread.start()
    try:
        found = buffer.nearest(Late(1.9), 0.85)
    finally:
        thread.join()
    assert found == "late"


@pytest.mark.parametrize(("stamps", "wanted", "waits"), [
    ((1.0,), 1.04, False),              # within the slop, and nobody knows when the next one comes
    ((1.0, 1.1), 1.14, False),          # the next one is of 1.2, further away
    ((1.0, 1.1), 1.16, True),           # the next one is of 1.2, nearer
    ((1.0, 1.033), 1.034, False),       # stamped just before its image
    ((1.0, 1.033), 1.06, True),         # the image's own is late
    ((1.0, 1.1), 1.1, False),
    ((1.0, 1.2), 1.1, False),
    ((1.0,), 1.4, True),
    ((1.0,), 3.0, False),               # the depth camera is stalled
    ((), 1.0, False),
])
def test_it_waits_only_while_a_nearer_one_may_come(stamps, wanted, waits):
    assert filled(*stamps)._may_come_nearer(wanted, 0.05) == waits


@pytest.mark.parametrize(("stamps", "wanted", "found"), [
    ((5.0, 5.0, 5.0), 5.0, 2),                 # a camera whose stamps repeat, or say nothing
    ((0.0, 0.0, 0.0), 0.0, 2),
    ((7.0, 7.1, 7.2, 1.0), 1.02, 3),           # played again: what was before the jump is forgotten
    ((7.0, 7.1, 7.2, 7.1), 7.1, 3),            # a recording of less than a second
    ((7.0, 7.1, 7.05), 7.06, 2),               # out of order, but not anew
])
def test_the_newest_of_equals_and_nothing_from_before_a_jump(stamps, wanted, found):
    buffer = DepthBuffer()
    for index, stamp in enumerate(stamps):
        buffer.add(stamp, index)
    assert buffer.nearest(wanted, 0.05) == found


def test_after_a_jump_back_the_old_run_is_no_answer():
    buffer = filled(100.0, 100.1, 50.0)
    with pytest.raises(Unmatched, match="nearest depth image of 50.000 s"):
        buffer.nearest(100.1, 0.05)


def test_it_keeps_a_bounded_number():
    assert len(filled(*range(KEPT + 5))) == KEPT
