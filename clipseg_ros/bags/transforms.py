# SPDX-License-Identifier: Apache-2.0
"""Where frames were to one another at a time, by the transforms of a recording."""
from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from clipseg_ros.perception.transforms import Transform

KEPT = 30.0
"""Seconds of the past for which moving frames are known."""


class _Stamped(NamedTuple):
    nanoseconds: int
    transform: Transform


class TransformTree:
    """Takes tf2_msgs/TFMessage, and answers as tf2 does: between two stamps in a straight line and by the shortest
    turn, and beyond the first and the last one not at all.
    """

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}
        self._moving: dict[str, list[_Stamped]] = {}
        self._static: dict[str, Transform] = {}

    def add(self, message: Any, *, static: bool) -> None:
        """Learn a message's transforms; those with faulty numbers are left out, as tf2 does."""
        for one in message.transforms:
            child, parent = one.child_frame_id.lstrip("/"), one.header.frame_id.lstrip("/")
            shift, turn = one.transform.translation, one.transform.rotation
            try:
                transform = Transform.from_quaternion((shift.x, shift.y, shift.z), (turn.x, turn.y, turn.z, turn.w))
            except ValueError:
                continue
            if not child or not parent or child == parent:
                continue
            self._parents[child] = parent
            if static:
                self._static[child] = transform
            else:
                self._remember(child, _Stamped(one.header.stamp.sec * 10**9 + one.header.stamp.nanosec, transform))

    def look_up(self, target: str, source: str, nanoseconds: int) -> Transform:
        """From the frame `source` to the frame `target` at a stamp.

        Raises
        ------
        ValueError
            If one of the frames is unknown, they are not connected, or a transform between them is not known for then.
        """
        up, down = self._line(source), self._line(target)
        meeting = next((frame for frame in up if frame in down), None)
        if meeting is None:
            raise ValueError(self._why_apart(target, source))
        to_meeting = self._along(up[:up.index(meeting)], nanoseconds)
        return self._along(down[:down.index(meeting)], nanoseconds).inverse() @ to_meeting

    def _remember(self, child: str, one: _Stamped) -> None:
        known = self._moving.setdefault(child, [])
        if not known or one.nanoseconds > known[-1].nanoseconds:
            known.append(one)
        elif (place := bisect_left(known, one.nanoseconds, key=_stamp)) == len(known) or (
                known[place].nanoseconds != one.nanoseconds):
            insort(known, one, key=_stamp)
        oldest = known[-1].nanoseconds - int(KEPT * 1e9)
        if known[0].nanoseconds < oldest and known[len(known) // 2].nanoseconds < oldest:  # now and then
            del known[:bisect_left(known, oldest, key=_stamp)]

    def _line(self, frame: str) -> list[str]:
        """The frame and its ancestors."""
        line = [frame]
        while (parent := self._parents.get(line[-1])) is not None and parent not in line:
            line.append(parent)
        return line

    def _along(self, frames: Iterable[str], nanoseconds: int) -> Transform:
        """From the first of a line of frames to the parent of the last."""
        whole = Transform.identity()
        for frame in frames:
            whole = self._at(frame, nanoseconds) @ whole
        return whole

    def _at(self, child: str, nanoseconds: int) -> Transform:
        """From a frame to its parent."""
        if child in self._static:
            return self._static[child]
        known = self._moving[child]
        place = bisect_left(known, nanoseconds, key=_stamp)
        if place < len(known) and known[place].nanoseconds == nanoseconds:
            return known[place].transform
        if place in (0, len(known)):
            raise ValueError(f"{child} was to {self._parents[child]} from {known[0].nanoseconds * 1e-9:.3f} to "
                             f"{known[-1].nanoseconds * 1e-9:.3f} s, and the image is of {nanoseconds * 1e-9:.3f} s")
        return _between(known[place - 1], known[place], nanoseconds)

    def _why_apart(self, target: str, source: str) -> str:
        known = {*self._parents, *self._parents.values()}
        missing = [frame for frame in (target, source) if frame not in known]
        if not known:
            return "the recording has no transforms (/tf, /tf_static)"
        if missing:
            return f"the recording's transforms have no frame {missing[0]}; there are {', '.join(sorted(known)[:20])}"
        return f"the recording's transforms do not connect {source} with {target}"


def _stamp(one: _Stamped) -> int:
    return one.nanoseconds


def _between(before: _Stamped, after: _Stamped, nanoseconds: int) -> Transform:
    share = (nanoseconds - before.nanoseconds) / (after.nanoseconds - before.nanoseconds)
    turns = Rotation.from_quat([before.transform.rotation, after.transform.rotation])
    shift = (1 - share) * before.transform.translation + share * after.transform.translation
    return Transform.from_quaternion(shift, np.asarray(Slerp([0, 1], turns)(share).as_quat()))
