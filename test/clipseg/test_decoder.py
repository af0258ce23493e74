# SPDX-License-Identifier: Apache-2.0
"""The decoder: many prompts at once, grids of any shape, both heads, and a start from which it learns."""

import pytest
import torch

from clipseg_ros.clipseg.decoder import Decoder, patch_coordinates

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTH, EMBED, PATCH = 24, 12, 8


def make(*, seed: int = 0, **options) -> Decoder:
    torch.manual_seed(seed)
    options = {"patch_size": PATCH, "depth": 2, "reduce_dim": 16, "intermediate": 32, **options}
    return Decoder(WIDTH, EMBED, **options).eval()


def tokens(batch: int, rows: int, cols: int, depth: int = 2) -> list[torch.Tensor]:
    return [torch.randn(batch, 1 + rows * cols, WIDTH) for _ in range(depth)]


@pytest.mark.parametrize("refined", [False, True])
@pytest.mark.parametrize("conditional_layer", [0, 1])
@torch.no_grad()
def test_prompts_and_images_do_not_influence_each_other(refined, conditional_layer):
    decoder = make(refined=refined, conditional_layer=conditional_layer)
    activations, prompts = tokens(3, 4, 5), torch.randn(4, EMBED)
    together = decoder(activations, (4, 5), prompts)
    assert together.shape == (3, 4, 4 * PATCH, 5 * PATCH)
    for image in range(3):
        for prompt in range(4):
            alone = decoder([a[image : image + 1] for a in activations], (4, 5), prompts[prompt : prompt + 1])
            torch.testing.assert_close(alone[0, 0], together[image, prompt], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_each_image_may_have_prompts_of_its_own():
    decoder = make()
    activations, prompts = tokens(2, 2, 2), torch.randn(2, 3, EMBED)
    own = decoder(activations, (2, 2), prompts)
    for image in range(2):
        shared = decoder(activations, (2, 2), prompts[image])
        torch.testing.assert_close(own[image], shared[image], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_patches_land_where_the_grid_says():
    decoder = make()
    activations, prompts = tokens(1, 2, 6), torch.randn(1, EMBED)
    patches = {}
    for grid in ((2, 6), (3, 4), (1, 12)):
        logits = decoder(activations, grid, prompts)[0, 0]
        patches[grid] = (
            logits.unflatten(0, (grid[0], PATCH)).unflatten(2, (grid[1], PATCH)).transpose(1, 2).flatten(0, 1)
        )
    torch.testing.assert_close(patches[2, 6], patches[3, 4])
    torch.testing.assert_close(patches[2, 6], patches[1, 12])


@torch.no_grad()
def test_the_deepest_activation_comes_first():
    decoder = make()
    shallow, deep = tokens(1, 2, 2)
    changed = torch.randn_like(shallow)
    torch.nn.init.zeros_(decoder.reduces[1].weight)
    before = decoder([shallow, deep], (2, 2), torch.ones(1, EMBED))
    assert torch.equal(before, decoder([changed, deep], (2, 2), torch.ones(1, EMBED)))
    assert not torch.equal(before, decoder([shallow, changed], (2, 2), torch.ones(1, EMBED)))


@pytest.mark.parametrize("refined", [False, True])
@torch.no_grad()
def test_a_fresh_decoder_paints_little(refined):
    probability = make(refined=refined)(tokens(2, 4, 4), (4, 4), torch.randn(2, EMBED)).sigmoid()
    assert 0.03 < probability.mean() < 0.25


@torch.no_grad()
def test_no_pixel_is_surer_than_the_presence():
    plain, gated = make(), make(presence=True)
    gated.load_state_dict(plain.state_dict(), strict=False)
    given, prompts = tokens(2, 4, 4), torch.randn(3, EMBED)
    assert torch.equal(gated(given, (4, 4), prompts), plain(given, (4, 4), prompts).clamp(max=4.0))
    torch.nn.init.normal_(gated.presence.weight)
    torch.nn.init.zeros_(gated.presence.bias)
    maps, presence = gated.answers(gated.reduce(given, (4, 4)), (4, 4), prompts)
    painted = gated(given, (4, 4), prompts)
    assert torch.equal(maps, plain(given, (4, 4), prompts)) and len(set(presence.flatten().tolist())) > 1
    assert torch.equal(painted.amax(dim=(-2, -1)), torch.minimum(maps.amax(dim=(-2, -1)), presence))


def test_coordinates_are_those_of_the_patches_centres():
    where = patch_coordinates((2, 4), torch.zeros(1, dtype=torch.float64))
    assert where[0].tolist() == [0.0, 0.0]
    assert where[1:].unflatten(0, (2, 4))[0].tolist() == [[-0.75, -0.5], [-0.25, -0.5], [0.25, -0.5], [0.75, -0.5]]
    assert where[1:, 1].tolist() == [-0.5] * 4 + [0.5] * 4


@torch.no_grad()
def test_only_with_coordinates_left_is_not_right():
    uniform, prompts = [torch.randn(1, 1, WIDTH).expand(1, 13, WIDTH) for _ in range(2)], torch.randn(2, EMBED)
    blind, knowing = (make(coordinates=coordinates)(uniform, (3, 4), prompts) for coordinates in (False, True))
    columns = [maps.unflatten(-1, (4, PATCH)).std(dim=-2).max() for maps in (blind, knowing)]
    assert columns[0] < 1e-5 and columns[1] > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"conditional_layer": 2}, "conditional_layer is 2"),
        ({"refined": True, "patch_size": 6}, "multiple of 4, not 6"),
    ],
)
def test_impossible_decoders_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)
