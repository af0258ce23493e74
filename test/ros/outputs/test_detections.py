# SPDX-License-Identifier: Apache-2.0
"""With the messages of vision_msgs where it is installed, and with stand-ins that have the same fields everywhere."""
from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from builtin_interfaces.msg import Time  # noqa: E402
from geometry_msgs.msg import Point, Pose, PoseWithCovariance, Quaternion, Vector3  # noqa: E402
from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402
from sensor_msgs.msg import RegionOfInterest  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.msg import SegmentedObject, SegmentedObjectArray  # noqa: E402
from clipseg_ros.ros.outputs import detections  # noqa: E402

pytestmark = pytest.mark.ros

STAMP = Time(sec=12, nanosec=34)
NAN = math.nan


@dataclass
class Point2D:
    x: float
    y: float


@dataclass
class Pose2D:
    position: Point2D
    theta: float


@dataclass
class BoundingBox2D:
    center: Pose2D
    size_x: float
    size_y: float


@dataclass
class BoundingBox3D:
    center: Pose
    size: Vector3


@dataclass
class ObjectHypothesis:
    class_id: str
    score: float


@dataclass
class ObjectHypothesisWithPose:
    hypothesis: ObjectHypothesis
    pose: PoseWithCovariance


@dataclass
class Detection2D:
    header: Header
    bbox: BoundingBox2D
    id: str
    results: list = field(default_factory=list)


@dataclass
class Detection3D:
    header: Header
    bbox: BoundingBox3D
    id: str
    results: list = field(default_factory=list)


@dataclass
class Detection2DArray:
    header: Header
    detections: list


@dataclass
class Detection3DArray:
    header: Header
    detections: list


STAND_INS = (Point2D, Pose2D, BoundingBox2D, BoundingBox3D, ObjectHypothesis, ObjectHypothesisWithPose,
             Detection2D, Detection3D, Detection2DArray, Detection3DArray)


@pytest.fixture(params=["vision_msgs", "stand-ins"])
def sent(request, monkeypatch):
    """What a message is after it was sent; a stand-in cannot be and stays as it is."""
    if request.param == "vision_msgs":
        pytest.importorskip("vision_msgs.msg")
        return lambda message: deserialize_message(serialize_message(message), type(message))
    for stand_in in STAND_INS:
        monkeypatch.setattr(detections, stand_in.__name__, stand_in, raising=False)
    return lambda message: message


POSE = PoseWithCovariance(pose=Pose(position=Point(x=0.5, y=-0.25, z=1.5),
                                    orientation=Quaternion(x=1.0, y=0.0, z=0.0, w=0.0)),
                          covariance=[float(number) for number in range(36)])
NOWHERE = Pose(position=Point(x=NAN, y=NAN, z=NAN), orientation=Quaternion(x=NAN, y=NAN, z=NAN, w=NAN))


def message(frame: str = "camera", *, covered: bool = False) -> SegmentedObjectArray:
    """A mug with a pose and a chair without one; nothing if covered."""
    mug = SegmentedObject(prompt="mug", track_id=7, score=0.75, has_pose=True, pose=POSE,
                          roi=RegionOfInterest(x_offset=10, y_offset=20, width=4, height=7),
                          extent=Vector3(x=0.125, y=0.0625, z=0.0))
    chair = SegmentedObject(prompt="something to sit on", prompt_index=1, score=0.5,
                            roi=RegionOfInterest(x_offset=0, y_offset=0, width=1, height=1),
                            pose=PoseWithCovariance(pose=NOWHERE, covariance=[NAN] * 36),
                            extent=Vector3(x=NAN, y=NAN, z=NAN))
    return SegmentedObjectArray(header=Header(stamp=STAMP, frame_id="camera"), pose_frame_id=frame,
                                objects=[] if covered else [mug, chair])


def summary(detection) -> tuple:
    result, = detection.results
    return result.hypothesis.class_id, result.hypothesis.score, detection.id


def is_unknown(pose: PoseWithCovariance) -> bool:
    at, turn = pose.pose.position, pose.pose.orientation
    return all(map(math.isnan, [at.x, at.y, at.z, turn.x, turn.y, turn.z, turn.w, *pose.covariance]))


@pytest.mark.parametrize("frame", ["camera", "map"])
def test_in_the_image_every_object_is_listed(sent, frame):
    array = sent(detections.to_detections_2d(message(frame)))
    assert detections.available()
    assert all(one.header == Header(stamp=STAMP, frame_id="camera") for one in (array, *array.detections))
    assert [summary(one) for one in array.detections] == [("mug", 0.75, "7"), ("something to sit on", 0.5, "")]
    boxes = [one.bbox for one in array.detections]
    assert [(box.center.position.x, box.center.position.y, box.center.theta, box.size_x, box.size_y)
            for box in boxes] == [(12.0, 23.5, 0.0, 4.0, 7.0), (0.5, 0.5, 0.0, 1.0, 1.0)]


def test_in_the_image_only_a_pose_in_its_frame_is_told(sent):
    mug, chair = sent(detections.to_detections_2d(message("camera"))).detections
    assert mug.results[0].pose == POSE
    assert is_unknown(chair.results[0].pose)
    assert all(is_unknown(one.results[0].pose) for one in sent(detections.to_detections_2d(message("map"))).detections)


@pytest.mark.parametrize("frame", ["camera", "map"])
def test_in_space_those_with_a_pose_are_listed(sent, frame):
    array = sent(detections.to_detections_3d(message(frame)))
    mug, = array.detections
    assert array.header == mug.header == Header(stamp=STAMP, frame_id=frame)
    assert summary(mug) == ("mug", 0.75, "7")
    assert mug.results[0].pose == POSE
    assert (mug.bbox.center, mug.bbox.size) == (POSE.pose, Vector3(x=0.125, y=0.0625, z=0.0))


def test_nothing_found_is_told_too(sent):
    flat = sent(detections.to_detections_2d(message("map", covered=True)))
    deep = sent(detections.to_detections_3d(message("map", covered=True)))
    assert (list(flat.detections), flat.header.frame_id) == ([], "camera")
    assert (list(deep.detections), deep.header.frame_id) == ([], "map")


@pytest.mark.parametrize("make", [detections.to_detections_2d, detections.to_detections_3d])
def test_without_vision_msgs_it_says_so(make, monkeypatch):
    monkeypatch.setattr(detections, "Detection2DArray", None)
    assert not detections.available()
    with pytest.raises(ValueError, match="vision_msgs cannot be imported"):
        make(message())


def test_the_stand_ins_have_the_fields_of_the_real_messages():
    real = pytest.importorskip("vision_msgs.msg")
    for stand_in in STAND_INS:
        fields = set(getattr(real, stand_in.__name__).get_fields_and_field_types())
        assert set(stand_in.__dataclass_fields__) == fields, stand_in.__name__
