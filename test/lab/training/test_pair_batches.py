# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from clipseg_ros.clipseg.prompts import TEMPLATES
from clipseg_ros.lab.datasets.folder import FolderWriter
from clipseg_ros.lab.training.pair_batches import PairBatchConfig, PairBatches, fill_template
from clipseg_ros.lab.training.pairs import Example, FolderPairs


class Squares:
    """Pairs in memory: phrase n names the square n of picture n; "twin" phrases come twice."""

    def __init__(self, phrases: list[str]) -> None:
        self.phrases = phrases

    def __len__(self) -> int:
        return len(self.phrases)

    def phrase(self, number: int) -> str:
        return self.phrases[number]

    def kind(self, number: int) -> str:
        return "noun"

    def picture(self, number: int) -> int:
        return number

    def load(self, number: int) -> Example:
        image = np.full((20, 30, 3), 10 * number, np.uint8)
        mask = np.zeros((20, 30), bool)
        mask[5:15, 10:20] = True
        return Example(image, mask)

    def support(self, number: int, rng: np.random.Generator) -> Example | None:
        return self.load(number) if self.phrases.count(self.phrases[number]) > 1 else None


def batches(phrases=("a", "b", "c", "d"), **changes) -> PairBatches:
    return PairBatches(Squares(list(phrases)), PairBatchConfig(**{"side": 32, "batch_size": 50, **changes}))


@pytest.mark.parametrize("rate, low, high", [(0.2, 0.17, 0.23), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)])
def test_share_of_negatives_and_their_empty_masks(rate, low, high):
    source = batches(negatives=rate, templates=False)
    empty = []
    for index in range(40):
        batch = source[index]
        colours = (batch.pixels[:, 0, 0, 0] // 10).tolist()
        for row, number in enumerate(colours):
            negative = batch.texts[batch.text_index[row, 0]] != "abcd"[number]
            assert negative == (not batch.masks[row].any())
            empty.append(negative)
    assert low <= np.mean(empty) <= high


@pytest.mark.parametrize("phrase, negatives", [("dog", {"cup"}), ("cup", {"dog"}), ("hat", {"cup"})])
def test_negatives_are_phrases_of_other_pictures_alone(tmp_path, phrase, negatives):
    mask = np.ones((8, 8), bool)
    with FolderWriter(tmp_path) as folder:
        for grey, phrases in ((10, ("cup", "hat")), (20, ("dog", "hat"))):
            image = folder.add_image(np.full((8, 8, 3), grey, np.uint8))
            for text in phrases:
                folder.add_prompt(image, text, "noun", mask=mask)
    config = PairBatchConfig(side=8, batch_size=32, negatives=1.0, templates=False)
    batch = PairBatches(FolderPairs(tmp_path), config)[0]
    greys = {"cup": [10], "dog": [20], "hat": [20]}[phrase]
    asked = {batch.texts[batch.text_index[row, 0]] for row in range(32) if int(batch.pixels[row, 0, 0, 0]) in greys}
    assert asked == negatives and not batch.masks.any()


def test_without_another_phrase_there_are_no_negatives():
    assert batches(["a"], negatives=1.0)[0].masks.flatten(1).any(dim=1).all()


def test_every_pair_once_per_epoch():
    source = batches("abcdefgh", negatives=0.0, batch_size=4)
    numbers = torch.cat([source[0].pixels[:, 0, 0, 0], source[1].pixels[:, 0, 0, 0]]) // 10
    assert sorted(numbers.tolist()) == list(range(8))
    assert (source[2].pixels[:, 0, 0, 0] // 10).tolist() != numbers[:4].tolist()


def test_batches_depend_on_their_number_alone():
    one, two = batches()[3], batches()[3]
    assert (
        one.texts == two.texts and torch.equal(one.masks, two.masks) and torch.equal(one.text_weight, two.text_weight)
    )


def test_all_nine_templates_are_drawn():
    rng = np.random.default_rng(0)
    drawn = {fill_template("cup", rng, True) for _ in range(300)}
    assert len(TEMPLATES) == 9 and drawn == {template.replace("{}", "cup") for template in TEMPLATES}
    assert fill_template("cup", rng, False) == "cup" and fill_template("", rng, True) is None


def test_support_pictures_are_mixed_in_with_uniform_weights():
    source = batches(["twin"] * 4 + ["alone"], negatives=0.0, text_weight=[0.2, 0.8], batch_size=60)
    batch = source[0]
    twin = batch.support_index[:, 0] >= 0
    weights = batch.text_weight[twin, 0]
    assert 0.5 < twin.float().mean() < 1.0
    assert weights.min() >= 0.2 and weights.max() <= 0.8 and weights.std() > 0.1
    assert (batch.text_weight[~twin] == 1.0).all()
    assert batch.supports.shape == (int(twin.sum()), 3, 32, 32)


def test_folder_supports_are_their_own_or_those_of_the_same_phrase(tmp_path):
    mask = np.zeros((20, 20), bool)
    mask[:5] = True
    with FolderWriter(tmp_path) as folder:
        for grey in (10, 20, 30):
            image = folder.add_image(np.full((20, 20, 3), grey, np.uint8))
            folder.add_prompt(image, "cup" if grey < 30 else "dog", "noun", mask=mask)
        support = folder.add_visual(np.full((8, 9, 3), 99, np.uint8), np.ones((8, 9), bool))
        folder.add_prompt(image, "hat", "visual", mask=mask, visual=support)
    pairs, rng = FolderPairs(tmp_path), np.random.default_rng(0)
    assert pairs.support(0, rng).image[0, 0, 0] == 20 and pairs.support(1, rng).image[0, 0, 0] == 10
    assert pairs.support(2, rng) is None
    assert pairs.support(3, rng).image.shape == (8, 9, 3)
