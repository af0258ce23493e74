# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from skimage.metrics import mean_squared_error
from skimage.morphology import dilation, disk, erosion
from torchmetrics.regression import MeanAbsoluteError

from clipseg_ros.lab.evaluation.matting import (
    MattingErrors,
    MattingMeasures,
    make_trimap,
    matting_errors,
    region_errors,
)

# truth  1 1 0    prediction  .9 .5 0    |difference|  .1 .5 0    sum 1.0, squares .01 + .25 + .01 + .04 = .31
#        1 0 0                .9 .2 .0                 .1 .2 .1 of .1
TRUTH = np.array([[1, 1, 0], [1, 0, 0]], np.float32)
GUESS = np.array([[0.9, 0.5, 0.0], [0.9, 0.2, 0.1]], np.float32)


def test_errors_of_the_case_worked_by_hand():
    errors = matting_errors(GUESS, TRUTH)
    assert errors.sad == pytest.approx((0.1 + 0.5 + 0.1 + 0.2 + 0.1) / 1000)
    assert errors.mad == pytest.approx(1.0 / 6)
    assert errors.mse == pytest.approx((0.01 + 0.25 + 0.01 + 0.04 + 0.01) / 6)


def test_errors_of_a_region_worked_by_hand():
    region = np.array([[1, 1, 0], [0, 0, 0]], bool)
    errors = matting_errors(GUESS, TRUTH, region)
    assert errors == pytest.approx((0.6 / 1000, 0.26 / 2, 0.6 / 2))
    nowhere = matting_errors(GUESS, TRUTH, np.zeros_like(region))
    assert nowhere.sad == 0 and np.isnan(nowhere.mse) and np.isnan(nowhere.mad)
    with pytest.raises(ValueError, match="differ in shape"):
        matting_errors(GUESS, TRUTH, region[:1])


def test_errors_equal_scikit_image_and_torchmetrics():
    truth, guess = np.random.default_rng(6).random((2, 30, 40)).astype(np.float32)
    errors = matting_errors(guess, truth)
    assert errors.mse == pytest.approx(mean_squared_error(truth, guess), rel=1e-6)
    mad = MeanAbsoluteError()(torch.from_numpy(guess), torch.from_numpy(truth)).item()
    assert errors.mad == pytest.approx(mad, rel=1e-5)
    assert errors.sad == pytest.approx(errors.mad * 1200 / 1000)


def test_the_trimap_is_a_band_around_the_outline():
    truth = np.zeros((7, 9), np.float32)
    truth[:, :5] = 1
    expected = np.array([255, 255, 255, 255, 128, 128, 0, 0, 0])
    np.testing.assert_array_equal(make_trimap(truth, 1), np.tile(expected, (7, 1)))
    truth[3, 7] = 0.5
    assert make_trimap(truth, 0)[3].tolist() == [255, 255, 255, 255, 255, 0, 0, 128, 0]
    assert (make_trimap(np.ones((4, 4)), 3) == 255).all() and (make_trimap(np.zeros((4, 4)), 3) == 0).all()
    with pytest.raises(ValueError, match="radius is -1"):
        make_trimap(truth, -1)


def test_the_trimap_equals_scikit_image_morphology():
    truth = np.zeros((60, 80), np.float32)
    truth[15:50, 20:70], truth[30:35, 30:50] = 1, 0.4
    trimap = make_trimap(truth, 1)
    cross = disk(1)
    np.testing.assert_array_equal(trimap == 255, erosion((truth >= 1).astype(np.uint8), cross) == 1)
    np.testing.assert_array_equal(trimap == 0, dilation((truth > 0).astype(np.uint8), cross) == 0)


def test_regions_add_up_to_the_whole():
    rng = np.random.default_rng(7)
    truth = np.zeros((50, 60), np.float32)
    truth[10:40, 15:45] = 1
    errors = region_errors(rng.random(truth.shape), truth, radius=4)
    parts = [errors[region].sad for region in ("unknown", "foreground", "background")]
    assert all(part > 0 for part in parts) and sum(parts) == pytest.approx(errors["whole"].sad)


def test_entities_count_once_however_many_phrases_name_them():
    measures = MattingMeasures()
    for sad, entity in ((1.0, "cup"), (3.0, "cup"), (8.0, "sofa"), (4.0, None), (4.0, None)):
        errors = MattingErrors(sad, sad / 10, sad / 100)
        nothing = MattingErrors(0.0, float("nan"), float("nan"))
        measures.add(
            {"whole": errors, "unknown": errors, "foreground": nothing, "background": errors}, entity=entity
        )
    figures = measures.figures()
    assert figures["whole"] == pytest.approx({"sad": 20 / 5, "mse": 0.4, "mad": 0.04})
    assert figures["entities"]["sad"] == pytest.approx((2 + 8 + 4 + 4) / 4)
    assert figures["foreground"] == {"sad": 0.0, "mse": None, "mad": None}


def test_no_prompts_have_no_errors():
    assert MattingMeasures().figures()["entities"] == {"sad": None, "mse": None, "mad": None}
