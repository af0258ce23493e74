# SPDX-License-Identifier: Apache-2.0
"""What is written of a search: a recording with the node's topics, a video, a table of objects."""
from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import cv2

from clipseg_ros.bags.search import Result
from clipseg_ros.bags.types import IMAGE, OBJECTS, POSES, to_header, to_image, written
from clipseg_ros.bags.writing import ResultWriter
from clipseg_ros.clipseg.prompts import ActivePrompts
from clipseg_ros.clipseg.whole_files import append
from clipseg_ros.messages.objects import to_array, to_object, to_pose_array

PREFIX = "/clipseg/"
"""In front of the topics' names, as the node has them."""

COLUMNS = ("stamp", "prompt", "track_id", "score", "area", "x_offset", "y_offset", "width", "height", "centroid_u",
           "centroid_v", "frame_id", "x", "y", "z")
"""Of the table: seconds, 0 to 1, pixels, and metres in the frame; empty where they are unknown."""


class Output(Protocol):
    """A file that grows with every result, and is whole whenever it is closed."""

    def add(self, result: Result) -> None:
        """Write what was found at one moment."""

    def close(self) -> None:
        """End the file."""


class Recording:
    """An MCAP file with the topics mask, objects, poses and overlay of the node, to be played beside the searched one.

    Parameters
    ----------
    target_frame : of the poses; empty for the pictures' own
    overlay : whether it has that topic, which are most of its bytes
    """

    def __init__(self, path: Path, active: ActivePrompts, *, target_frame: str, overlay: bool = True) -> None:
        self._active, self._target_frame, self._overlay = active, target_frame, overlay
        self._writer = ResultWriter(path)

    def add(self, result: Result) -> None:
        """Write the messages of one picture, with its stamp."""
        findings, header = result.findings, to_header(result.moment.header)
        objects = [to_object(written(), one, to_image(one.region.mask, "mono8", header)) for one in findings.objects]
        array = to_array(written(), header, pose_frame_id=self._target_frame or header.frame_id,
                         prompts=self._active.texts, thresholds=self._active.thresholds, scores=findings.scores,
                         objects=objects)
        received = result.moment.received
        self._writer.write(f"{PREFIX}mask", IMAGE, to_image(findings.maps.mask, "mono8", header), received)
        self._writer.write(f"{PREFIX}objects", OBJECTS, array, received)
        self._writer.write(f"{PREFIX}poses", POSES, to_pose_array(written(), array), received)
        if self._overlay:
            self._writer.write(f"{PREFIX}overlay", IMAGE, to_image(findings.overlay, "rgb8", header), received)

    def close(self) -> None:
        """Write the index."""
        self._writer.close()


class Table:
    """A CSV file with a row for each object of each picture, with `COLUMNS`."""

    def __init__(self, path: Path, *, target_frame: str) -> None:
        self._target_frame = target_frame
        self._file = path.open("wb", buffering=0)
        self._append([COLUMNS])

    def add(self, result: Result) -> None:
        """Write the rows of one picture."""
        header = result.moment.header
        stamp = f"{header.stamp.sec}.{header.stamp.nanosec:09d}"
        frame = self._target_frame or header.frame_id
        rows = []
        for one in result.findings.objects:
            place = ["", "", ""] if one.pose is None else [f"{value:.4f}" for value in one.pose.position]
            rows.append([
                stamp, one.prompt, one.track_id, f"{one.region.score:.4f}", one.region.area, *one.region.roi,
                *(f"{value:.2f}" for value in one.location.pixel), frame, *place])
        self._append(rows)

    def _append(self, rows: Iterable[Sequence]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        append(self._file, text.getvalue().encode())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Video:
    """An MP4 or Matroska file of the overlays, at the pace of the stamps of the first pictures.

    MP4 has its index at the end, so that a killed run leaves nothing that can be played; Matroska has it throughout.
    Pictures of another size than the first one's are brought to it.
    """

    _PACED = 8
    """Pictures of which the pace is taken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: list[Result] = []
        self._size: tuple[int, int] | None = None
        self._writer: cv2.VideoWriter | None = None
        self._written = 0

    def add(self, result: Result) -> None:
        """Add a picture."""
        if self._writer is not None:
            self._write(result)
            return
        self._held.append(result)
        if len(self._held) == self._PACED:
            self._begin()

    def close(self) -> None:
        """End the file; none is written without a picture. OSError where it does not hold all of them."""
        if self._writer is None and self._held:
            self._begin()
        if self._writer is not None:
            self._writer.release()
            # OpenCV itself says nothing of a full disk.
            if cv2.VideoCapture(str(self._path)).get(cv2.CAP_PROP_FRAME_COUNT) < self._written:
                raise OSError(f"the video {self._path} does not hold all {self._written} pictures; the disk may be "
                              "full")

    def _begin(self) -> None:
        height, width = self._held[0].findings.rgb.shape[:2]
        self._size = width - width % 2, height - height % 2  # MPEG-4 has no odd ones
        self._writer = cv2.VideoWriter(str(self._path), cv2.VideoWriter_fourcc(*"mp4v"),
                                       _pace([one.moment.seconds for one in self._held]), self._size)
        if not self._writer.isOpened():
            raise OSError(f"the video {self._path} cannot be written; its folder must be writable, and OpenCV must be "
                          "able to write MPEG-4")
        for one in self._held:
            self._write(one)
        self._held.clear()

    def _write(self, result: Result) -> None:
        picture = cv2.cvtColor(result.findings.overlay, cv2.COLOR_RGB2BGR)
        width, height = self._size
        self._written += 1
        same = picture.shape[0] - height in (0, 1) and picture.shape[1] - width in (0, 1)
        self._writer.write(picture[:height, :width] if same else cv2.resize(picture, self._size))


def _pace(stamps: Sequence[float]) -> float:
    """Pictures a second, 1 to 120; 10 where the stamps do not tell."""
    steps = sorted(after - before for before, after in zip(stamps, stamps[1:]) if after > before)
    return min(max(1 / steps[len(steps) // 2], 1.0), 120.0) if steps else 10.0
