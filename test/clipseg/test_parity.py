# SPDX-License-Identifier: Apache-2.0
"""The network equals the reference: from what `transformers` saved it computes the same logits."""

import shutil

import pytest
import torch

from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint

transformers = pytest.importorskip("transformers")

TOLERANCE = 1e-4
"""Largest difference of a logit, relative to the standard deviation of the logits."""

START, END = 49406, 49407


def tiny_config(**changes) -> "transformers.CLIPSegConfig":
    tower = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 48}
    return transformers.CLIPSegConfig(
        **{
            "vision_config": {**tower, "image_size": 64, "patch_size": 16},
            "text_config": tower,
            "projection_dim": 24,
            "extract_layers": [0, 2],
            "reduce_dim": 16,
            "decoder_intermediate_size": 40,
            **changes,
        }
    )


def published_size(*, refined: bool) -> "transformers.CLIPSegForImageSegmentation":
    """A random network as large as the published ones, in which prompts, biases and norms all matter."""
    torch.manual_seed(int(refined))
    config = transformers.CLIPSegConfig(
        vision_config={"patch_size": 16},
        use_complex_transposed_convolution=refined,
    )
    model = transformers.CLIPSegForImageSegmentation(config).eval()
    with torch.no_grad():
        for module in model.decoder.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        model.clip.text_model.embeddings.token_embedding.weight.mul_(5)
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return model


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "refined"])
def networks(request, tmp_path_factory):
    """The reference and our network, loaded from what the reference saved."""
    reference = published_size(refined=request.param)
    folder = tmp_path_factory.mktemp("published")
    reference.save_pretrained(folder)
    ours = load_checkpoint(folder)
    shutil.rmtree(folder)
    assert ours.trained
    assert ours.model.config.refined is request.param
    return reference, ours.model


def tokens(*words: int) -> torch.Tensor:
    row = torch.zeros(77, dtype=torch.int64)
    row[: len(words) + 2] = torch.tensor([START, *words, END])
    return row


@pytest.mark.parametrize("side", [224, 352, 448])
@pytest.mark.parametrize("kind", ["text", "visual"])
@torch.no_grad()
def test_logits_equal_the_reference(networks, side, kind):
    reference, ours = networks
    generator = torch.Generator().manual_seed(side)
    pixels = torch.randn(1, 3, side, side, generator=generator)
    if kind == "text":
        prompts = torch.stack([tokens(320, 5352), tokens(320, 736, 2543, 530, 518, 1312)])
        conditional = {"input_ids": prompts, "attention_mask": (prompts > 0).long()}
        embeddings = ours.encode_text(prompts)
    else:
        light_and_dark = torch.tensor([2.0, -2.0]).view(2, 1, 1, 1)
        prompts = light_and_dark + 0.3 * torch.randn(2, 3, side, side, generator=generator)
        conditional = {"conditional_pixel_values": prompts}
        embeddings = ours.encode_visual_prompt(prompts)
    expected = reference(pixel_values=pixels.expand(2, -1, -1, -1), **conditional).logits
    logits = ours.decode(ours.encode_image(pixels), embeddings)[0]
    assert logits.shape == (2, side, side)
    spread = expected.std()
    assert (expected[0] - expected[1]).abs().max() > spread / 2, (
        "the prompts hardly matter, so equality proves little"
    )
    assert (logits - expected).abs().max() <= TOLERANCE * spread


@torch.no_grad()
def test_activations_of_an_oblong_picture_equal_the_reference(tmp_path):
    reference = transformers.CLIPSegForImageSegmentation(tiny_config())
    reference.save_pretrained(tmp_path)
    ours = load_checkpoint(tmp_path).model
    pixels = torch.randn(2, 3, 48, 112)
    features = ours.encode_image(pixels)
    vision = reference.clip.vision_model(pixels, interpolate_pos_encoding=True, output_hidden_states=True)
    assert features.grid == (3, 7)
    for layer, activation in zip(ours.config.extract_layers, features.activations):
        torch.testing.assert_close(activation, vision.hidden_states[layer + 1], rtol=1e-4, atol=1e-5)
