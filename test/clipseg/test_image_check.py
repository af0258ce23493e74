# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.clipseg.image_check import check_image


@pytest.mark.parametrize(
    "image, sentence",
    [
        (None, "the image is a NoneType; .* uint8"),
        ([[1, 2, 3]], "the image is a list"),
        (np.zeros((4, 4), np.uint8), r"shape \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"shape \(4, 4, 4\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"shape \(2, 4, 4, 3\)"),
        (np.full((4, 4, 3), np.nan, np.float32), "type float32"),
        (np.zeros((0, 4, 3), np.uint8), "empty, 4x0 pixels"),
    ],
)
def test_check_image(image, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_image(image)
