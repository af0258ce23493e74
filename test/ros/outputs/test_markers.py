# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from builtin_interfaces.msg import Time  # noqa: E402
from geometry_msgs.msg import Point, Pose, PoseWithCovariance, Quaternion, Vector3  # noqa: E402
from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
from visualization_msgs.msg import Marker, MarkerArray  # noqa: E402

from clipseg_ros.msg import SegmentedObject, SegmentedObjectArray  # noqa: E402
from clipseg_ros.perception.overlay import COLOURS  # noqa: E402
from clipseg_ros.ros.outputs.markers import to_markers  # noqa: E402

pytestmark = pytest.mark.ros

STAMP = Time(sec=12, nanosec=34)
NAN = math.nan
FACING = (1.0, 0.0, 0.0, 0.0)
"""x to the right, z towards the camera, so y upwards."""
TURNED = (math.sqrt(0.5), math.sqrt(0.5), 0.0, 0.0)
"""x downwards, z towards the camera, so y to the right."""


def mug(extent=(0.2, 0.1, 0.04), turn=FACING, **fields) -> SegmentedObject:
    """A metre in front of the camera."""
    pose = Pose(position=Point(x=0.5, y=0.25, z=1.0), orientation=Quaternion(**dict(zip("xyzw", turn))))
    return SegmentedObject(**{"prompt": "mug", "score": 0.75, "has_pose": True,
                              "pose": PoseWithCovariance(pose=pose), "bearing": Vector3(z=1.0),
                              "extent": Vector3(**dict(zip("xyz", extent))), **fields})


def seen(bearing=(0.6, 0.0, 0.8), **fields) -> SegmentedObject:
    """Without a pose."""
    nowhere = Pose(position=Point(x=NAN, y=NAN, z=NAN), orientation=Quaternion(x=NAN, y=NAN, z=NAN, w=NAN))
    return SegmentedObject(**{"prompt": "chair", "prompt_index": 1, "score": 0.5,
                              "pose": PoseWithCovariance(pose=nowhere), "extent": Vector3(x=NAN, y=NAN, z=NAN),
                              "bearing": Vector3(**dict(zip("xyz", bearing))), **fields})


def markers(*objects: SegmentedObject, frame: str = "camera") -> list[Marker]:
    """Without the first one, which deletes."""
    sent = to_markers(SegmentedObjectArray(header=Header(stamp=STAMP, frame_id="camera"), pose_frame_id=frame,
                                           objects=list(objects)))
    first, *others = deserialize_message(serialize_message(sent), MarkerArray).markers
    assert (first.action, first.ns, first.header) == (Marker.DELETEALL, "", Header(stamp=STAMP, frame_id=frame))
    assert all(one.action == Marker.ADD for one in others)
    return others


def numbers(message) -> list[float]:
    return [getattr(message, name) for name in message.get_fields_and_field_types()]


def test_nothing_found_deletes_what_is_there():
    assert markers() == []


def test_an_object_with_a_pose_has_a_box_axes_and_a_label_in_its_frame():
    box, axes, label = markers(mug(), frame="map")
    assert [(one.ns, one.type) for one in (box, axes, label)] == [
        ("box", Marker.CUBE), ("axes", Marker.LINE_LIST), ("label", Marker.TEXT_VIEW_FACING)]
    assert all(one.header == Header(stamp=STAMP, frame_id="map") for one in (box, axes, label))
    assert box.pose == axes.pose == mug().pose.pose
    assert numbers(box.scale) == [0.2, 0.1, 0.04]
    assert 0.2 < box.color.a < 0.8


@pytest.mark.parametrize(("extent", "drawn"), [
    ((0.2, 0.1, 0.0), [0.2, 0.1, 0.01]),
    ((0.0, 0.0, 0.0), [0.01, 0.01, 0.01]),
    ((3.0, 0.005, 0.02), [3.0, 0.01, 0.02]),
])
def test_a_flat_box_is_a_centimetre_thick(extent, drawn):
    assert numbers(markers(mug(extent))[0].scale) == drawn


