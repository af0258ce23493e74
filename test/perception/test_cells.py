# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.cells import Cells, cut, joined, standing_before
from clipseg_ros.perception.patches import Patches

CAMERA = Pinhole(300.0, 300.0, 159.5, 119.5, (320, 240))
GREY = np.full((240, 320, 3), 128, np.uint8)
WALL, BOARD, POST = 3.0, 2.0, 1.0


def room() -> np.ndarray:
    """(240, 320) metres: a board before a wall, and a post before the board."""
    depth = np.full((240, 320), WALL, np.float32)
    depth[60:180, 80:240] = BOARD
    depth[40:240, 140:180] = POST
    return depth


def covering(patches: Patches, *masks: np.ndarray) -> Cells:
    """The cells of prompts that cover these masks (240, 320) with a probability of 0.9."""
    inside = np.stack(masks)
    return Cells.covered(np.where(inside, np.float32(0.9), np.float32(0)), inside, patches.labels, len(patches))


def things_of(patches: Patches, cells: Cells, thing: np.ndarray) -> dict[tuple[int, float], set[int]]:
    """The things by prompt and rounded distance."""
    found: dict[tuple[int, float], set[int]] = {}
    for one, prompt, patch in zip(thing, cells.prompt, cells.patch):
        found.setdefault((int(prompt), round(1 / patches.inverse_depth[patch])), set()).add(int(one))
    return found


def test_covered_patches_are_counted_for_each_prompt():
    labels = np.array([[0, 0, 1], [2, 2, 1]], np.int32)
    inside = np.array([[[1, 1, 1], [0, 0, 0]], [[0, 0, 0], [0, 1, 1]]], bool)
    levels = np.where(inside, np.float32([[0.9, 0.7, 0.6], [0.5, 0.4, 0.3]]), np.float32(0))
    cells = Cells.covered(levels, inside, labels, 3)
    assert list(zip(cells.prompt, cells.patch, cells.pixels)) == [(0, 0, 2), (0, 1, 1), (1, 1, 1), (1, 2, 1)]
    assert cells.level == pytest.approx([0.8, 0.6, 0.3, 0.4])
    assert cells.spread(cells.pixels, 3, 0.0).tolist() == [[2, 1, 0], [0, 1, 1]]
    assert len(cells.of(cells.prompt == 1)) == 2


def test_a_step_cuts_and_an_occluder_does_not():
    patches = Patches(GREY, room(), CAMERA)
    board_and_post = room() < WALL
    board = room() == BOARD
    cells = covering(patches, board_and_post, board)
    piece = cut(cells, patches)
    assert len(np.unique(piece[cells.prompt == 0])) == 3, "left of the post, post, right of it"
    assert len(np.unique(piece[cells.prompt == 1])) == 2
    found = things_of(patches, cells, joined(cells, piece, patches))
    assert len(found[1, BOARD]) == 1, "the post stands before the board"
    assert len(found[0, POST]) == 1 and not found[0, POST] & found[0, BOARD]
    assert not found[0, BOARD] & found[1, BOARD], "a prompt's things are its own"


def test_without_depth_each_piece_is_a_thing():
    patches = Patches(GREY)
    halves = room() == BOARD
    cells = covering(patches, halves)
    assert joined(cells, cut(cells, patches), patches).max() == 1


def test_what_stands_before_a_piece_is_nearer_and_not_of_the_prompt():
    patches = Patches(GREY, room(), CAMERA)
    owner = np.full(len(patches), -1)
    owner[np.unique(patches.labels[100:120, 90:140])] = 0
    owner[np.unique(patches.labels[100:120, 180:230])] = 1
    left, right = standing_before(patches, owner)
    post = patches.bodies[patches.labels[110, 160]]
    assert post in left & right and patches.bodies[patches.labels[10, 10]] not in left


def test_a_patch_that_is_hardly_covered_holds_nothing_together():
    patches = Patches(GREY, np.full((240, 320), 2.0, np.float32), CAMERA)
    rows, columns = np.mgrid[:240, :320]
    left, right = (columns >= 49) & (columns < 97), (columns >= 110) & (columns < 160)
    mask = (rows >= 97) & (rows < 160) & (left | right)
    cells = covering(patches, mask)
    piece = cut(cells, patches)
    side = patches.centres[cells.patch, 0] > 104
    strong = cells.pixels >= 0.5 * patches.area[cells.patch]
    assert not set(piece[strong & side]) & set(piece[strong & ~side])
    assert set(piece) == set(piece[strong]), "weak ones follow strong ones"


def test_no_cells_make_no_things():
    patches = Patches(GREY, room(), CAMERA)
    cells = covering(patches, np.zeros((240, 320), bool))
    assert len(joined(cells, cut(cells, patches), patches)) == 0
