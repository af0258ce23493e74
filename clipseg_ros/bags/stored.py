# SPDX-License-Identifier: Apache-2.0
"""What lies in recordings, whatever their format."""
from __future__ import annotations

from typing import NamedTuple


class Topic(NamedTuple):
    """name; kind: the type of its messages, such as sensor_msgs/msg/Image; count: how many there are."""

    name: str
    kind: str
    count: int


class Stored(NamedTuple):
    """The bytes of a message of the type `kind`, received at so many nanoseconds; encoding: "cdr" or "ros1"."""

    topic: str
    kind: str
    received: int
    data: bytes
    encoding: str
