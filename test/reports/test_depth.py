# SPDX-License-Identifier: Apache-2.0
"""What people reported of depth images in which nothing can be read: one sentence in the log, and no pose."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from pictures import message, noise, stamped  # noqa: E402
from sensor_msgs.msg import CameraInfo  # noqa: E402

from clipseg_ros.ros.inputs import camera_input, depth  # noqa: E402
from clipseg_ros.ros.inputs.camera_input import CameraInput  # noqa: E402
from clipseg_ros.ros.reports import Reports  # noqa: E402
from clipseg_ros.ros.settings import Settings  # noqa: E402

INFO = CameraInfo(width=64, height=48, k=[50.0, 0.0, 31.5, 0.0, 50.0, 23.5, 0.0, 0.0, 1.0])


class Wires:
    """Stands in for subscriptions: keeps the callback of each topic, and what was warned about."""

    def __init__(self) -> None:
        self.callbacks = {}
        self.said = []

    def subscribe(self, node, kind, topic, callback, **options) -> SimpleNamespace:
        self.callbacks[topic] = callback
        return SimpleNamespace(topic=topic, destroy=lambda: None)

    def warning(self, sentence: str) -> None:
        self.said.append(sentence)


def see(monkeypatch, pixels: np.ndarray, encoding: str):
    """What the node knows of the space in three frames with this depth, and what it said."""
    wires = Wires()
    for module in (camera_input, depth):
        monkeypatch.setattr(module, "AdaptiveSubscription", wires.subscribe)
    settings = Settings()
    camera = CameraInput(None, prefix="", settings=settings, reports=Reports(wires), on_frame=lambda frame: None)
    wires.callbacks["camera_info"](INFO)
    for stamp in (1, 2, 3):
        wires.callbacks["depth"](stamped(message(pixels, encoding), stamp))
        wires.callbacks["image"](noise(stamp))
        space = camera.newest.space(settings)
    return space, wires.said


SLANT = np.linspace(0.812, 2.1, 3072).reshape(48, 64)
MILLIMETRES = "the readings are 812 to 2100: 32FC1 must be metres; these look like millimetres"


@pytest.mark.parametrize(("pixels", "encoding", "says"), [
    (np.zeros((48, 64), "<u2"), "16UC1", "all 3072 depth readings are 0"),
    (np.full((48, 64), 65535, "<u2"), "16UC1", "all 3072 depth readings are 65535"),
    (np.full((48, 64), np.nan, "<f4"), "32FC1", "all 3072 depth readings are NaN"),
    ((SLANT * 1000).astype("<f4"), "32FC1", MILLIMETRES),
    ((SLANT * 100).astype("<f4"), "32FC1", "the readings are 81 to 210: 32FC1 must be metres; these look like "),
    (SLANT.astype(">f4"), "32FC1", "the depth image looks byte-swapped"),
    ((SLANT * 1000).astype(">u2"), "16UC1", "the depth image looks byte-swapped"),
])
def test_depth_in_which_nothing_can_be_read_is_told_once(monkeypatch, pixels, encoding, says):
    space, said = see(monkeypatch, pixels, encoding)
    assert space.camera is not None
    assert space.depth is None
    assert len(said) == 1
    assert said[0].startswith(f"image: objects have no pose: {says}")


def test_depth_in_which_one_reading_is_valid_is_no_reason_to_speak(monkeypatch):
    pixels = np.zeros((48, 64), "<u2")
    pixels[20, 30] = 1500
    space, said = see(monkeypatch, pixels, "16UC1")
    assert np.nanmax(space.depth) == pytest.approx(1.5)
    assert not said
