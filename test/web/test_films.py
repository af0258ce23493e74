# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from clipseg_ros.web.films import Moving, Slides


def test_slides_follow_each_other_and_are_read_once():
    read = []

    def picture(name):
        read.append(name)
        return np.full((2, 2, 3), ord(name), np.uint8)
    slides = Slides("abc", picture, dwell=2.0)
    shown = [slides.at(seconds) for seconds in (0.0, 1.9, 2.0, 5.0, 6.5)]
    assert [chr(one.rgb[0, 0, 0]) for one in shown] == ["a", "a", "b", "c", "a"] and read == ["a", "b", "c", "a"]
    assert shown[0] is shown[1]


def test_a_slide_that_cannot_be_read_costs_no_other_one():
    def picture(name):
        if name == "a":
            raise OSError("a is gone")
        return np.zeros((2, 2, 3), np.uint8)
    slides = Slides("ab", picture, dwell=1.0)
    for seconds in (0.0, 0.5):
        with pytest.raises(OSError, match="a is gone"):
            slides.at(seconds)
    assert slides.at(1.0).rgb.shape == (2, 2, 3)


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> str:
    """10 frames at 10 per second, each lighter than the one before."""
    path = str(tmp_path_factory.mktemp("video") / "film.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 10, (32, 32))
    for number in range(10):
        writer.write(np.full((32, 32, 3), 20 * number + 10, np.uint8))
    writer.release()
    return path


def test_a_video_runs_at_its_own_speed_and_starts_again(video):
    film = Moving(video)
    times = (0.0, 0.05, 0.1, 0.55, 0.99, 1.3, 1.45)
    seen = [round((float(film.at(seconds).rgb.mean()) - 10) / 20) for seconds in times]
    film.close()
    assert seen == [0, 0, 1, 5, 9, 0, 1]


def test_a_frame_that_still_counts_is_the_same_object(video):
    film = Moving(video)
    assert film.at(0.0) is film.at(0.05)
    film.close()


@pytest.mark.parametrize("name, words", [("no/such/film.mp4", "no/such/film.mp4 cannot be opened"),
                                         (77, "the camera 77 cannot be opened")])
def test_what_cannot_be_opened_is_said(name, words):
    with pytest.raises(OSError, match=words):
        Moving(name)
