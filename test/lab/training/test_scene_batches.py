# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import shapes
import torch

from clipseg_ros.clipseg.tokenizer import Tokenizer
from clipseg_ros.lab.scenes.phrases import TYPES
from clipseg_ros.lab.training.batch import KINDS
from clipseg_ros.lab.training.config import TrainingConfig, build
from clipseg_ros.lab.training.scene_batches import CLASSES, SceneBatchConfig, SceneBatches, patch_labels
from clipseg_ros.lab.training.scene_prompts import PromptMix, draw_prompts, home_texts
from clipseg_ros.lab.training.sources import scene_sources
from clipseg_ros.lab.training.token_ids import home_token_ids


@pytest.fixture(scope="module")
def store():
    return shapes.store(40)


def source(store, **changes) -> SceneBatches:
    config = SceneBatchConfig(**{"side": 64, "batch_size": 8, "prompts": 5, "supports": 3, "whole": 1.0, **changes})
    return SceneBatches(store, config, patch_size=8)


def test_masks_are_right_for_nouns_and_colours(store):
    batch = source(store, visual_prompts=0)[0]
    rows = 0
    for image in range(8):
        for place in range(5):
            text, kind = batch.texts[batch.text_index[image, place]], KINDS[batch.kinds[image, place]]
            mask = batch.masks[image, place].bool()
            assert mask.any() == (kind != "absent")
            colour = next((name for name in shapes.COLOURS if name in text.split()), None)
            if kind == "colour":
                pixels = batch.pixels[image][:, mask].T
                assert (pixels == torch.tensor(shapes.COLOURS[colour], dtype=torch.uint8)).all()
                rows += 1
    assert rows > 3


def test_flips_and_crops_keep_picture_and_mask_together(store):
    from clipseg_ros.lab.training.augment import AugmentConfig

    config = SceneBatchConfig(
        side=64, batch_size=8, prompts=4, visual_prompts=0, zoom=[1.0, 1.0], mix=PromptMix(0, 1, 0, 0, 0, 0)
    )
    batch = SceneBatches(store, config, patch_size=8, augment=AugmentConfig(flip=True))[1]
    for image, place in np.argwhere((batch.kinds == KINDS.index("colour")).numpy()):
        words = batch.texts[batch.text_index[image, place]].split()
        colour = next(shapes.COLOURS[word] for word in words if word in shapes.COLOURS)
        pixels = batch.pixels[image][:, batch.masks[image, place].bool()].T
        assert (pixels == torch.tensor(colour, dtype=torch.uint8)).all()


def test_visual_prompts_and_patch_labels(store):
    batch = source(store, visual_prompts=2)[0]
    assert (batch.kinds[:, 3:] == KINDS.index("visual")).all() and (batch.text_index[:, 3:] == -1).all()
    assert (batch.support_index[:, 3:] >= 0).all() and (batch.text_weight[:, 3:] == 0).all()
    assert batch.supports.shape == (3, 3, 64, 64)
    shown = {CLASSES[number - 1] for number in batch.support_class.tolist()}
    assert shown <= set(shapes.SHAPES)
    assert batch.patch_class.shape == (8, 8, 8) and 0 < (batch.patch_class > 0).float().mean() < 0.7


def test_patch_labels_by_hand():
    ids = np.zeros((4, 6), np.uint8)
    ids[:2, :2] = 1  # a whole patch
    ids[2, 2:4] = 2  # half a patch: neither
    ids[2:, 4:] = 3  # a whole patch without a known label
    assert patch_labels(ids, {1: 7, 2: 8, 3: -1}, 2).tolist() == [[7, 0, 0], [0, -1, -1]]


def test_two_objects_of_one_label_share_a_patch():
    ids = np.array([[1, 2], [1, 2]], np.uint8)
    assert patch_labels(ids, {1: 5, 2: 5}, 2).tolist() == [[5]]


def test_share_of_absent_prompts(store):
    rng = np.random.default_rng(0)
    phrases = [
        phrase for n in range(40) for phrase in draw_prompts(store.objects[n], store.ids[n], 8, rng, PromptMix())
    ]
    absent = np.mean([not phrase.ids for phrase in phrases])
    assert len(phrases) == 320 and 0.25 < absent < 0.5
    assert {phrase.type for phrase in phrases} <= set(TYPES)


