# SPDX-License-Identifier: Apache-2.0
"""Two cameras that publish on the topics of one."""
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from filming import Shot, filming  # noqa: E402

pytestmark = pytest.mark.ros

LEFT = Shot(frame="left_optical", metres=1.5)
RIGHT = Shot(frame="right_optical", metres=3.0, focal=80.0, size=(32, 24), encoding="mono8")


def test_each_result_is_of_its_own_image_and_the_log_says_what_is_wrong(peer, faulty, recovery):
    said = len(faulty.log)
    with filming(peer, "/faults/rear", "/faults/clipseg/rear", cameras=2) as film, \
            peer.listener(DiagnosticArray, "/diagnostics") as found:
        def state() -> str:
            states = [status.message for array in found for status in array.status if status.name.endswith(": rear")]
            return states[-1] if states else ""

        peer.repeat(lambda: [film.send(LEFT), film.send(RIGHT, camera=1)],
                    lambda: {one.header.frame_id for one in film.results} == {LEFT.frame, RIGHT.frame}
                    and "arrive in turns" in state() and "arrive in turns" in faulty.log[said:],
                    "a warning", period=0.15)
        assert not film.faults
        warning, = [line for line in faulty.log[said:].splitlines() if "arrive in turns" in line]
        assert "(left_optical: 64x48 rgb8 and right_optical: 32x24 mono8)" in warning
        with recovery("two cameras on one topic"):
            film.until(lambda one: one.has_pose, "a pose", shot=LEFT)
        film.until(lambda one: state() == "images arrive", "the end of the trouble", shot=LEFT)
        assert not film.faults
