# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from builtin_interfaces.msg import Time  # noqa: E402
from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.messages.headers import seconds  # noqa: E402
from clipseg_ros.ros.memory.messages import to_time  # noqa: E402

pytestmark = pytest.mark.ros


@pytest.mark.parametrize(("sent", "told"), [
    ((12, 345_678_000), (12, 345_678_000)),
    ((-1, 500_000_000), (-1, 500_000_000)),
    ((-2**31, 0), (-2**31, 0)),
    ((2**31 - 1, 999_999_999), (2**31 - 1, 999_999_000)),
    ((2**31 - 1, 2**32 - 1), (2**31 - 1, 999_999_000)),
])
def test_every_stamp_that_can_be_sent_can_be_told(sent, told):
    stamp = to_time(seconds(Header(stamp=Time(sec=sent[0], nanosec=sent[1]))))
    assert deserialize_message(serialize_message(stamp), Time) == Time(sec=told[0], nanosec=told[1])