def test_an_empty_picture_has_absent_prompts_alone():
    phrases = draw_prompts([], np.zeros((32, 32), np.uint8), 6, np.random.default_rng(0), PromptMix())
    assert len(phrases) == 6 and all(phrase.ids == () for phrase in phrases)


def test_number_of_prompts_and_side_follow_the_run(store):
    config = SceneBatchConfig(side=[[0.0, 32], [0.5, 64]], prompts=[[0.0, 0], [0.5, 4]], batch_size=4)
    batches = SceneBatches(store, config, patch_size=8, progress=lambda index: index / 10)
    assert batches[0].masks.shape == (4, 0, 32, 32) and batches[0].texts == []
    assert batches[5].masks.shape == (4, 4, 64, 64)


def test_side_of_supports_follows_the_run_and_is_the_pictures_by_default(store):
    sides = {"side": [[0.0, 32], [0.5, 64]], "prompts": 2, "supports": 2, "batch_size": 4}
    own = SceneBatchConfig(**sides, support_side=[[0.0, 16], [0.3, 24], [0.8, 48]])
    batches = SceneBatches(store, own, patch_size=8, progress=lambda index: index / 10)
    shapes_seen = [(batches[i].supports.shape[-1], batches[i].pixels.shape[-1]) for i in (0, 2, 3, 5, 8)]
    assert shapes_seen == [(16, 32), (16, 32), (24, 32), (24, 64), (48, 64)]
    like_pictures = SceneBatches(store, SceneBatchConfig(**sides), patch_size=8, progress=lambda index: index / 10)
    assert [like_pictures[index].supports.shape[-1] for index in (0, 5)] == [32, 64]


def test_a_schedule_needs_a_start(store):
    config = SceneBatchConfig(side=32, support_side=[[0.2, 16]])
    with pytest.raises(ValueError, match="first entry must be"):
        SceneBatches(store, config, patch_size=8)[0]


def test_a_zoom_of_one_is_the_whole_picture_and_two_a_quarter_of_it(store):
    whole = source(store, visual_prompts=0)[0]
    same = source(store, visual_prompts=0, whole=0.0, zoom=[1.0, 1.0])[0]
    assert torch.equal(whole.pixels.float().mean((1, 2, 3)).sort()[0], same.pixels.float().mean((1, 2, 3)).sort()[0])
    shares = [(source(store, visual_prompts=0, whole=0.0, zoom=[zoom, zoom])[0].patch_class > 0).float().mean()
              for zoom in (1.0, 2.0)]
    assert shares[1] > 1.3 * shares[0]  # most windows are put on an object


def test_supports_are_widened(store):
    pixels = [source(store, visual_prompts=1, support_stretch=stretch)[0].supports for stretch in (0.0, 0.0, 0.8)]
    assert torch.equal(pixels[0], pixels[1]) and not torch.equal(pixels[0], pixels[2])
    batches = source(store, support_stretch=0.5)
    square = np.zeros((30, 30, 3), np.uint8)
    image, mask = batches._widened(square, np.ones((30, 30), bool), np.random.default_rng(0))
    assert image.shape[:2] == mask.shape and image.shape[0] == 30 and 30 < image.shape[1] <= 45


@pytest.mark.parametrize("replicas, accumulate, half_way", [(1, 1, 5), (2, 1, 10), (2, 3, 30)])
def test_schedules_follow_the_steps_of_all_processes(store, replicas, accumulate, half_way):
    config = build(TrainingConfig, {
        "scenes": {"side": [[0.0, 32], [0.5, 64]], "prompts": 0, "batch_size": 1},
        "optimiser": {"accumulate": accumulate}, "run": {"iterations": 10}})
    batches = scene_sources(config, store, None, patch_size=8, replicas=replicas).training
    assert [batches[number].pixels.shape[-1] for number in (half_way - 1, half_way)] == [32, 64]


def test_the_closed_vocabulary_holds_every_phrase(store):
    tokenizer = Tokenizer(16, home_token_ids())
    batch = source(store, batch_size=30, mix=PromptMix(unknown=0.0))[2]
    assert [text for text in (*batch.texts, *home_texts()) if tokenizer.unknown_words(text)] == []
    assert tokenizer.unknown_words("the red zebra") == ("zebra",) and len(home_token_ids()) < 400
    unknown = source(store, mix=PromptMix(0, 0, 0, 0, 0, 1))[0]
    assert all(tokenizer.unknown_words(text) for text in unknown.texts) and not unknown.masks[:, :4].any()
