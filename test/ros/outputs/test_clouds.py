# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from array import array

import numpy as np
import pytest

pytest.importorskip("rclpy")
from builtin_interfaces.msg import Time  # noqa: E402
from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402
from sensor_msgs.msg import PointCloud2, PointField  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.ros.outputs.clouds import to_cloud  # noqa: E402

pytestmark = pytest.mark.ros

HEADER = Header(stamp=Time(sec=1, nanosec=2), frame_id="camera")
NOTHING = np.zeros((0, 3), np.float32)
MUG = np.array([[0.1, -0.2, 1.5], [0.25, 0.0, 2.0]], np.float32)
CHAIR = np.array([[-1.0, 0.5, 3.0]], np.float32)


def read(cloud: PointCloud2) -> list[tuple]:
    """(x, y, z, prompt) of each point, by what the message says of its layout."""
    kinds = {PointField.FLOAT32: "f4", PointField.UINT32: "u4"}
    order = ">" if cloud.is_bigendian else "<"
    layout = np.dtype({"names": [field.name for field in cloud.fields],
                       "formats": [order + kinds[field.datatype] for field in cloud.fields],
                       "offsets": [field.offset for field in cloud.fields], "itemsize": cloud.point_step})
    return np.frombuffer(cloud.data, layout).tolist()


@pytest.mark.parametrize(("points", "indices", "expected"), [
    ([MUG], [0], [(*MUG[0].tolist(), 0), (*MUG[1].tolist(), 0)]),
    ([CHAIR, MUG], [2, 0], [(-1.0, 0.5, 3.0, 2), (*MUG[0].tolist(), 0), (*MUG[1].tolist(), 0)]),
    ([NOTHING, CHAIR, NOTHING, CHAIR], [0, 4000000000, 1, 1], [(-1.0, 0.5, 3.0, 4000000000), (-1.0, 0.5, 3.0, 1)]),
    ([CHAIR.astype(np.float64)], [0], [(-1.0, 0.5, 3.0, 0)]),
    ([np.asfortranarray(MUG)[::-1]], [7], [(*MUG[1].tolist(), 7), (*MUG[0].tolist(), 7)]),
    ([], [], []),
    ([NOTHING, NOTHING], [0, 1], []),
])
def test_points_are_read_back_with_the_index_of_their_prompt(points, indices, expected):
    sent = to_cloud(points, indices, HEADER)
    cloud = deserialize_message(serialize_message(sent), PointCloud2)
    assert read(cloud) == expected
    assert cloud == sent


@pytest.mark.parametrize("points", [[], [NOTHING], [MUG, CHAIR]])
def test_the_cloud_describes_itself(points):
    cloud = to_cloud(points, range(len(points)), HEADER)
    count = sum(map(len, points))
    assert (cloud.height, cloud.width, cloud.point_step, cloud.row_step) == (1, count, 16, 16 * count)
    assert len(cloud.data) == 16 * count
    assert isinstance(cloud.data, array)
    assert [(field.name, field.offset, field.datatype, field.count) for field in cloud.fields] == [
        ("x", 0, PointField.FLOAT32, 1), ("y", 4, PointField.FLOAT32, 1), ("z", 8, PointField.FLOAT32, 1),
        ("prompt", 12, PointField.UINT32, 1)]
    assert cloud.is_dense is True
    assert cloud.is_bigendian == (sys.byteorder == "big")
    assert cloud.header == HEADER


@pytest.mark.parametrize(("points", "indices", "says"), [
    ([MUG], [], "points of 1 objects but 0 prompt indices; each object needs one"),
    ([], [0], "points of 0 objects but 1 prompt indices"),
    ([MUG, MUG[0]], [0, 1], r"the shape \(3,\); it must be \(n, 3\)"),
    ([MUG[:, :2]], [0], r"the shape \(2, 2\)"),
    ([MUG, CHAIR * np.float32(np.nan)], [0, 1], "not finite"),
    ([CHAIR * np.float32(np.inf)], [0], "not finite"),
])
def test_what_makes_no_cloud_is_a_sentence(points, indices, says):
    with pytest.raises(ValueError, match=says):
        to_cloud(points, indices, HEADER)
