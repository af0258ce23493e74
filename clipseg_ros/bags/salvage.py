# SPDX-License-Identifier: Apache-2.0
"""What is left in files without an index or an end: those of recorders that were killed, of full disks, cut copies.

They are read from their beginning as far as that goes.
"""
from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.rosbag1.reader import Header, RecordType, decompressors, normalize, read_bytes, read_uint32
from rosbags.typesys.msg import normalize_msgtype

from clipseg_ros.bags.stored import Stored, Topic

_ENCODINGS = ("cdr", "ros1")


class Salvaged:
    """A file, read through once to learn what is in it.

    Attributes
    ----------
    topics, span, name : as `reading.Part`
    count : how many messages there are
    fault : what ended the reading; None where the file's end did
    """

    def __init__(self, file: Path) -> None:
        self.name = str(file)
        self._file = file
        self.fault: Exception | None = None
        self.span: tuple[int, int] | None = None
        counts: Counter[tuple[str, str]] = Counter()
        try:
            for one in SALVAGED[file.suffix](file):
                counts[one.topic, one.kind] += 1
                first, end = self.span or (one.received, 0)
                self.span = min(first, one.received), max(end, one.received + 1)
        except Exception as error:  # foreign code, which checks little of damaged files
            self.fault = error
        self.topics = tuple(Topic(name, kind, count) for (name, kind), count in counts.items())
        self.count = counts.total()

    def records(self, topics: Collection[str], start: int | None, stop: int | None) -> Iterator[Stored]:
        """As `reading.Part`, in the order of the file."""
        left = self.count  # the fault behind them was told already
        for one in SALVAGED[self._file.suffix](self._file) if left else ():
            if one.topic in topics and (start is None or start <= one.received) and (stop is None
                                                                                    or one.received < stop):
                yield one
            left -= 1
            if not left:
                return


def _of_mcap(file: Path) -> Iterator[Stored]:
    schemas: dict[int, str] = {}
    channels: dict[int, Channel] = {}
    with file.open("rb") as stream:
        for record in StreamReader(stream, validate_crcs=True).records:
            if isinstance(record, Schema):
                schemas[record.id] = normalize_msgtype(record.name)
            elif isinstance(record, Channel):
                channels[record.id] = record
            elif isinstance(record, Message):
                channel = channels[record.channel_id]
                if channel.message_encoding in _ENCODINGS:
                    yield Stored(channel.topic, schemas.get(channel.schema_id, ""), record.log_time, record.data,
                                 channel.message_encoding)


def _of_database(file: Path) -> Iterator[Stored]:
    """In the order of recording. A name that says what SQLite is to do with the file is escaped."""
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?immutable=1", uri=True)) as database:
        # SQLite refuses a file that is shorter than it says, unless it is told that it is being repaired.
        database.execute("PRAGMA writable_schema = ON")
        topics = {key: (name, kind) for key, name, kind, encoding
                  in database.execute("SELECT id, name, type, serialization_format FROM topics") if encoding == "cdr"}
        for key, received, data in database.execute("SELECT topic_id, timestamp, data FROM messages"):
            if key in topics:
                yield Stored(*topics[key], received, data, "cdr")


def _of_bag(file: Path) -> Iterator[Stored]:
    """Chunk by chunk; each holds the connections whose first message it has."""
    with file.open("rb") as stream:
        if stream.readline() != b"#ROSBAG V2.0\n":
            raise ValueError("it does not begin as a bag of version 2.0 does")
        size = file.stat().st_size
        topics: dict[int, tuple[str, str]] = {}
        while stream.tell() < size:
            header = Header.read(stream)
            data = read_bytes(stream, read_uint32(stream))
            if header.get_uint8("op") == RecordType.CHUNK:
                yield from _of_chunk(BytesIO(decompressors[header.get_string("compression")](data)), topics)


def _of_chunk(stream: BinaryIO, topics: dict[int, tuple[str, str]]) -> Iterator[Stored]:
    while stream.read(1):
        stream.seek(-1, 1)
        header = Header.read(stream)
        data = read_bytes(stream, read_uint32(stream))
        kind, connection = header.get_uint8("op"), header.get_uint32("conn")
        if kind == RecordType.CONNECTION:
            about = Header.read(BytesIO(len(data).to_bytes(4, "little") + data))
            topics[connection] = normalize(header.get_string("topic")), normalize_msgtype(about.get_string("type"))
        elif kind == RecordType.MSGDATA:
            yield Stored(*topics[connection], header.get_time("time"), data, "ros1")


SALVAGED = {".mcap": _of_mcap, ".db3": _of_database, ".bag": _of_bag}
"""By the files' endings, how the messages of their undamaged part are read."""
