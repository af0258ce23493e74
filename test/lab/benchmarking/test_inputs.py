# SPDX-License-Identifier: Apache-2.0
"""Images and prompts that are given to the networks."""

from itertools import islice

import numpy as np
import pytest

from clipseg_ros import recorded
from clipseg_ros.lab.benchmarking import inputs
from clipseg_ros.lab.benchmarking.inputs import new_images, new_phrases, phrases, pictures


@pytest.mark.parametrize("size", [(640, 480), (50, 30), (1, 1)])
def test_no_image_comes_twice(size):
    images = list(islice(new_images(size, seed=1), 3))
    assert all(image.shape == (size[1], size[0], 3) and image.dtype == np.uint8 for image in images)
    assert len({image.tobytes() for image in images}) == 3
    assert np.array_equal(next(new_images(size, seed=1)), images[0])
    assert not np.array_equal(next(new_images(size, seed=2)), images[0])


def test_every_prompt_is_another():
    assert len(set(phrases(20))) == 20 and phrases(2) == list(inputs.PHRASES[:2])
    fresh = list(islice(new_phrases(), 600))
    assert len(set(fresh)) == 600 and not set(fresh) & set(phrases(600))


def test_pictures_have_the_size_that_was_asked_for(tmp_path, monkeypatch):
    scenes = pictures((64, 48))
    monkeypatch.setattr(recorded, "DIRECTORY", tmp_path)
    made_up = pictures((64, 48))
    for found in (scenes, made_up):
        assert [picture.shape for picture in found] == [(48, 64, 3)] * 2
        assert not np.array_equal(*found)
    assert not np.array_equal(scenes[0], made_up[0])
