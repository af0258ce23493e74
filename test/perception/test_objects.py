# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import cv2
import numpy as np
import pytest

from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.location import locate
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.objects import MODES, Objects, find_objects
from clipseg_ros.perception.patches import Patches
from clipseg_ros.perception.selection import Limits

CAMERA = Pinhole(500.0, 500.0, 319.5, 239.5, (640, 480))
ROWS, COLUMNS = np.mgrid[:480, :640]


def room() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Picture, depth in metres, and the masks of three boards of one colour: one, one half behind it, one far away."""
    near = (abs(COLUMNS - 260) < 80) & (abs(ROWS - 250) < 90)
    behind = (abs(COLUMNS - 380) < 80) & (abs(ROWS - 230) < 70) & ~near
    far = (abs(COLUMNS - 560) < 30) & (abs(ROWS - 120) < 30)
    depth = np.full((480, 640), 5.0, np.float32)
    rgb = np.full((480, 640, 3), 90, np.uint8)
    for mask, z in ((near, 1.5), (behind, 2.5), (far, 4.5)):
        depth[mask] = z
        rgb[mask] = (200, 60, 40)
    return rgb, depth, [near, behind, far]


def soft(mask: np.ndarray, height: float = 0.95) -> np.ndarray:
    """(H, W) float32: a mask as a coarse network sees it."""
    return cv2.GaussianBlur(mask.astype(np.float32) * np.float32(height), (0, 0), 8)


def iou(region, mask: np.ndarray) -> float:
    found = np.zeros(mask.shape, bool)
    x, y, width, height = region.roi
    found[y:y + height, x:x + width] = region.mask > 0
    return (found & mask).sum() / (found | mask).sum()


@pytest.mark.parametrize(("kind", "scale"), [(np.float32, 1.0), (np.uint8, 255.0)])
def test_each_thing_once_whole_with_its_edge(kind, scale):
    rgb, depth, masks = room()
    everything, one = soft(np.any(masks, axis=0)), soft(masks[2])
    values = np.rint(np.stack([everything, one]) * scale) if scale > 1 else np.stack([everything, one])
    maps = Maps(values.astype(kind), (0.5 * scale, 0.5 * scale), scale)
    all_of_them, last = Objects(maps, Patches(rgb, depth, CAMERA)).regions
    assert len(all_of_them) == 3 and len(last) == 1
    for mask in masks:
        assert max(iou(region, mask) for region in all_of_them) > 0.96
    assert iou(last[0], masks[2]) > 0.96
    assert all(0.6 < region.score <= 1 for region in [*all_of_them, *last])
    distances = sorted(round(float(place.pose.position[2]), 2) for place in locate(all_of_them, CAMERA, depth))
    assert distances == [1.5, 2.5, 4.5]


def test_without_depth_things_of_one_colour_that_touch_are_one():
    rgb, _, masks = room()
    regions = find_objects(Maps(soft(masks[0] | masks[1])[None], (0.5,)), rgb).regions[0]
    assert len(regions) == 1 and iou(regions[0], masks[0] | masks[1]) > 0.96


def test_regions_are_consistent():
    rgb, depth, masks = room()
    for region in find_objects(Maps(soft(np.any(masks, axis=0))[None], (0.5,)), rgb, depth, CAMERA).regions[0]:
        rows, columns = np.nonzero(region.mask)
        x, y, width, height = region.roi
        assert region.mask.shape == (height, width) and region.area == len(rows)
        assert set(np.unique(region.mask)) <= {0, 255}
        assert region.centroid == pytest.approx((columns.mean() + x, rows.mean() + y))
        assert rows.min() == columns.min() == 0 and rows.max() == height - 1 and columns.max() == width - 1


def test_the_floor_under_a_thing_is_no_part_of_it():
    depth = np.minimum(500 * 1.0 / np.maximum(ROWS - 239.5, 1), 6.0).astype(np.float32)
    thing = (abs(COLUMNS - 320) < 60) & (ROWS > 250) & (ROWS < 400)
    depth[thing] = 500 / (400 - 239.5)
    rgb = np.full((480, 640, 3), 128, np.uint8)
    blob = np.exp(-((COLUMNS - 320) / 110.0) ** 4 - ((ROWS - 330) / 110.0) ** 4).astype(np.float32)
    regions = find_objects(Maps(blob[None], (0.5,)), rgb, depth, CAMERA).regions[0]
    assert len(regions) == 1 and iou(regions[0], thing) > 0.85 > iou_of(blob >= 0.5, thing)


def iou_of(found: np.ndarray, mask: np.ndarray) -> float:
    return (found & mask).sum() / (found | mask).sum()


def test_limits_are_kept():
    rgb, depth, masks = room()
    maps, patches = Maps(soft(np.any(masks, axis=0))[None], (0.5,)), Patches(rgb, depth, CAMERA)
    for limits, count in ((Limits(max_regions=2), 2), (Limits(min_area=5000), 2), (Limits(min_size=0.52), 2),
                          (Limits(min_area=10 ** 6), 0), (Limits(max_area=5000), 1), (Limits(max_area=10 ** 6), 3)):
        assert len(Objects(maps, patches, limits).regions[0]) == count


def test_the_maps_in_each_mode():
    rgb, depth, masks = room()
    meant = np.any(masks, axis=0)
    maps = Maps(np.stack([soft(meant), soft(meant, 0.2)]), (0.5, 0.5))
    objects = Objects(maps, Patches(rgb, depth, CAMERA))
    assert objects.refined("none") is maps
    agreed = {mode: ((objects.refined(mode).masks[0] > 0) == meant).mean() for mode in MODES}
    assert agreed["none"] < agreed["edges"] and agreed["objects"] > 0.998
    assert not any(objects.refined(mode).masks[1].any() for mode in MODES)
    assert sum(region.area for region in objects.regions[0]) == np.count_nonzero(objects.refined("objects").masks[0])
    with pytest.raises(ValueError, match="'nice'.*none, edges, objects"):
        objects.refined("nice")


def test_no_prompt_and_nothing_found():
    rgb, depth, _ = room()
    none = Objects(Maps.empty((480, 640)), Patches(rgb, depth, CAMERA))
    assert none.regions == [] and len(none.refined("objects")) == 0
    nothing = Objects(Maps(np.zeros((1, 480, 640), np.float32), (0.5,)), Patches(rgb, depth, CAMERA))
    assert nothing.regions == [[]] and not nothing.refined("objects").mask.any()
    unknown = Patches(rgb, np.full((480, 640), np.nan, np.float32), CAMERA)
    assert len(Objects(Maps(soft(room()[2][0])[None], (0.5,)), unknown).regions[0]) == 1


@pytest.mark.parametrize("size", [(2, 2), (3, 500), (97, 131), (481, 643), (725, 1283)])
def test_pictures_of_any_size(size):
    rgb = np.zeros((*size, 3), np.uint8)
    maps = Maps(np.ones((1, *size), np.float32), (0.5,))
    objects = find_objects(maps, rgb, np.full(size, 2.0, np.float32), Pinhole(500, 500, 9, 9, size[::-1]))
    assert [region.roi for region in objects.regions[0]] == [(0, 0, *size[::-1])]
    assert objects.refined("edges").size == objects.refined("objects").size == size
    assert objects.refined("objects").mask.all()
