# SPDX-License-Identifier: Apache-2.0
import io
import zipfile
from functools import partial

import numpy as np
import pytest

from clipseg_ros.lab.datasets.folder import FolderWriter, read_folder
from clipseg_ros.web.collection import Collection, phrase
from clipseg_ros.web.source import Thing, View

OPEN = partial(FolderWriter, append=True)
SHAPE = (48, 64)


def view(**scores: float) -> View:
    picture = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    mask = np.eye(8, dtype=np.uint8)
    return View("", lambda: picture, [Thing("mug", 0.5, (3, 5), (8, 8), mask), Thing("mug", 0.5, (40, 30), (8, 8))],
                scores)


def check(samples, shown: View) -> None:
    """One present and one absent prompt, with the view's own pixels."""
    present, absent = samples
    assert (present.load_image() == shown.rgb).all()
    expected = np.zeros(SHAPE, bool)
    expected[5:13, 3:11] = np.eye(8, dtype=bool)
    expected[30:38, 40:48] = True
    assert (present.load_mask(SHAPE) == expected).all()
    assert (present.phrase, present.type, absent.phrase, absent.type) == ("mug", "noun", "my cup", "absent")
    assert not absent.load_mask(SHAPE).any()


def test_a_folder_grows_from_day_to_day(tmp_path):
    shown = view(mug=0.9, **{"@my_cup": 0.1})
    said, payload = Collection(OPEN, tmp_path / "set").add(shown)
    assert said == f"frame 1 with 2 prompts is in {tmp_path / 'set'}" and payload == b""
    again = Collection(OPEN, tmp_path / "set")
    again.add(shown)
    again.add(shown)
    samples = read_folder(tmp_path / "set")
    assert len({sample.image_path for sample in samples}) == 3
    for first in (0, 2, 4):
        check(samples[first:first + 2], shown)


def test_without_a_folder_the_browser_gets_the_data_set(tmp_path):
    shown = view(mug=0.9, **{"@my_cup": 0.1})
    _, payload = Collection(OPEN).add(shown)
    zipfile.ZipFile(io.BytesIO(payload)).extractall(tmp_path)
    check(read_folder(tmp_path), shown)


def test_a_frame_that_was_searched_for_nothing_is_no_data():
    with pytest.raises(ValueError, match="switch a prompt on"):
        Collection(OPEN).add(view())


@pytest.mark.parametrize("prompt, words", [("the red cup", "the red cup"), ("@my_cup", "my cup"), ("@-", "example")])
def test_an_example_is_called_by_its_name(prompt, words):
    assert phrase(prompt) == words
