# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading

import pytest

from clipseg_ros.ros.depth_buffer import KEPT, DepthBuffer, Unmatched


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


def test_one_that_is_on_its_way_is_waited_for():
    buffer = filled(1.0)
    looking = threading.Event()

    class Late(float):
        """A stamp that tells when it is compared, which `nearest` does before it waits."""

        def __sub__(self, other):
            looking.set()
            return float(self) - other

    def deliver():
        looking.wait(10)
        buffer.add(1.1, "late")

    thread = threading.Thread(target=deliver)
    thread.start()
    try:
        found = [buffer.nearest(Late(1.1), 0.2) for _ in range(100)][-1]
    finally:
        thread.join()
    assert found == "late"


def test_it_keeps_a_bounded_number():
    assert len(filled(*range(KEPT + 5))) == KEPT
