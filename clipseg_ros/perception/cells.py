# SPDX-License-Identifier: Apache-2.0
"""The patches that prompts cover, cut into pieces and joined into things."""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from clipseg_ros.perception.borders import Borders
from clipseg_ros.perception.joining import POINTS, Piece, join
from clipseg_ros.perception.merging import BIAS, evidence, merge
from clipseg_ros.perception.patches import Patches

MOSTLY = 0.25
"""Share of a patch that a prompt must cover for the patch to hold pieces together."""
FEWEST = 16
"""Pixels of the coarse grid that a piece must have to be joined with others."""
_BEFORE = 0.05
"""Metres of step from which on what is nearer hides what is farther."""


@dataclass(frozen=True)
class Cells:
    """c patches, each with one of p prompts that covers at least a pixel of it.

    Attributes
    ----------
    prompt, patch : (c,) int64
    pixels : (c,) float64, pixels of the coarse grid that are covered
    level : (c,) float64, mean probability of these pixels, 0 to 1
    prompts : p
    """

    prompt: np.ndarray
    patch: np.ndarray
    pixels: np.ndarray
    level: np.ndarray
    prompts: int

    @classmethod
    def covered(cls, levels: np.ndarray, inside: np.ndarray, labels: np.ndarray, patches: int) -> Cells:
        """Of levels and masks (p, h, w) on the grid of `labels` (h, w), which number so many patches."""
        prompts = len(levels)
        places = np.flatnonzero(inside)
        pixel = places % labels.size
        names = labels.ravel()[pixel] + places // labels.size * patches
        pixels = np.bincount(names, minlength=prompts * patches)
        sums = np.bincount(names, levels.ravel()[places], minlength=prompts * patches)
        kept = np.flatnonzero(pixels)
        prompt, patch = np.divmod(kept, patches)
        return cls(prompt, patch, pixels[kept].astype(np.float64), sums[kept] / pixels[kept], prompts)

    def __len__(self) -> int:
        return len(self.patch)

    def spread(self, values: np.ndarray, patches: int, other: float) -> np.ndarray:
        """(p, patches): a value (c,) of each cell, `other` where there is no cell."""
        table = np.full((self.prompts, patches), other, values.dtype)
        table[self.prompt, self.patch] = values
        return table

    def of(self, chosen: np.ndarray) -> Cells:
        """Some of the cells."""
        return replace(self, prompt=self.prompt[chosen], patch=self.patch[chosen], pixels=self.pixels[chosen],
                       level=self.level[chosen])


def cut(cells: Cells, patches: Patches) -> np.ndarray:
    """(c,) int64: the piece of each cell, named by one of its cells; a piece is of one prompt.

    Patches of which little is covered do not hold pieces together. Each goes to the neighbour that it belongs to most.
    """
    borders = _between(cells, patches)
    strong = cells.pixels >= MOSTLY * patches.area[cells.patch]
    mixed = strong[borders.first] != strong[borders.second]
    piece = merge(len(cells), borders.of(~mixed), BIAS)
    mixed = borders.of(mixed)
    order = np.argsort(evidence(mixed.step, mixed.colour, BIAS), kind="stable")
    first_weak = strong[mixed.second]
    weak, host = (np.where(first_weak, *ends)[order] for ends in ((mixed.first, mixed.second),
                                                                 (mixed.second, mixed.first)))
    # Of several hosts the last one stays, the most evident.
    piece[weak] = piece[host]
    return piece


def joined(cells: Cells, piece: np.ndarray, patches: Patches) -> np.ndarray:
    """(c,) int64: the thing of each cell, 0, 1, ...: pieces (c,) of a prompt that are parts of one thing.

    Without depth or camera each piece is a thing.
    """
    names, thing = np.unique(piece, return_inverse=True)
    if patches.points is None:
        return thing
    sizes = np.bincount(thing, cells.pixels)
    large = sizes[thing] >= FEWEST
    seen = np.isfinite(patches.points[cells.patch]).all(axis=1)
    for prompt in range(cells.prompts):
        chosen = np.flatnonzero((cells.prompt == prompt) & large & seen)
        numbers, index = np.unique(thing[chosen], return_inverse=True)
        if len(numbers) < 2:
            continue
        owner = np.full(len(patches), -1)
        owner[cells.patch[chosen]] = index
        occluders = cache(partial(standing_before, patches, owner))
        pieces = [_piece(cells.of(chosen[index == one]), patches) for one in range(len(numbers))]
        replaced = np.arange(len(names))
        replaced[numbers] = numbers[join(pieces, _touching(patches.borders, owner), occluders)]
        thing = replaced[thing]
    return np.unique(thing, return_inverse=True)[1]


def _piece(cells: Cells, patches: Patches) -> Piece:
    points = patches.points[cells.patch[::-(-len(cells) // POINTS)]]
    area = float((cells.pixels * patches.metres[cells.patch] ** 2).sum())
    return Piece(points, area, np.average(patches.colour[cells.patch], axis=0, weights=cells.pixels))


def standing_before(patches: Patches, owner: np.ndarray) -> list[set[int]]:
    """For each owner 0, 1, ... of patches (n,), -1 for none: the bodies of other patches that are nearer to the camera
    across a step."""
    borders, depths = patches.borders, patches.points[:, 2]
    found: list[set[int]] = [set() for _ in range(owner.max(initial=-1) + 1)]
    for behind, before in ((borders.first, borders.second), (borders.second, borders.first)):
        hides = (owner[behind] >= 0) & (owner[before] < 0) & (borders.step > _BEFORE)
        hides &= depths[before] < depths[behind]
        for piece, body in zip(owner[behind][hides].tolist(), patches.bodies[before][hides].tolist()):
            found[piece].add(body)
    return found


def _touching(borders: Borders, owner: np.ndarray) -> set[tuple[int, int]]:
    """Pairs of owners (n,), -1 for none, with patches that touch; the smaller one first."""
    ends = np.sort(np.stack([owner[borders.first], owner[borders.second]]), axis=0)
    ends = ends[:, (ends[0] >= 0) & (ends[0] != ends[1])]
    return set(zip(*ends.tolist()))


def _between(cells: Cells, patches: Patches) -> Borders:
    """The borders between cells of one prompt, whose ends are numbers of cells."""
    number = cells.spread(np.arange(len(cells)), len(patches), -1)
    borders = patches.borders
    first, second = number[:, borders.first], number[:, borders.second]
    prompt, border = np.nonzero((first >= 0) & (second >= 0))
    return replace(borders.of(border), first=first[prompt, border], second=second[prompt, border])
