# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from pictures import PICTURE, claiming, file_of, with_orientation

from clipseg_ros.web.uploads import LONGEST_EXAMPLE, mask_of_outline, read_upload


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff"])
def test_pictures_are_read(suffix):
    rgb, mask = read_upload(file_of(PICTURE, suffix))
    assert rgb.shape == PICTURE.shape and mask is None
    assert np.abs(rgb.astype(int) - PICTURE).mean() < 4


def test_a_cut_out_is_its_own_mask_and_both_stand_upright():
    alpha = np.zeros((48, 64, 1), np.uint8)
    alpha[:10, :20] = 255
    rgb, mask = read_upload(with_orientation(file_of(np.concatenate([PICTURE, alpha], 2), ".png"), 6))
    assert rgb.shape == (64, 48, 3) and mask[:20, -10:].all() and mask.sum() == 200


def test_large_pictures_become_small_examples():
    picture = np.zeros((60, 3000, 4), np.uint8)
    picture[:30, :, 3] = 255
    rgb, mask = read_upload(file_of(picture, ".png"))
    assert rgb.shape[1] == mask.shape[1] == LONGEST_EXAMPLE and rgb.shape[:2] == mask.shape


@pytest.mark.parametrize("data, complaint", [
    (b"", "is not a picture"), (b"<html>", "is not a picture"), (b"\xff\xd8", "JPEG"),
    (file_of(PICTURE, ".png")[:300], "file"), (claiming(file_of(PICTURE, ".png"), 60_000, 60_000), "at most"),
])
def test_what_is_no_picture_is_refused_in_a_sentence(data, complaint):
    with pytest.raises(ValueError, match=f"^the file .*{complaint}"):
        read_upload(data)


def test_an_outline_is_filled():
    mask = mask_of_outline([10, 10, 30, 10, 30, 20.4, 10, 20.4], (48, 64))
    assert mask[10:21, 10:31].all() and mask.sum() == 11 * 21
    assert mask_of_outline([-1e30, -5, 1e30, -5, 1e30, 1e30, -1e30, 1e30], (48, 64)).all()


@pytest.mark.parametrize("points", [
    [], [1, 2, 3, 4], [1, 2, 3, 4, 5], "123456", {"a": 1}, [1, 2, 3, 4, 5, None], [1, 2, 3, 4, 5, float("nan")],
    [1, 2, 3, 4, 5, float("inf")], [0] * 5000, [99, 99, 80, 99, 80, 80], None])
def test_what_is_no_outline_is_refused(points):
    with pytest.raises(ValueError, match="draw around the thing"):
        mask_of_outline(points, (48, 64))
