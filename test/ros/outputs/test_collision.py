# SPDX-License-Identifier: Apache-2.0
"""With the messages of moveit_msgs where it is installed, and with stand-ins that have the same fields everywhere."""
from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from geometry_msgs.msg import Point, Pose, PoseWithCovariance, Vector3  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.msg import SegmentedObject, SegmentedObjectArray  # noqa: E402
from clipseg_ros.ros.outputs import collision  # noqa: E402

pytestmark = pytest.mark.ros

ADD, REMOVE, MOVE = b"\x00", b"\x01", b"\x03"


@dataclass
class SolidPrimitive:
    type: int
    dimensions: list
    BOX = 1


@dataclass
class CollisionObject:
    header: Header
    id: str
    operation: bytes
    pose: Pose = field(default_factory=Pose)
    primitives: list = field(default_factory=list)
    primitive_poses: list = field(default_factory=list)
    ADD, REMOVE, MOVE = ADD, REMOVE, MOVE


@pytest.fixture(params=["moveit_msgs", "stand-ins"], autouse=True)
def messages(request, monkeypatch) -> None:
    if request.param == "moveit_msgs":
        pytest.importorskip("moveit_msgs.msg")
    else:
        for name, stand_in in (("CollisionObject", CollisionObject), ("SolidPrimitive", SolidPrimitive), ("Pose", Pose)):
            monkeypatch.setattr(collision, name, stand_in, raising=False)


def frame(*objects: SegmentedObject, remembered: tuple[int, ...] = ()) -> SimpleNamespace:
    array = SegmentedObjectArray(header=Header(frame_id="camera"), pose_frame_id="map", objects=list(objects))
    return SimpleNamespace(array=array, remembers=remembered.__contains__)


def mug(x: float = 0.0, *, size: float = 0.1, track_id: int = 7, has_pose: bool = True) -> SegmentedObject:
    return SegmentedObject(prompt="mug", track_id=track_id, has_pose=has_pose, extent=Vector3(x=size, y=0.08, z=0.0),
                           pose=PoseWithCovariance(pose=Pose(position=Point(x=x))))


def told(boxes: collision.CollisionObjects, *frames) -> list[list[tuple]]:
    return [[(one.operation, one.id, round(one.pose.position.x, 3),
              [list(box.dimensions) for box in one.primitives]) for one in boxes(each)] for each in frames]


def test_a_box_is_added_moved_made_anew_and_removed():
    assert told(collision.CollisionObjects(), frame(mug()), frame(mug(0.5)), frame(mug(0.5, size=0.2)),
                frame(remembered=(7,)), frame(), frame()) == [
        [(ADD, "mug 7", 0.0, [[0.1, 0.08, 0.01]])], [(MOVE, "mug 7", 0.5, [])],
        [(ADD, "mug 7", 0.5, [[0.2, 0.08, 0.01]])], [], [(REMOVE, "mug 7", 0.0, [])], []]


def test_a_box_is_told_in_the_frame_of_the_poses_and_stands_on_its_own_axes():
    box, = collision.CollisionObjects()(frame(mug()))
    assert box.header.frame_id == "map"
    assert (box.primitives[0].type, box.primitive_poses) == (1, [Pose()])


def test_what_has_no_pose_is_not_told():
    assert told(collision.CollisionObjects(), frame(mug(has_pose=False))) == [[]]


def test_without_numbers_an_object_is_its_place_in_the_list():
    first, second = mug(0.1, track_id=0), mug(0.2, track_id=0)
    assert told(collision.CollisionObjects(), frame(first, second), frame(first)) == [
        [(ADD, "mug 1", 0.1, [[0.1, 0.08, 0.01]]), (ADD, "mug 2", 0.2, [[0.1, 0.08, 0.01]])],
        [(REMOVE, "mug 2", 0.0, []), (MOVE, "mug 1", 0.1, [])]]


def test_the_stand_ins_have_fields_of_the_real_messages():
    real = pytest.importorskip("moveit_msgs.msg").CollisionObject
    assert set(CollisionObject.__dataclass_fields__) <= set(real.get_fields_and_field_types())
    assert (real.ADD, real.REMOVE, real.MOVE) == (ADD, REMOVE, MOVE)
