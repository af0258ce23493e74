# SPDX-License-Identifier: Apache-2.0
"""The network's calls: what they encode, what they refuse, and that a fresh network learns."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from clipseg_ros.clipseg import model
from clipseg_ros.clipseg.model import SMALL, VIT_B_16, CLIPSeg, CLIPSegConfig, ImageFeatures

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = CLIPSegConfig(
    clip={
        "embed_dim": 32,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 64, "layers": 4, "width": 64, "head_width": 32, "patch_size": 8},
        "text_cfg": {"context_length": 8, "vocab_size": 16, "width": 32, "heads": 2, "layers": 1},
    },
    extract_layers=(0, 1, 2),
    reduce_dim=32,
    decoder_intermediate=64,
    image_size=64,
)
START, END = 14, 15


@pytest.fixture(scope="module")
def network() -> CLIPSeg:
    torch.manual_seed(0)
    return CLIPSeg(TINY).eval()


def text(*words: int) -> torch.Tensor:
    return torch.tensor([START, *words, END] + [0] * (6 - len(words)))


@pytest.mark.parametrize(
    "config", [VIT_B_16, SMALL, replace(TINY, token_ids=(3, 49406, 49407), refined=True, presence=True)]
)
def test_a_configuration_survives_json(config):
    assert CLIPSegConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [({"clip": {}, "reduce_dims": 3}, "'reduce_dims'"), ({"reduce_dim": 3}, "lacks 'clip'")],
)
def test_a_wrong_configuration_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        CLIPSegConfig.from_dict(values)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (replace(TINY, extract_layers=(1, 4)), "blocks 0 to 3"),
        (replace(TINY, extract_layers=()), "blocks 0 to 3"),
        (replace(TINY, extract_layers=(2, 1)), "ascend"),
        (replace(TINY, clip={"embed_dim": 8, "vision_cfg": {}}), "lacks 'text_cfg'"),
        (replace(TINY, clip={**TINY.clip, "vision_cfg": {"depth": 3}}), "depth"),
    ],
)
def test_an_impossible_network_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        CLIPSeg(config)


@torch.no_grad()
def test_an_image_runs_through_the_blocks_that_the_decoder_reads_only(network):
    runs = []
    hooks = [
        block.register_forward_hook(lambda *_, index=index: runs.append(index))
        for index, block in enumerate(network.clip.visual.transformer.resblocks)
    ]
    network.encode_image(torch.randn(1, 3, 64, 64))
    assert runs == [0, 1, 2]
    runs.clear()
    network.encode_visual_prompt(torch.randn(1, 3, 64, 64))
    assert runs == [0, 1, 2, 3]
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize(("height", "width"), [(64, 64), (32, 96), (72, 40), (8, 8)])
@torch.no_grad()
def test_any_multiple_of_the_patch_size_works(network, height, width):
    features = network.encode_image(torch.randn(2, 3, height, width))
    assert features.grid == (height // 8, width // 8)
    assert network.decode(features, torch.randn(3, 32)).shape == (2, 3, height, width)
    assert network.encode_visual_prompt(torch.randn(2, 3, height, width)).shape == (2, 32)


@pytest.mark.parametrize(("height", "width"), [(60, 64), (64, 65), (0, 64)])
def test_other_sizes_are_refused(network, height, width):
    with pytest.raises(ValueError, match=f"{width}x{height} pixels.*multiples of 8"):
        network.encode_image(torch.zeros(1, 3, height, width))


@pytest.mark.parametrize("prompts", [0, 1, 2])
@torch.no_grad()
def test_shapes_do_not_collapse(network, prompts):
    features = network.encode_image(torch.randn(1, 3, 64, 64))
    embeddings = network.encode_text(
        torch.stack([text(1)] * prompts) if prompts else torch.zeros(0, 8, dtype=torch.int64)
    )
    assert embeddings.shape == (prompts, 32)
    assert network.decode(features, embeddings).shape == (1, prompts, 64, 64)


@torch.no_grad()
def test_prompts_in_several_parts_give_what_they_give_at_once(network, monkeypatch):
    features, embeddings = network.encode_image(torch.randn(2, 3, 64, 64)), torch.randn(2, 5, 32)
    at_once = network.decode(features, embeddings)
    monkeypatch.setattr(model, "HIDDEN_BYTES", 2 * (2 * 65 * TINY.decoder_intermediate * 4))
    runs = []
    paint = network.decoder.paint
    monkeypatch.setattr(network.decoder, "paint", lambda *given: runs.append(given[2].shape[-2]) or paint(*given))
    torch.testing.assert_close(network.decode(features, embeddings), at_once, rtol=1e-4, atol=1e-5)
    assert runs == [2, 2, 1]


def test_features_of_a_batch_are_split_into_images_and_joined_again():
    first, second = torch.arange(24.0).reshape(3, 4, 2), torch.arange(12.0).reshape(3, 4, 1)
    parts = ImageFeatures((first, second), (1, 3)).split()
    assert [part.grid for part in parts] == [(1, 3)] * 3
    for index, part in enumerate(parts):
        assert torch.equal(part.activations[0], first[index:index + 1])
        assert torch.equal(part.activations[1], second[index:index + 1])
        assert part.activations[0].untyped_storage().nbytes() == 4 * 2 * 4
    joined = ImageFeatures.join([parts[2], parts[0]])
    assert joined.grid == (1, 3)
    assert torch.equal(joined.activations[0], first[[2, 0]])
    assert torch.equal(joined.activations[1], second[[2, 0]])


def test_features_of_one_image_are_not_copied():
    features = ImageFeatures((torch.zeros(1, 4, 2),), (1, 3))
    assert features.split()[0].activations[0] is features.activations[0]
    assert ImageFeatures.join([features]).activations[0] is features.activations[0]


@torch.no_grad()
def test_a_text_means_the_same_whatever_stands_behind_it_or_beside_it(network):
    short, long = text(3, 4), text(1, 2, 3, 4, 5)
    junk = torch.where(torch.arange(8) > 3, torch.tensor(7), short)
    alone, padded, together = (
        network.encode_text(rows) for rows in (short[None], junk[None], torch.stack([long, short]))
    )
    torch.testing.assert_close(alone, padded)
    torch.testing.assert_close(alone[0], together[1])
    assert not torch.allclose(together[0], together[1])


@torch.no_grad()
def test_the_text_tower_equals_open_clip(network):
    rows = torch.stack([text(3, 4), text(1, 2, 3, 4, 5)])
    torch.testing.assert_close(
        network.encode_text(rows), network.clip.encode_text(rows), rtol=1e-4, atol=1e-5
    )


@torch.no_grad()
def test_the_image_tower_equals_open_clip(network):
    pixels = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(
        network.encode_visual_prompt(pixels), network.clip.encode_image(pixels), rtol=1e-4, atol=1e-5
    )


def squares() -> tuple[torch.Tensor, torch.Tensor]:
    """Four pictures (4, 3, 64, 64) of a red and a blue square, and the masks (4, 2, 64, 64) of each."""
    pixels, masks = torch.zeros(4, 3, 64, 64), torch.zeros(4, 2, 64, 64)
    for picture, (red, blue) in enumerate(
        [((4, 6), (38, 30)), ((36, 8), (2, 36)), ((20, 40), (30, 4)), ((2, 2), (40, 40))]
    ):
        for index, (row, col) in enumerate((red, blue)):
            area = (slice(row, row + 20), slice(col, col + 20))
            pixels[picture, (0, 2)[index]][area] = 2.0
            masks[picture, index][area] = 1.0
    return pixels, masks


def test_a_fresh_network_learns_a_fixed_batch():
    torch.manual_seed(0)
    network = CLIPSeg(TINY).train()
    pixels, masks = squares()
    prompts = torch.stack([text(1), text(2)])
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3)
    for _ in range(60):
        logits = network.decode(network.encode_image(pixels), network.encode_text(prompts))
        probability = logits.sigmoid()
        dice = 1 - (2 * (probability * masks).sum((2, 3)) + 1) / (
            probability.sum((2, 3)) + masks.sum((2, 3)) + 1
        )
        loss = nn.functional.binary_cross_entropy_with_logits(logits, masks) + dice.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = logits > 0
    iou = (found & (masks > 0)).sum() / (found | (masks > 0)).sum()
    assert iou > 0.7
