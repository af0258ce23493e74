# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassJaccardIndex

from clipseg_ros.lab.evaluation.multilabel import IGNORED, ConfusionMatrix, evaluate_labels, label_map
from clipseg_ros.perception.masks import NO_PROMPT, label_image

# classes 1 and 2 on a 2 x 3 picture, background threshold 0.55:
#   class 1  .9 .6 .2      class 2  .1 .7 .5      labels  1 2 0
#            .4 .5 .8               .3 .9 .8              0 2 1   (.8 = .8: the first class)
MAPS = np.array([[[0.9, 0.6, 0.2], [0.4, 0.5, 0.8]], [[0.1, 0.7, 0.5], [0.3, 0.9, 0.8]]], np.float32)
LABELS = np.array([[1, 2, 0], [0, 2, 1]])
TRUTH = np.array([[1, 1, 0], [2, 2, IGNORED]])


def test_labels_of_the_case_worked_by_hand():
    np.testing.assert_array_equal(label_map(MAPS, 0.55), LABELS)


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_class_wins_where_the_nodes_label_image_shows_it(threshold):
    shown = label_image(MAPS, [threshold, threshold])
    np.testing.assert_array_equal(label_map(MAPS, threshold), np.where(shown == NO_PROMPT, 0, shown + 1))


def test_the_background_may_be_a_map():
    background = np.array([[0.95, 0.65, 0.1], [0.5, 0.5, 0.9]])
    np.testing.assert_array_equal(label_map(MAPS, background), [[0, 2, 2], [0, 2, 0]])
    np.testing.assert_array_equal(label_map(MAPS[:0], background), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="background has shape"):
        label_map(MAPS, background[:1])
    with pytest.raises(ValueError, match=r"must be \(classes, H, W\)"):
        label_map(MAPS[0], 0.5)


def test_confusion_of_the_case_worked_by_hand():
    matrix = ConfusionMatrix(4)
    matrix.add(TRUTH, LABELS)
    # truth 1: one right, one called 2; truth 0: right; truth 2: one called 0, one right; the last is ignored
    np.testing.assert_array_equal(
        matrix.counts, [[1, 0, 0, 0], [0, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    )
    np.testing.assert_allclose(matrix.iou(), [1 / 2, 1 / 2, 1 / 3, np.nan])
    assert matrix.mean_iou() == pytest.approx((1 / 2 + 1 / 2 + 1 / 3) / 3)
    # seen: the background with 1/2 and class 2 with 1/3; class 3 is nowhere
    assert matrix.zero_shot(unseen=[1, 3]) == {
        "seen": pytest.approx((1 / 2 + 1 / 3) / 2),
        "unseen": pytest.approx(1 / 2),
        "harmonic": pytest.approx(2 * (5 / 12) * (1 / 2) / (5 / 12 + 1 / 2)),
        "overall": pytest.approx((1 / 2 + 1 / 2 + 1 / 3) / 3),
    }


def test_iou_equals_torchmetrics():
    rng = np.random.default_rng(5)
    matrix, judge = ConfusionMatrix(6), MulticlassJaccardIndex(6, average=None, ignore_index=IGNORED)
    for _ in range(3):
        truth, prediction = rng.integers(0, 6, (2, 40, 30))
        truth[rng.random(truth.shape) < 0.1] = IGNORED
        matrix.add(truth, prediction)
        judge.update(torch.from_numpy(prediction), torch.from_numpy(truth))
    np.testing.assert_allclose(matrix.iou(), judge.compute().numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("truth", "prediction", "says"),
    [
        (np.array([[3]]), np.array([[0]]), "truth span"),
        (np.array([[0]]), np.array([[IGNORED]]), "prediction span"),
        (np.array([[-1]]), np.array([[0]]), "truth span"),
        (np.zeros((1, 2), int), np.zeros((2, 1), int), "must have one shape"),
    ],
)
def test_labels_that_do_not_exist_are_refused(truth, prediction, says):
    with pytest.raises(ValueError, match=says):
        ConfusionMatrix(3).add(truth, prediction)
    with pytest.raises(ValueError, match="at least one"):
        ConfusionMatrix(0)


class Painter:
    """A segmenter that answers prompt `name` with the map of that name."""

    def __init__(self, **maps):
        self.maps = maps

    def segment(self, image, prompts):
        return np.stack([self.maps[prompt] for prompt in prompts])


def test_pictures_are_labelled_with_all_classes_at_once():
    painter = Painter(cup=MAPS[0], sofa=MAPS[1], background=np.full((2, 3), 0.2, np.float32))
    image = np.zeros((2, 3, 3), np.uint8)
    by_threshold = evaluate_labels(painter, [(image, TRUTH)], ["cup", "sofa"], background=0.55)
    assert by_threshold.counts.sum() == 5 and np.diagonal(by_threshold.counts).tolist() == [1, 1, 1]
    # 3 x 0.2 = 0.6 beats the .6 of class 1 and the .5 of class 2, as far as the others do not reach further
    by_prompt = evaluate_labels(painter, [(image, TRUTH)], ["cup", "sofa"], background_prompt="background")
    np.testing.assert_array_equal(by_prompt.counts, by_threshold.counts)
    heavy = evaluate_labels(
        painter, [(image, TRUTH)], ["cup", "sofa"], background_prompt="background", background_weight=5
    )
    assert heavy.counts[:, 0].sum() == 5
