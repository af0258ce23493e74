# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.lab.scenes.frames import RecordedFrames, RenderedFrames
from clipseg_ros.lab.scenes.recorded import load_recorded


def test_recorded_scenes_take_turns():
    scenes = load_recorded()
    frames = RecordedFrames(1, dwell=2.0)
    for seconds, number in ((0.0, 1), (1.9, 1), (2.1, 2), (2.0 * len(scenes), 1)):
        assert (frames.at(seconds).rgb == scenes[number].rgb).all()
    assert (RecordedFrames(1, dwell=0.0).at(1e6).rgb == scenes[1].rgb).all()


def test_a_number_beyond_the_last_is_refused():
    with pytest.raises(ValueError, match="there is no recorded scene 99; give 0 to"):
        RecordedFrames(99)


def test_a_moving_camera_comes_back(rendering):
    frames = RenderedFrames(3, width=64, height=48, swing=20.0, period=4.0)
    try:
        start, side, back = frames.at(0.0), frames.at(1.0), frames.at(2.0)
        assert start.rgb.shape == (48, 64, 3) and start.depth.shape == (48, 64) and frames.size == (48, 64)
        assert (np.abs(start.rgb.astype(int) - side.rgb) > 10).mean() > 0.05
        assert np.abs(start.rgb.astype(int) - back.rgb).mean() < 1
        assert (start.k == side.k).all()
    finally:
        frames.close()
