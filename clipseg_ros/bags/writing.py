# SPDX-License-Identifier: Apache-2.0
"""MCAP files that are whole at any moment, also when whoever writes them is killed."""
from __future__ import annotations

import copy
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from mcap.writer import CompressionType, Writer

import clipseg_ros
from clipseg_ros.bags.types import ros2
from clipseg_ros.clipseg.whole_files import put

SETTLED_EVERY = 1.0
"""Seconds between two moments at which the file is made whole; more where that takes long, of a large file."""
_SHARE = 0.02
"""Of the time that making the file whole may take."""

_CHUNK = 4 << 20


class ResultWriter:
    """A recording of ROS 2 messages in one MCAP file.

    Parameters
    ----------
    path : of the file, which is replaced

    Raises
    ------
    OSError
        If it cannot be written. What was settled before can be read all the same.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._file = path.open("wb", buffering=0)
        self._stream = _Pending(self._file)
        self._writer = Writer(self._stream, chunk_size=_CHUNK, compression=CompressionType.LZ4)
        self._writer.start(profile="ros2", library=f"clipseg_ros {clipseg_ros.__version__}")
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self.settle()

    def close(self) -> None:
        """Write what is left and close the file."""
        self.settle()
        self._file.close()

    def write(self, topic: str, kind: str, message: Any, received: int) -> None:
        """Add a message of the type `kind`, as arrived at `received` nanoseconds."""
        if topic not in self._channels:
            # Without a QoS, which every version of rosbag2 spells otherwise, players offer their default: reliable.
            self._channels[topic] = self._writer.register_channel(
                topic, "cdr", self._schema(kind), {"topic_type_hash": ros2().hash_rihs01(kind)})
        self._writer.add_message(self._channels[topic], received, ros2().serialize_cdr(message, kind), received)
        if self._clock() >= self._next:
            self.settle()

    def settle(self) -> None:
        """Make the file whole: all that was added, and the index behind it."""
        start = self._clock()
        self._writer.flush()
        # The index is that of a writer that ends here; the next messages take its place.
        ending = copy.deepcopy(self._writer, {id(self._stream): (tail := self._stream.tail())})
        ending.finish()
        self._stream.commit(tail.written())
        end = self._clock()
        self._next = end + max(SETTLED_EVERY, (end - start) / _SHARE)

    def _schema(self, kind: str) -> int:
        if kind not in self._schemas:
            definition, _ = ros2().generate_msgdef(kind, ros_version=2)
            self._schemas[kind] = self._writer.register_schema(kind, "ros2msg", definition.encode())
        return self._schemas[kind]


class _Pending(io.BytesIO):
    """The bytes that are not in the file yet, at their place in the whole file."""

    def __init__(self, file: BinaryIO | None, start: int = 0) -> None:
        super().__init__()
        self._file, self._start = file, start
        self._tail = b""

    def tell(self) -> int:
        """Place in the whole file."""
        return self._start + super().tell()

    def tail(self) -> _Pending:
        """What comes behind these bytes, to be written apart from them."""
        return _Pending(None, self.tell())

    def written(self) -> bytes:
        """The bytes."""
        return self.getvalue()

    def commit(self, tail: bytes) -> None:
        """Write the bytes, and `tail`, over which the next ones go."""
        data = self.getvalue()
        try:
            self._put(data + tail)
        except OSError:
            self._put(self._tail)  # there is room for what was there
            raise
        self._start, self._tail = self._start + len(data), tail
        self.seek(0)
        self.truncate()

    def _put(self, data: bytes) -> None:
        self._file.seek(self._start)
        put(self._file, data)
        self._file.truncate()
