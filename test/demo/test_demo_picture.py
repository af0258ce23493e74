# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.demo.picture import _BAND, _GAP, grid


def picture(colour, height=30, width=40):
    return np.full((height, width, 3), colour, np.uint8)


def test_pictures_lie_in_rows_in_their_colours():
    red, green, blue = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    result = grid([[("a", picture(red)), ("b", picture(green))], [("c", picture(blue))]], width=80)
    row = 60 + _BAND
    assert result.shape == (2 * row + 3 * _GAP, 2 * 80 + 3 * _GAP, 3)
    assert tuple(result[_GAP + 30, _GAP + 40]) == red
    assert tuple(result[_GAP + 30, 2 * _GAP + 120]) == green
    assert tuple(result[2 * _GAP + row + 30, _GAP + 40]) == blue
    assert result[2 * _GAP + row:, 2 * _GAP + 80:].min() > 200, "the place of a missing picture is paper"


def test_a_caption_is_written_and_stays_within_its_picture():
    texts = "a caption of thirty-odd letters", ""
    with_caption, without = (grid([[(text, picture((9, 9, 9)))]], width=200) for text in texts)
    changed = (with_caption != without).any(axis=2)
    assert changed[_GAP + 150:, _GAP:_GAP + 200].sum() > 50
    assert not changed[:, :_GAP].any() and not changed[:, _GAP + 200:].any()


@pytest.mark.parametrize("letters", range(20, 61, 5))
def test_a_caption_that_is_long_is_written_whole(letters):
    texts = "M" * (letters - 1), "M" * letters
    written = [(grid([[(text, picture((9, 9, 9)))]], width=480)[_GAP + 360:] < 200).any(axis=(0, 2)) for text in texts]
    ends = [np.flatnonzero(columns).max() for columns in written]
    assert max(ends) < _GAP + 478, "the last letter is not cut"


def test_pictures_of_different_heights_share_a_row():
    result = grid([[("a", picture((9, 9, 9), height=20)), ("b", picture((9, 9, 9), height=40))]], width=40)
    assert result.shape[0] == 40 + _BAND + 2 * _GAP
