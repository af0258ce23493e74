# SPDX-License-Identifier: Apache-2.0
"""A prompt with negatives counts only where it beats them, whoever asks and whatever runs the network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from networks import network, picture

from clipseg_ros.clipseg import Prompt, Segmenter
from clipseg_ros.clipseg.cuda.backend import GpuBackend
from clipseg_ros.clipseg.negatives import contrasted, with_negatives
from clipseg_ros.lab.scenes.recorded import load_recorded

pytestmark = pytest.mark.usefixtures("one_thread")

LINE = [Prompt("mug", unlike=("bowl", "plate")), Prompt("bowl", unlike="mug"), Prompt("plate"),
        Prompt("lamp", unlike="bowl")]


@pytest.fixture(scope="module")
def small():
    return network()


@pytest.fixture
def segmenter(small):
    return Segmenter(small, device="cpu")


def expected(raw: np.ndarray) -> np.ndarray:
    """What `LINE` means, of the logits of mug, bowl, plate and lamp each for itself."""
    mug, bowl, plate, lamp = raw
    return np.stack([np.where(np.maximum(bowl, plate) > mug, -np.inf, mug), np.where(mug > bowl, -np.inf, bowl), plate,
                     np.where(bowl > lamp, -np.inf, lamp)])


def test_each_negative_is_decoded_once_behind_the_prompts():
    assert with_negatives(LINE) == [*LINE]
    more = [Prompt("mug", unlike=("bowl", "plate")), Prompt("lamp", unlike=("bowl", "mug"))]
    assert with_negatives(more) == [*more, Prompt("bowl"), Prompt("plate")]


def test_an_equal_negative_does_not_beat_and_nothing_is_copied_without_negatives():
    logits = torch.tensor([1.0, 1.0, 0.5]).view(1, 3, 1, 1)
    assert contrasted(logits, [Prompt("a", unlike="b"), Prompt("b"), Prompt("c")]).flatten().tolist() == [1, 1, 0.5]
    assert contrasted(logits, [Prompt("c", unlike=("a", "b"))]).flatten().tolist() == [1.0]
    plain = [Prompt("a"), Prompt("b"), Prompt("c")]
    assert contrasted(logits, plain) is logits


def test_prompts_count_where_they_beat_their_negatives(segmenter):
    images = [picture(), picture(30, 20, seed=2)]
    raw = segmenter.logits(images, ["mug", "bowl", "plate", "lamp"])
    found = segmenter.logits(images, LINE)
    for one, plain in zip(found, raw, strict=True):
        np.testing.assert_allclose(one, expected(plain), atol=1e-5)
    assert 0.05 < np.isinf(found).mean() < 0.9, "there must be winners and losers"
    alone, = segmenter.segment(images[0], LINE[0])
    assert alone.shape == images[0].shape[:2], "a negative gets no map"
    np.testing.assert_allclose(alone, segmenter.segment(images[0], LINE)[0], atol=1e-5)
    assert (alone == 0).any() and np.isfinite(alone).all()


def test_every_backend_does_the_same(small, segmenter):
    reference = segmenter.logits(picture(), LINE)
    segmenter._backend = GpuBackend(small, segmenter.input_size, progress=print)  # the steps of a GPU
    found = segmenter.logits(picture(), LINE, camera="other")
    same = np.isinf(found) == np.isinf(reference)
    assert same.mean() > 0.999
    both = same & np.isfinite(found)
    np.testing.assert_allclose(found[both], reference[both], atol=0.1)


@pytest.mark.parametrize("levels", [False, True])
def test_maps_have_nothing_where_a_negative_wins(segmenter, monkeypatch, levels):
    if levels:
        segmenter.segment(picture(), LINE)
        monkeypatch.setattr(Segmenter, "device", torch.device("cuda"))
    maps, = segmenter.maps([picture()], LINE, [0.3] * 4, camera=[""], exact=False)
    assert maps.values.dtype == (np.uint8 if levels else np.float32)
    raw = segmenter.logits(picture(), ["mug", "bowl", "plate", "lamp"])
    wanted = [cv2.resize(1 / (1 + np.exp(-one)), (80, 48)) for one in expected(raw)]
    np.testing.assert_allclose(maps.probabilities, wanted, rtol=0, atol=1.01 / 255 if levels else 1e-5)


@pytest.mark.parametrize(("scene", "meant", "other"), [
    (0, "chair", "armchair"), (0, "armchair", "chair"), (1, "bowl", "plate")])
def test_a_negative_drops_what_the_demo_model_takes_for_the_thing(demo, scene, meant, other):
    recorded = load_recorded()[scene]
    own, wrong = (recorded.mask(one.id for one in recorded.objects if one.category == category)
                  for category in (meant, other))
    plain, without = (demo.segment(recorded.rgb, prompt)[0] >= demo.threshold
                      for prompt in (meant, Prompt(meant, unlike=other)))
    assert plain[wrong].mean() > 0.5
    assert without[wrong].mean() < 0.1
    assert without[own].mean() > 0.8 * plain[own].mean()
    assert not (without & ~plain).any()


@pytest.fixture(scope="module")
def demo():
    return Segmenter.load("demo", device="cpu")
