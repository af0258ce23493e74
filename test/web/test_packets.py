# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from pages import unpack
from pictures import PICTURE

from clipseg_ros.web.packets import LONGEST_SIDE, outlines, pack, pack_view, shrunk
from clipseg_ros.web.source import Thing, View


def drawn(lines: list[list[int]], shape: tuple[int, int]) -> np.ndarray:
    """The pixels whose centres lie within outlines, as a browser fills them (even-odd)."""
    large = np.zeros((8 * shape[0], 8 * shape[1]), np.uint8)
    cv2.fillPoly(large, [np.array(line).reshape(-1, 2) * 8 for line in lines], 255)
    return large[4::8, 4::8] > 0


@pytest.mark.parametrize("shape, hole", [((40, 60), False), ((40, 60), True), ((1, 1), False), ((3, 1), False)])
def test_outlines_enclose_the_mask(shape, hole):
    mask = np.zeros(shape, np.uint8)
    height, width = shape
    cv2.ellipse(mask, (width // 2, height // 2), (width // 2, height // 2), 0, 0, 360, 255, -1)
    if hole:
        cv2.rectangle(mask, (20, 12), (40, 28), 0, -1)
    thing = Thing("ring", 0.5, (5, 9), (width, height), mask)
    whole = np.zeros((height + 20, width + 20), bool)
    whole[9:9 + height, 5:5 + width] = mask > 0
    found = drawn(outlines(thing), whole.shape)
    assert (found & whole).sum() >= 0.97 * (found | whole).sum()
    assert (View("", lambda: np.zeros((*whole.shape, 3), np.uint8)).mask_of(thing) == whole).all()


def test_without_a_mask_the_box_stands_for_the_thing():
    assert outlines(Thing("mug", 0.5, (5, 9), (10, 20))) == [[5, 9, 15, 9, 15, 29, 5, 29]]


def test_a_view_travels_with_its_picture():
    thing = Thing("mug", 0.875, (1, 2), (4, 4), np.full((4, 4), 255, np.uint8), 3, 1.23456)
    header, payload = unpack(pack_view(View("front", lambda: PICTURE, [thing], {"mug": 0.9})))
    assert (header["camera"], header["size"], header["scores"]) == ("front", [64, 48], {"mug": 0.9})
    assert header["things"] == [{"prompt": "mug", "score": 0.875, "id": 3, "box": [1, 2, 4, 4], "metres": 1.235,
                                 "outlines": [[1, 2, 1, 6, 5, 6, 5, 2]]}]
    picture = cv2.cvtColor(cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert np.abs(picture.astype(int) - PICTURE).mean() < 3


def test_a_faulty_picture_travels_as_a_sentence():
    def picture():
        raise ValueError("the image is empty")
    header, payload = unpack(pack_view(View("", picture)))
    assert header["fault"] == "the image is empty" and payload == b""


def test_large_pictures_travel_smaller():
    assert shrunk(np.zeros((3000, 2000, 3), np.uint8), LONGEST_SIDE).shape == (1280, 853, 3)
    assert shrunk(PICTURE, LONGEST_SIDE) is PICTURE


def test_numbers_that_json_lacks_are_not_sent():
    with pytest.raises(ValueError):
        pack({"score": float("nan")}, b"")
