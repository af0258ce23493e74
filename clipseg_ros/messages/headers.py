# SPDX-License-Identifier: Apache-2.0
"""What the header of a message says."""
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from std_msgs.msg import Header


def seconds(header: Header) -> float:
    """The stamp in seconds."""
    return header.stamp.sec + header.stamp.nanosec * 1e-9


def same_frame(one: Header, other: Header) -> bool:
    """Whether two headers name one frame, or at least one of them names none; a slash in front is ROS 1's."""
    return len({header.frame_id.lstrip("/") for header in (one, other)} - {""}) < 2
