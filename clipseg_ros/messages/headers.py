# SPDX-License-Identifier: Apache-2.0
"""What the header of a message says."""
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from std_msgs.msg import Header


def seconds(header: Header) -> float:
    """The stamp in seconds."""
    return header.stamp.sec + header.stamp.nanosec * 1e-9
