# SPDX-License-Identifier: Apache-2.0
"""A frame's pictures and scores are the same whether the network's maps are probabilities or levels of a byte."""
from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from clipseg_ros.clipseg import Prompt  # noqa: E402
from clipseg_ros.clipseg.maps import LEVELS, to_levels, to_probabilities  # noqa: E402
from clipseg_ros.ros.frame_result import FrameResult  # noqa: E402
from clipseg_ros.ros.objects import find_objects  # noqa: E402
from clipseg_ros.ros.prompt_store import ActivePrompts  # noqa: E402
from clipseg_ros.ros.view import View  # noqa: E402

pytestmark = pytest.mark.ros

SIZE = (60, 80)
ACTIVE = ActivePrompts(("mug", "lamp", "chair"), tuple(map(Prompt, ("mug", "lamp", "chair"))), (0.5, 0.3, 0.999))
LIMITS = {"min_area": 10, "max_regions": 5, "point": "centroid"}


@pytest.fixture(scope="module")
def results():
    """By probabilities, and by levels."""
    torch.manual_seed(1)
    logits = torch.nn.functional.interpolate(4 * torch.randn(1, 3, 5, 5), size=(32, 32), mode="bicubic")
    logits[:, 2] = logits[:, 2].clamp(max=6)  # never reaches its threshold
    rgb = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    maps = to_probabilities(logits, [SIZE])[0], to_levels(logits, [SIZE], ACTIVE.thresholds)[0]
    return [FrameResult(rgb, ACTIVE, one) for one in maps]


def test_masks_are_the_same(results):
    probabilities, levels = results
    assert 0 < np.count_nonzero(probabilities.mask) < probabilities.mask.size
    np.testing.assert_array_equal(levels.mask, probabilities.mask)
    # Where two prompts are within a step of each other, either may win.
    assert (levels.labels != probabilities.labels).mean() < 0.01


def test_scores_are_the_same_within_a_step(results):
    probabilities, levels = results
    np.testing.assert_allclose(levels.scores, probabilities.scores, rtol=0, atol=1.01 / LEVELS)
    assert 0.9 < levels.scores[2] < 0.999, "what was not found has its score too"


def test_objects_are_the_same(results):
    found = [find_objects(result, View(), LIMITS) for result in results]
    assert len(found[0]) == len(found[1]) > 2
    for one, other in zip(*found):
        assert (one.prompt, one.region.area, one.region.roi) == (other.prompt, other.region.area, other.region.roi)
        assert one.region.score == pytest.approx(other.region.score, abs=1.01 / LEVELS)


def test_stacked_probabilities(results):
    probabilities, levels = results
    assert levels.stacked.dtype == probabilities.stacked.dtype == np.float32
    np.testing.assert_allclose(levels.stacked, probabilities.stacked, rtol=0, atol=1.01 / LEVELS)


def test_the_overlay_shows_the_same(results):
    probabilities, levels = results
    assert (levels.overlay != probabilities.overlay).mean() < 0.02
