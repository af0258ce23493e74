# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from clipseg_ros.clipseg.model import ImageFeatures
from clipseg_ros.lab.training.auxiliary import AuxiliaryConfig, AuxiliaryHeads
from clipseg_ros.lab.training.batch import Batch, PromptTable
from clipseg_ros.lab.training.conditioning import Conditioning

ALL = AuxiliaryConfig(patch_class=1.0, patch_colour=1.0, patch_text=1.0, support_text=1.0)


def inputs(patch_class):
    generator = torch.Generator().manual_seed(0)
    features = ImageFeatures((torch.randn(1, 5, 16, generator=generator),), (2, 2))
    classes = torch.eye(3, 8)
    batch = Batch(
        pixels=torch.zeros(1, 3, 16, 16, dtype=torch.uint8),
        masks=torch.zeros(1, 0, 16, 16),
        texts=[],
        supports=torch.zeros(2, 3, 16, 16, dtype=torch.uint8),
        **PromptTable(1, 0).tensors(),
        support_class=torch.tensor([1, 3]),
        patch_class=torch.tensor(patch_class),
        patch_colour=torch.tensor(patch_class),
    )
    return features, classes, batch


def test_aligned_supports_cost_less_than_others():
    features, classes, batch = inputs([[[0, 1], [2, -1]]])
    heads = AuxiliaryHeads(16, 8, classes=3, colours=3, config=ALL)
    right = heads(features, Conditioning(torch.zeros(1, 0, 8), classes, classes[[0, 2]]), batch)
    wrong = heads(features, Conditioning(torch.zeros(1, 0, 8), classes, classes[[1, 1]]), batch)
    assert right["support_text"] < 0.01 < 5.0 < wrong["support_text"]
    assert set(right) == {"patch_class", "patch_colour", "patch_text", "support_text"}
    assert all(torch.isfinite(value) for value in right.values())


def test_only_what_is_on_and_labelled_counts():
    features, classes, batch = inputs([[[-1, -1], [-1, -1]]])
    heads = AuxiliaryHeads(16, 8, classes=3, colours=3, config=AuxiliaryConfig(patch_class=0.5))
    losses = heads(features, Conditioning(torch.zeros(1, 0, 8), classes, classes[:2]), batch)
    assert list(losses) == ["patch_class"] and losses["patch_class"].item() == 0.0


def image_text(pictures, patch_class, *, weight=1.0):
    """The loss of whole-picture embeddings (B, 8) that are given as rows of an identity matrix."""
    _, classes, batch = inputs(patch_class)
    features = ImageFeatures((torch.zeros(len(patch_class), 5, 16),), (2, 2))
    heads = AuxiliaryHeads(16, 8, classes=3, colours=3, config=AuxiliaryConfig(image_text=weight))
    conditioning = Conditioning(torch.zeros(1, 0, 8), classes, classes[:0], pictures)
    return heads(features, conditioning, batch)


def test_pictures_that_are_named_for_what_they_show_cost_less():
    shown = [[[0, 1], [2, -1]], [[3, 3], [0, 0]]]
    eye = torch.eye(8)
    right = image_text(torch.stack([eye[0] + eye[1], eye[2]]), shown)["image_text"]
    half = image_text(torch.stack([eye[0], eye[2]]), shown)["image_text"]
    wrong = image_text(torch.stack([eye[2], eye[1]]), shown)["image_text"]
    assert right < half < wrong
    scale = 10.0 / 2**0.5
    two = torch.logsumexp(torch.tensor([scale, scale, 0.0]), 0) - scale
    one = torch.logsumexp(torch.tensor([0.0, 0.0, 10.0]), 0) - 10.0
    assert right.item() == pytest.approx(((two + one) / 2).item(), rel=1e-5)
    assert image_text(torch.stack([eye[0], eye[2]]), shown, weight=0.5)["image_text"] == pytest.approx(half / 2)


def test_pictures_that_show_nothing_known_do_not_count():
    eye = torch.eye(8)
    alone = image_text(eye[[2]], [[[3, 3], [0, 0]]])["image_text"]
    beside = image_text(eye[[2, 0]], [[[3, 3], [0, 0]], [[0, 0], [-1, 0]]])["image_text"]
    assert beside == pytest.approx(alone)
    assert image_text(eye[[0]], [[[0, 0], [-1, 0]]])["image_text"] == 0.0


def test_unlabelled_pictures_have_no_loss():
    features, classes, batch = inputs([[[0, 1], [2, -1]]])
    batch.patch_class = None
    heads = AuxiliaryHeads(16, 8, classes=3, colours=3, config=AuxiliaryConfig(image_text=1.0))
    assert heads(features, Conditioning(torch.zeros(1, 0, 8), classes, classes[:0], classes[:1]), batch) == {}


@pytest.mark.parametrize("weights, on", [({}, False), ({"patch_text": 0.1}, True)])
def test_any(weights, on):
    assert AuxiliaryConfig(**weights).any is on
