# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from clipseg_ros.perception.maps import Maps  # noqa: E402
from clipseg_ros.perception.regions import region_of  # noqa: E402
from clipseg_ros.perception.sampling import Sampling  # noqa: E402
from clipseg_ros.ros.outputs.labels import confidence, instances, label_mask, object_mask  # noqa: E402

pytestmark = pytest.mark.ros

SIZE = (4, 6)


def seen(values, thresholds=(0.5, 0.5), *, scale: float = 1.0, full_scale: float = 1.0, **fields) -> SimpleNamespace:
    values = np.asarray(values).reshape(-1, *SIZE)
    maps = Maps(values, tuple(thresholds[:len(values)]), full_scale)
    return SimpleNamespace(maps=maps, sampled=Sampling(SIZE, scale), **fields)


def found(box: tuple[int, int, int, int], track_id: int, score: float) -> SimpleNamespace:
    x, y, width, height = box
    mask = np.zeros(SIZE, np.uint8)
    mask[y:y + height, x:x + width] = 255
    return SimpleNamespace(region=region_of(mask, (0, 0), score), track_id=track_id)


def halves() -> np.ndarray:
    """The first prompt on the left, surely; the second on the right, hardly."""
    values = np.full((2, *SIZE), 0.1, np.float32)
    values[0, :, :2], values[1, :, 4:] = 0.9, 0.6
    return values


@pytest.mark.parametrize("full_scale", [1.0, 255.0])
def test_labels_count_from_1_and_have_their_own_probability(full_scale):
    values = halves() if full_scale == 1 else np.rint(halves() * 255).astype(np.uint8)
    one = seen(values, (0.5 * full_scale,) * 2, full_scale=full_scale)
    labels, sure = label_mask(one), confidence(one)
    assert labels.dtype == sure.dtype == np.uint8
    np.testing.assert_array_equal(labels, np.tile([1, 1, 0, 0, 2, 2], (4, 1)).astype(np.uint8))
    np.testing.assert_allclose(sure, np.tile([229.5, 229.5, 0, 0, 153, 153], (4, 1)), atol=0.6)


def test_they_become_smaller_together():
    one = seen(halves(), scale=0.5)
    np.testing.assert_array_equal(label_mask(one), np.tile([1, 0, 2], (2, 1)))
    np.testing.assert_array_equal(confidence(one) > 0, label_mask(one) > 0)


@pytest.mark.parametrize("image", [label_mask, confidence])
def test_without_a_prompt_there_is_no_label(image):
    np.testing.assert_array_equal(image(seen(np.zeros((0, *SIZE), np.float32))), np.zeros(SIZE))


@pytest.mark.parametrize(("numbers", "expected", "dtype"), [
    ((7, 9), (7, 9), np.uint16), ((0, 0), (1, 2), np.uint16), ((7, 70_000), (7, 70_000), np.int32),
    ((65_535, 1), (65_535, 1), np.uint16),
])
def test_each_object_has_its_number_and_the_surer_one_the_pixels_of_both(numbers, expected, dtype):
    objects = [found((0, 0, 3, 2), numbers[0], 0.9), found((2, 1, 3, 3), numbers[1], 0.6)]
    image = instances(seen(halves(), objects=objects))
    assert image.dtype == dtype
    assert (image[1, 2], image[3, 4], image[3, 0]) == (*expected, 0)


def test_nothing_found_has_no_number():
    assert not instances(seen(halves(), objects=[])).any()


@pytest.mark.parametrize("picked", [None, found((2, 1, 3, 2), 4, 0.5)])
def test_the_chosen_object_alone_is_shown_in_full_size(picked):
    image = object_mask(seen(halves(), scale=0.5, picked=picked))
    assert image.shape == SIZE
    assert (image == 255).sum() == (6 if picked else 0) == np.count_nonzero(image)
