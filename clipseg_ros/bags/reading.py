# SPDX-License-Identifier: Apache-2.0
"""Recordings of ROS 1 (.bag) and ROS 2 (.mcap, .db3), a file or a folder of several, whole or damaged."""
from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol

from rosbags.rosbag1 import Reader as Reader1
from rosbags.rosbag2 import Reader as Reader2

from clipseg_ros.bags import types
from clipseg_ros.bags.salvage import SALVAGED, Salvaged
from clipseg_ros.bags.stored import Stored, Topic

SUFFIXES = tuple(SALVAGED)
"""Endings of the files that are recordings."""


class Record(NamedTuple):
    """A message of a recording, as it lies there.

    received : nanoseconds since the epoch at which it was recorded
    """

    topic: str
    received: int
    stored: Stored

    def message(self) -> Any:
        """The message, with the fields that it has in ROS 2. ValueError where its data is damaged."""
        kind, data = self.stored.kind, self.stored.data
        try:
            if self.stored.encoding == "cdr":
                return types.ros2().deserialize_cdr(data, kind)
            return _as_in_ros2(types.ros1().deserialize_ros1(data, kind), kind)
        except Exception as error:  # foreign code, which checks little of damaged data
            raise ValueError(f"a message on {self.topic} cannot be read ({one_line(error)})") from None


class Part(Protocol):
    """A file of a recording, or a folder of files with an index.

    name : for sentences
    topics : with the number of their messages
    span : nanoseconds of the first message and behind the last one; None without any
    """

    name: str
    topics: tuple[Topic, ...]
    span: tuple[int, int] | None

    def records(self, topics: Collection[str], start: int | None, stop: int | None) -> Iterator[Stored]:
        """The messages of these topics in [start, stop), in the order of their times."""


class Bag:
    """A recording.

    Parameters
    ----------
    path : a file with one of `SUFFIXES`, or a folder of such files
    warn : told, in a sentence, what is damaged; the rest is read

    Attributes
    ----------
    topics : by name, with their types and numbers of messages
    start, end : nanoseconds of the first message and behind the last one

    Raises
    ------
    FileNotFoundError
        If there is nothing.
    ValueError
        If it is no recording, or nothing of it can be read.
    """

    def __init__(self, path: Path, *, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._open = ExitStack()
        self._parts = self._parts_of(path)
        self.topics: dict[str, Topic] = {}
        for topic in (topic for part in self._parts for topic in part.topics):
            before = self.topics.get(topic.name)
            self.topics[topic.name] = topic if before is None else before._replace(count=before.count + topic.count)
        spans = [part.span for part in self._parts if part.span is not None]
        if not spans:
            self.close()
            raise ValueError(f"{path} holds no message")
        self.start, self.end = min(start for start, _ in spans), max(end for _, end in spans)

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._open.close()

    def records(self, topics: Collection[str], *, start: int | None = None, stop: int | None = None
                ) -> Iterator[Record]:
        """The messages of these topics received in [start, stop) nanoseconds, in the order in which they were."""
        parts = [self._guarded(part, set(topics), start, stop) for part in self._parts]
        for stored in heapq.merge(*parts, key=lambda stored: stored.received):
            yield Record(stored.topic, stored.received, stored)

    def first(self, topic: str) -> Any | None:
        """The topic's first message that can be read; None where there is none."""
        for record in self.records([topic]):
            try:
                return record.message()
            except ValueError:
                continue
        return None

    def _guarded(self, part: Part, topics: Collection[str], start: int | None, stop: int | None) -> Iterator[Stored]:
        try:
            yield from part.records(topics, start, stop)
        except Exception as error:  # foreign code, which checks little of damaged files
            self._warn(f"{part.name} is damaged ({one_line(error)}); what is before that is used")

    def _parts_of(self, path: Path) -> list[Part]:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist")
        if path.is_dir():
            return self._parts_of_folder(path)
        if path.suffix not in SUFFIXES:
            raise ValueError(f"{path} is no recording; it must end in {', '.join(SUFFIXES)}, or be a folder of such "
                             "files")
        return [self._part(path)]

    def _parts_of_folder(self, folder: Path) -> list[Part]:
        """As the folder's index says; without one, or where a file is damaged, each file by itself."""
        if (folder / "metadata.yaml").is_file():
            try:
                return [_Indexed(folder, self._open)]
            except Exception as error:  # foreign code, which checks little of damaged files
                self._warn(f"{folder} cannot be read as a whole ({one_line(error)}); its files are read one by one")
        files = sorted((file for file in folder.iterdir() if file.suffix in SUFFIXES), key=_natural)
        if not files:
            raise ValueError(f"the folder {folder} holds no recording ({', '.join(SUFFIXES)})")
        parts = []
        for file in files:
            try:
                parts.append(self._part(file))
            except ValueError as error:
                self._warn(str(error))
        if not parts:
            raise ValueError(f"no file of the folder {folder} can be read")
        return parts

    def _part(self, file: Path) -> Part:
        try:
            return _Indexed(file, self._open)
        except PermissionError:
            raise
        except Exception as error:  # foreign code, which checks little of damaged files
            reason = one_line(error)
        part = Salvaged(file)
        if part.fault and not part.topics:
            raise ValueError(f"{file} cannot be read as a recording ({reason}; {one_line(part.fault)})")
        if part.fault:
            self._warn(f"{file} is cut off or damaged ({one_line(part.fault)}); the {part.count} messages before that "
                       "are used")
        return part


class _Indexed:
    """A file, or a folder with an index, that rosbags can open."""

    def __init__(self, path: Path, opened: ExitStack) -> None:
        self.name = str(path)
        self._reader = Reader1(path) if path.suffix == ".bag" else Reader2(path)
        self._encoding = "ros1" if path.suffix == ".bag" else "cdr"
        opened.enter_context(self._reader)
        counts: dict[tuple[str, str], int] = {}
        for one in self._reader.connections:
            counts[one.topic, one.msgtype] = counts.get((one.topic, one.msgtype), 0) + one.msgcount
        self.topics = tuple(Topic(name, kind, count) for (name, kind), count in counts.items())
        empty = self._reader.end_time <= self._reader.start_time
        self.span = None if empty else (self._reader.start_time, self._reader.end_time)

    def records(self, topics: Collection[str], start: int | None, stop: int | None) -> Iterator[Stored]:
        wanted = [one for one in self._reader.connections if one.topic in topics]
        if not wanted:  # none would stand for all
            return
        for one, received, data in self._reader.messages(wanted, start, stop):
            yield Stored(one.topic, one.msgtype, received, data, self._encoding)


def one_line(error: Exception) -> str:
    """What went wrong, on one short line."""
    return " ".join(str(error).split()).rstrip(".")[:200] or type(error).__name__


def _natural(file: Path) -> list[str | int]:
    """Sorts bag_2 before bag_10."""
    return [int(word) if word.isdigit() else word for word in re.split(r"(\d+)", file.name)]


def _as_in_ros2(message: Any, kind: str) -> Any:
    """A message of ROS 1; its CameraInfo has other names."""
    if kind != types.INFO:
        return message
    names = ("header", "width", "height", "distortion_model", "binning_x", "binning_y", "roi")
    return SimpleNamespace(**{name: getattr(message, name) for name in names}, d=message.D, k=message.K, r=message.R,
                           p=message.P)
