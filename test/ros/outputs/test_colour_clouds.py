# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from solids import CAMERA, box, plane, turned  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.clipseg import Prompt  # noqa: E402
from clipseg_ros.perception.maps import Maps  # noqa: E402
from clipseg_ros.ros.inputs.frame import Space  # noqa: E402
from clipseg_ros.ros.outputs.colour_clouds import object_clouds, points_cloud, scene_cloud  # noqa: E402
from clipseg_ros.ros.prompts.store import ActivePrompts  # noqa: E402
from clipseg_ros.ros.seen import Seen  # noqa: E402
from clipseg_ros.ros.settings import Settings  # noqa: E402

pytestmark = pytest.mark.ros

WIDTH, HEIGHT = CAMERA.size
TARGET = box((0.1, 0.0, 1.0), turned(), (0.2, 0.2, 0.2))
BEHIND = plane((0.0, 0.0, 2.0), (0.0, 0.0, -1.0))
SQUARE = slice(100, 140), slice(100, 160)
ACTIVE = ActivePrompts(("box", "wall"), (Prompt("box"), Prompt("wall")), (0.5, 0.5))


class Frame:
    header = Header(frame_id="camera")

    def __init__(self, space: Space) -> None:
        self._space = space
        self.rgb = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
        self.rgb[~np.isnan(TARGET)] = 200, 40, 50
        self.rgb[SQUARE] = 40, 200, 60

    def space(self, settings: Settings) -> Space:
        return self._space


def looked_at(*, depth: bool = True, found: bool = True, **settings) -> Seen:
    """A box before a wall."""
    inside = ~np.isnan(TARGET)
    metres = np.where(inside, TARGET, BEHIND).astype(np.float32)
    metres[:5] = np.nan
    values = np.zeros((2, HEIGHT, WIDTH), np.float32)
    values[0][inside] = 0.9 if found else 0.4
    values[1][SQUARE] = 0.9 if found else 0.4
    return Seen(Frame(Space(CAMERA, metres) if depth else Space()), ACTIVE, Maps(values, ACTIVE.thresholds),
                settings=Settings(refine="none", **settings), reports=None)


def read(cloud) -> tuple[np.ndarray, np.ndarray]:
    """(height, width, 3) metres and colours, as a reader finds them that goes by the fields."""
    assert [field.name for field in cloud.fields] == ["x", "y", "z", "rgb"]
    kinds = np.dtype({"names": ["x", "y", "z", "b", "g", "r"], "formats": ["<f4"] * 3 + ["u1"] * 3,
                      "offsets": [*(field.offset for field in cloud.fields[:3]),
                                  *(cloud.fields[3].offset + place for place in range(3))],
                      "itemsize": cloud.point_step})
    rows = np.frombuffer(cloud.data, kinds).reshape(cloud.height, cloud.width)
    assert cloud.row_step == cloud.point_step * cloud.width
    return (np.stack([rows[name] for name in "xyz"], axis=2), np.stack([rows[name] for name in "rgb"], axis=2))


@pytest.mark.parametrize("found", [True, False])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_each_pixel_of_the_label_image_has_its_point(scale, found):
    seen = looked_at(label_scale=scale, found=found)
    cloud = points_cloud(seen)
    points, colours = read(cloud)
    rows, columns = (seen.sampled(one) for one in np.indices((HEIGHT, WIDTH)))
    assert points.shape[:2] == (round(HEIGHT * scale), round(WIDTH * scale))
    assert cloud.header.frame_id == "camera" and not cloud.is_dense
    np.testing.assert_array_equal(colours, seen.frame.rgb[rows, columns])
    depth = seen.surroundings.depth[rows, columns]
    np.testing.assert_array_equal(np.isnan(points[..., 0]), np.isnan(depth))
    u = points[..., 0] / points[..., 2] * CAMERA.fx + CAMERA.cx
    v = points[..., 1] / points[..., 2] * CAMERA.fy + CAMERA.cy
    known = ~np.isnan(depth)
    np.testing.assert_allclose(u[known], columns[known], atol=1e-3)
    np.testing.assert_allclose(v[known], rows[known], atol=1e-3)
    np.testing.assert_array_equal(points[..., 2][known], depth[known])


def test_without_depth_nothing_is_known_but_the_size_stays():
    points, _ = read(points_cloud(looked_at(depth=False, label_scale=0.5)))
    assert points.shape == (HEIGHT // 2, WIDTH // 2, 3) and np.isnan(points).all()


@pytest.mark.parametrize(("without", "box_left", "wall_left"), [
    ([""], False, False), (["box"], False, True), (["wall"], True, False), (["lamp"], True, True),
])
def test_the_scene_lacks_what_is_left_out(without, box_left, wall_left):
    seen = looked_at(scene_without=without)
    points, _ = read(scene_cloud(seen))
    missing = np.isnan(points[..., 2]) & ~np.isnan(seen.surroundings.depth)
    target, square = ~np.isnan(TARGET), np.zeros((HEIGHT, WIDTH), bool)
    square[SQUARE] = True
    assert (not missing[target].any()) == box_left and (missing[target].all()) == (not box_left)
    assert (not missing[square].any()) == wall_left and (missing[square].all()) == (not wall_left)
    assert missing.sum() < 1.5 * (target.sum() + square.sum()), "only a rim around it is missing too"


def test_each_object_has_all_of_its_points():
    seen = looked_at()
    assert [one.prompt for one in seen.objects] == ["box", "wall"]
    for one, cloud in zip(seen.objects, object_clouds(seen), strict=True):
        points, colours = read(cloud)
        x, y, width, height = one.region.roi
        part = seen.surroundings.depth[y:y + height, x:x + width][one.region.mask > 0]
        np.testing.assert_array_equal(points[0, :, 2], part[~np.isnan(part)])
        assert cloud.is_dense and len(colours[0]) == len(points[0]) > 256


def test_without_depth_the_objects_clouds_are_empty():
    assert [cloud.width for cloud in object_clouds(looked_at(depth=False))] == [0, 0]
