# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from clipseg_ros.lab.training.losses import balanced_bce, batch_iou, choice_loss, dice, presence_loss, segmentation_loss


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 8, 8, generator=generator)
    masks = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    masks[:, :2, 2:4, 2:4] = 1
    return logits, masks


def test_the_default_is_the_papers_binary_cross_entropy(batch):
    logits, masks = batch
    assert segmentation_loss(logits, masks) == pytest.approx(
        F.binary_cross_entropy_with_logits(logits, masks.float()).item()
    )


def test_balance_weighs_the_object_by_a_power_of_its_rareness():
    logits = torch.full((1, 1, 2, 5), 0.0)
    logits[0, 0, 0, 0] = -1.0
    masks = torch.zeros(1, 1, 2, 5)
    masks[0, 0, 0, 0] = 1  # 1 pixel of 10: weight sqrt(9 / 1) = 3
    expected = (9 * math.log(2) + 3 * math.log(1 + math.e)) / (9 + 3)
    assert balanced_bce(logits, masks, balance=0.5).item() == pytest.approx(expected, rel=1e-6)


def test_balance_never_weighs_an_object_less_and_stops_at_the_limit(batch):
    logits, masks = batch
    most = torch.ones_like(masks)
    assert torch.allclose(balanced_bce(logits, most, balance=1.0), balanced_bce(logits, most))
    assert torch.allclose(balanced_bce(logits, masks, balance=1.0, max_weight=1.0), balanced_bce(logits, masks))


@pytest.mark.parametrize(
    "found, truth, loss",
    [
        (4, 4, 0.0),  # all and nothing else
        (0, 4, 1 - 0.1 / (4 + 0.1)),  # nothing found
        (8, 0, 1 - 0.1 / (8 + 0.1)),  # an absent phrase, 8 pixels found
        (0, 0, 0.0),  # an absent phrase, nothing found
        (8, 4, 1 - (8 + 0.1) / (12 + 0.1)),
    ],
)
def test_dice_by_hand(found, truth, loss):
    logits = torch.full((1, 1, 1, 100), -100.0)
    logits[..., :found] = 100.0
    masks = torch.zeros(1, 1, 1, 100)
    masks[..., :truth] = 1
    assert dice(logits, masks, smooth=0.001).item() == pytest.approx(loss, abs=1e-5)


def test_dice_weights_tell_present_from_absent(batch):
    logits, masks = batch
    each = dice(logits, masks)
    plain = segmentation_loss(logits, masks)
    both = segmentation_loss(logits, masks, dice_weight=2.0, absent_dice_weight=0.5)
    expected = plain + (2.0 * each[:, :2].sum() + 0.5 * each[:, 2].sum()) / 6
    assert both.item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_cross_entropy_of_absent_prompts_has_a_weight_of_its_own(batch):
    logits, masks = batch
    each = balanced_bce(logits, masks, balance=0.5)
    loss = segmentation_loss(logits, masks, balance=0.5, absent_weight=3.0)
    assert loss.item() == pytest.approx((each.sum() + 2.0 * each[:, 2].sum()).item() / 6, rel=1e-5)


def test_batch_iou_and_empty_share():
    logits = torch.full((1, 3, 10, 100), -1.0)
    logits[0, 0, 0, :20] = 1.0  # 20 found, 10 true: IoU 0.5
    logits[0, 1, 0, :1] = 1.0  # absent, 1 of 1,000 pixels: empty
    logits[0, 2, 0, :2] = 1.0  # absent, 2 of 1,000 pixels: not empty
    masks = torch.zeros(1, 3, 10, 100)
    masks[0, 0, 0, :10] = 1
    assert batch_iou(logits, masks) == (pytest.approx(0.5), pytest.approx(0.5))


def test_a_pixel_that_reaches_the_threshold_is_found():
    logits, masks = torch.full((1, 2, 10, 100), -1.0), torch.zeros(1, 2, 10, 100)
    logits[0, 0, 0, :20], masks[0, 0, 0, :20] = 0.0, 1  # a probability of 0.5
    logits[0, 1, 0, :3] = 0.0
    assert batch_iou(logits, masks) == (1.0, 0.0)


def scores_of(*probabilities):
    """Logits of one prompt on a picture of ten pixels for each object, and the objects' ids."""
    logits = torch.logit(torch.tensor(probabilities)).repeat_interleave(10)[None, None, None]
    return logits, torch.arange(1, len(probabilities) + 1, dtype=torch.uint8).repeat_interleave(10)[None, None]


@pytest.mark.parametrize(
    "meant, expected",
    [
        ([1], math.log((4 + 1 + 0.25) / 4)),  # odds 4, 1 and 1 / 4
        ([2], math.log((4 + 1 + 0.25) / 1)),
        ([1, 2], math.log((4 + 1 + 0.25) / 5)),
        ([1, 2, 3], 0.0),  # nothing to choose
        ([], 0.0),  # absent
    ],
)
def test_choice_by_hand(meant, expected):
    logits, ids = scores_of(0.8, 0.5, 0.2)
    masks = torch.isin(ids, torch.tensor(meant, dtype=torch.uint8))[None]
    assert choice_loss(logits, masks, ids).item() == pytest.approx(expected, abs=1e-5)


def test_choice_leaves_out_background_and_specks():
    logits, ids = scores_of(0.8, 0.5, 0.2, 0.9)
    masks = (ids == 1)[None]
    ids[ids == 4] = 0
    ids[0, 0, 20:29] = 0
    assert choice_loss(logits, masks, ids, smallest=0.1).item() == pytest.approx(math.log(5 / 4), abs=1e-5)


def test_choice_means_an_object_that_is_half_covered():
    logits, ids = scores_of(0.8, 0.5)
    masks = torch.zeros(1, 1, 1, 20)
    masks[..., 5:14] = 1  # half of the first object, four tenths of the second
    assert choice_loss(logits, masks, ids).item() == pytest.approx(math.log(5 / 4), abs=1e-5)


def test_choice_gradient_raises_what_is_meant_and_lowers_what_is_not():
    logits, ids = scores_of(0.001, 0.999)
    logits.requires_grad_(True)
    choice_loss(logits, (ids == 1)[None], ids).backward()
    assert (logits.grad[..., :10] < -0.05).all() and (logits.grad[..., 10:] > 0.05).all()


def test_presence_by_hand():
    masks = torch.zeros(1, 2, 4, 4)
    masks[0, 0, 1, 1] = 1
    loss = presence_loss(torch.tensor([[0.0, 3.0]]), masks)
    assert loss.item() == pytest.approx((math.log(2) + math.log(1 + math.exp(3))) / 2)
