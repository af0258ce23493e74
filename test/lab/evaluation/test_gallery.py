# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from clipseg_ros.lab.evaluation.gallery import WIDTH, Gallery, draw
from clipseg_ros.lab.evaluation.pictures import Picture, Question
from clipseg_ros.lab.evaluation.run import evaluate

MASK = np.zeros((40, 60), bool)
MASK[10:30, 20:40] = True
RGB = np.full((40, 60, 3), 128, np.uint8)


class Growing:
    """Finds the first prompt a little, the next more, and so on."""

    def segment(self, image, prompts):
        rows = np.arange(40)[:, None]
        return np.stack([MASK * np.float32(rows < 10 + 2 * int(prompt)) for prompt in prompts])


def pixels(jpeg):
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def shown(entries):
    return [entry.case.phrase for entry in entries]


def gallery_of(count, each):
    questions = [Question(str(number), "noun", MASK) for number in range(1, count + 1)]
    questions += [Question(str(number), "absent", ~MASK & MASK) for number in range(count)]
    gallery = Gallery(each)
    evaluate(Growing(), [Picture("a.png", RGB, tuple(questions))], on_case=gallery.offer)
    return gallery


def test_the_best_and_the_worst_are_kept_in_order():
    gallery = gallery_of(count=7, each=2)
    assert shown(gallery.best("noun")) == ["7", "6"] and shown(gallery.worst("noun")) == ["1", "2"]
    assert shown(gallery.best("absent")) == ["0", "1"] and shown(gallery.worst("absent")) == ["6", "5"]
    assert gallery.best("visual") == gallery.worst("visual") == []


def test_no_case_is_shown_twice():
    gallery = gallery_of(count=3, each=2)
    assert shown(gallery.best("noun")) == ["3", "2"] and shown(gallery.worst("noun")) == ["1"]


def test_an_empty_gallery_is_refused():
    with pytest.raises(ValueError, match="keeps 0 cases"):
        Gallery(0)


def test_outlines_show_truth_and_answer():
    probability = np.float32(0.9 * np.roll(MASK, 15, axis=1))
    image = pixels(draw(Picture("a.png", RGB, ()), Question("cup", "noun", MASK), probability, 0.5))
    assert image.shape == (200, 2 * WIDTH, 3)
    left, right = image[:, :WIDTH].astype(int), image[:, WIDTH:].astype(int)
    green = (left[..., 1] - left[..., 0]) > 60
    red = (right[..., 0] - right[..., 1]) > 60
    # 5 pixels of the page for 1 of the picture
    for outline, first, last in ((green, 20, 40), (red, 35, 55)):
        rows, columns = np.nonzero(outline)
        assert abs(columns.min() - 5 * first) <= 4 and abs(columns.max() - 5 * last) <= 4
        assert abs(rows.min() - 5 * 10) <= 4 and abs(rows.max() - 5 * 30) <= 4
    assert right[100, 225].mean() > 100 > right[5, 5].mean(), "what is likely is bright"


def test_the_example_of_a_visual_prompt_is_shown():
    support = (np.full((20, 10, 3), 200, np.uint8), None)
    question = Question("cup", "visual", MASK, support=support)
    image = pixels(draw(Picture("a.png", RGB, ()), question, np.float32(MASK), 0.5))
    assert image.shape == (200, 2 * WIDTH + 100, 3) and abs(image[100, -20].mean() - 200) < 3