@pytest.mark.parametrize(("extent", "length"), [
    ((0.4, 0.1, 0.04), 0.2),
    ((0.1, 0.6, 0.04), 0.3),
    ((0.02, 0.02, 0.0), 0.05),
    ((3.0, 1.0, 0.0), 0.5),
])
def test_axes_are_half_as_long_as_the_object_within_limits(extent, length):
    axes = markers(mug(extent))[1]
    assert [numbers(point) for point in axes.points[::2]] == [[0, 0, 0]] * 3
    assert np.array([numbers(point) for point in axes.points[1::2]]) == pytest.approx(length * np.eye(3))
    # red, green and blue, each at both ends of its axis
    assert [numbers(colour)[:3] for colour in axes.colors] == np.eye(3).repeat(2, axis=0).tolist()
    assert all(colour.a == 1 for colour in axes.colors)
    assert axes.color.a == 1
    assert 0 < axes.scale.x <= 0.1 * length


@pytest.mark.parametrize(("fields", "text"), [
    ({}, "mug 0.75"),
    ({"track_id": 12}, "mug 0.75 #12"),
    ({"prompt": "something to sit on", "score": 0.998, "track_id": 3}, "something to sit on 1.00 #3"),
])
def test_the_label_names_prompt_score_and_number(fields, text):
    assert markers(mug(**fields))[2].text == text


@pytest.mark.parametrize(("turn", "frame", "position"), [
    # letters of 0.05 m a letter's height above the box, whose middle is 0.5 0.25 1
    (FACING, "camera", (0.5, 0.25 - (0.05 + 0.05), 1.0)),
    (TURNED, "camera", (0.5, 0.25 - (0.1 + 0.05), 1.0)),
    (FACING, "map", (0.5, 0.25, 1.0 + (0.02 + 0.05))),
    ((0.0, 0.0, 0.0, 1.0), "map", (0.5, 0.25, 1.0 + (0.02 + 0.05))),
    ((0.0, math.sqrt(0.5), 0.0, math.sqrt(0.5)), "map", (0.5, 0.25, 1.0 + (0.1 + 0.05))),
])
def test_the_label_is_above_the_box(turn, frame, position):
    label = markers(mug(turn=turn), frame=frame)[2]
    assert numbers(label.pose.position) == pytest.approx(position)
    assert label.scale.z == pytest.approx(0.05)


def test_letters_stay_readable_and_modest():
    assert markers(mug((0.01, 0.01, 0.0)))[2].scale.z == pytest.approx(0.03)
    assert markers(mug((9.0, 1.0, 1.0)))[2].scale.z == pytest.approx(0.15)


@pytest.mark.parametrize("one", [mug, seen])
@pytest.mark.parametrize(("index", "colour"), [(0, 0), (1, 1), (len(COLOURS), 0), (len(COLOURS) + 2, 2)])
def test_colours_are_those_of_the_overlay(one, index, colour):
    first = markers(one(prompt_index=index))[0]
    assert [round(255 * value) for value in numbers(first.color)[:3]] == COLOURS[colour].tolist()


def test_a_direction_is_an_arrow_of_a_metre_in_the_cameras_frame():
    arrow, label = markers(seen(track_id=4), frame="map")
    assert (arrow.ns, arrow.type) == ("bearing", Marker.ARROW)
    assert [numbers(point) for point in arrow.points] == [[0, 0, 0], [0.6, 0, 0.8]]
    assert (arrow.pose, arrow.color.a) == (Pose(), 1)
    assert min(numbers(arrow.scale)) > 0
    assert (label.ns, label.text) == ("label", "chair 0.50 #4")
    assert numbers(label.pose.position) == pytest.approx([0.6, -0.03, 0.8])
    assert all(one.header == Header(stamp=STAMP, frame_id="camera") for one in (arrow, label))


def test_what_is_neither_here_nor_there_is_not_drawn():
    assert markers(seen((NAN, NAN, NAN))) == []


def test_names_are_unique_and_every_number_is_finite():
    drawn = markers(mug(), seen(), seen((NAN, NAN, NAN)), mug(), seen(), frame="map")
    names = [(one.ns, one.id) for one in drawn]
    assert len(set(names)) == len(names) == 10
    assert {one.id for one in drawn} == {0, 1, 3, 4}
    for one in drawn:
        parts = [one.pose.position, one.pose.orientation, one.scale, one.color, *one.points, *one.colors]
        assert np.isfinite([number for part in parts for number in numbers(part)]).all()
