# SPDX-License-Identifier: Apache-2.0
"""The objects as boxes of MoveIt's planning scene; with moveit_msgs, which is optional."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clipseg_ros.msg import SegmentedObject
from clipseg_ros.ros.outputs.poses import pose_header

if TYPE_CHECKING:
    from clipseg_ros.ros.seen import Seen

try:
    from geometry_msgs.msg import Pose
    from moveit_msgs.msg import CollisionObject
    from shape_msgs.msg import SolidPrimitive
except ImportError:
    CollisionObject = None

THINNEST = 0.01
"""Metres that a box measures at least along each axis; a plane is no solid."""
GROWN = 0.02
"""Metres by which an extent may differ from the one that was told before the box is made anew."""


def available() -> bool:
    """Whether moveit_msgs is installed."""
    return CollisionObject is not None


class CollisionObjects:
    """One camera's boxes: an object's is added when it is first seen with a pose, moved while it keeps its size, and
    removed when it has lost its number (without tracking: when it is not seen).

    A box lies around the visible surface as in ~/detections_3d. Its id is the prompt and the track_id.
    """

    def __init__(self) -> None:
        self._sizes: dict[str, tuple[int, np.ndarray]] = {}

    def __call__(self, seen: Seen) -> list[CollisionObject]:
        """The messages that bring the planning scene up to this frame."""
        array, header = seen.array, pose_header(seen.array)
        located = {_id(one, place): one for place, one in enumerate(array.objects, 1) if one.has_pose}
        gone = [name for name, (number, _) in self._sizes.items() if name not in located and not seen.remembers(number)]
        for name in gone:
            del self._sizes[name]
        removed = [CollisionObject(header=header, id=name, operation=CollisionObject.REMOVE) for name in gone]
        return removed + [self._told(name, one, header) for name, one in located.items()]

    def _told(self, name: str, one: SegmentedObject, header) -> CollisionObject:
        size = np.maximum([one.extent.x, one.extent.y, one.extent.z], THINNEST)
        known = self._sizes.get(name)
        if known is not None and (np.abs(size - known[1]) <= GROWN).all():
            return CollisionObject(header=header, id=name, pose=one.pose.pose, operation=CollisionObject.MOVE)
        self._sizes[name] = one.track_id, size
        box = SolidPrimitive(type=SolidPrimitive.BOX, dimensions=size.tolist())
        return CollisionObject(header=header, id=name, pose=one.pose.pose, operation=CollisionObject.ADD,
                               primitives=[box], primitive_poses=[Pose()])


def _id(one: SegmentedObject, place: int) -> str:
    return f"{one.prompt} {one.track_id or place}"
