# SPDX-License-Identifier: Apache-2.0
"""The stem beside the patches: a fresh one changes nothing, and each cell is shown where it is."""

from dataclasses import replace

import pytest
import torch

from clipseg_ros.clipseg.model import SMALL, CLIPSeg
from clipseg_ros.clipseg.stem import Stem, cells_of

pytestmark = pytest.mark.usefixtures("one_thread")

CONFIG = replace(SMALL, refined=True, stem=True)


@pytest.fixture
def network() -> CLIPSeg:
    torch.manual_seed(0)
    return CLIPSeg(CONFIG).eval()


@torch.no_grad()
def test_a_fresh_stem_changes_nothing(network):
    plain = CLIPSeg(replace(CONFIG, stem=False)).eval()
    plain.load_state_dict(network.state_dict(), strict=False)
    pixels, prompts = torch.randn(2, 3, 64, 96), torch.randn(3, 64)
    logits = [one.decode(one.encode_image(pixels), prompts) for one in (network, plain)]
    assert torch.equal(*logits) and logits[0].std() > 0
    assert torch.equal(network.encode_visual_prompt(pixels), plain.encode_visual_prompt(pixels))


@torch.no_grad()
@pytest.mark.parametrize("patch", [8, 16, 32])
def test_cells_are_where_they_are(patch):
    stem, pixels = Stem(24, 32, patch), torch.zeros(1, 3, 3 * patch, 5 * patch)
    pixels[..., patch + 1, 2 * patch + patch // 2 + 1] = 1.0  # in row 4 and column 10 of the cells
    (more, fine), (_, empty) = stem(pixels), stem(torch.zeros_like(pixels))
    assert more.shape == (1, 24, 3, 5) and fine.shape == (1, 1 + 3 * 5, 32) and not fine[:, 0].any()
    cells = (cells_of(fine, (3, 5)) - cells_of(empty, (3, 5))).abs().sum(dim=1)[0]
    assert cells.shape == (12, 20)
    rows, columns = cells.nonzero(as_tuple=True)
    assert abs(rows - 4).max() <= 3 and abs(columns - 10).max() <= 3 and cells[4, 10] > 0


@torch.no_grad()
def test_a_cell_is_painted_by_what_the_stem_sees_there(network):
    torch.nn.init.normal_(network.decoder.cells.weight)
    features, prompts = network.reduce(network.encode_image(torch.randn(1, 3, 64, 64))), torch.randn(2, 64)
    before = network.paint(features, prompts)
    features.activations[-1][0, 1 + 2 * 4 + 3] += 1.0  # the patch in row 2 and column 3
    changed = (network.paint(features, prompts) != before).flatten(0, 1).any(dim=0)
    assert changed.any() and not changed[:32].any() and not changed[48:].any() and not changed[:, :48].any()


@torch.no_grad()
def test_what_the_stem_adds_to_the_patches_reaches_the_examples(network):
    pixels = torch.randn(2, 3, 64, 64)
    before = network.encode_visual_prompt(pixels)
    torch.nn.init.normal_(network.stem.patches.weight)
    assert (network.encode_visual_prompt(pixels) - before).abs().max() > 0.01


@pytest.mark.parametrize("changes, message", [({"reduce_dim": 24}, "24"), ({"refined": False}, "refined head")])
def test_an_impossible_stem_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        CLIPSeg(replace(CONFIG, **changes))
