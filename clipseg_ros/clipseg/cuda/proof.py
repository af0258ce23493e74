# SPDX-License-Identifier: Apache-2.0
"""Whether a GPU computes what the plain network does on the CPU: compared on recorded scenes before the first frame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from clipseg_ros.clipseg.agreement import compare, compared_pictures
from clipseg_ros.clipseg.cuda.backend import PICTURE_BUCKETS, PROMPT_BUCKETS

if TYPE_CHECKING:
    from clipseg_ros.clipseg.segmenter import Segmenter

MAX_DISAGREEMENT = 0.01
"""Largest share of the pixels in which masks may differ.

Ten times what is allowed of ONNX in float32, whose pictures are resized alike: a GPU's resizing, which rounds some
halves to the other side, costs 0.1 % at small input sizes, and bfloat16 0.02 %. Masks of another picture or prompt, and
empty ones, differ in 2.5 % or more with the demo weights, in 1.7 % or more with untrained ones.
"""

COVERED = 0.02
"""Share of the pixels that masks must cover to prove something; below, a lower threshold is taken for the logits."""

PROMPTS = ("a sofa", "a table", "something to sit on", "the floor", "a mug", "a bowl", "a bottle", "a plate", "a book",
           "a lamp", "something to drink from", "furniture", "a box", "a plant", "a chair", "the wall")
"""As many as are recorded at once; the first ones cover much of the scenes, so that few prompts have masks, too."""


class Proof:
    """What the plain network says of recorded scenes.

    plain : on the CPU, in float32; it is not kept
    """

    def __init__(self, plain: Segmenter) -> None:
        self._pictures = compared_pictures()
        self._logits = torch.from_numpy(plain.logits(self._pictures, PROMPTS))
        covering = float(torch.tensor(np.quantile(self._logits.numpy(), 1 - COVERED)).sigmoid())
        self._threshold, self._covering = plain.threshold, min(plain.threshold, covering)
        self._masks = self._masks_of(plain)

    def objection(self, segmenter: Segmenter, cameras: int) -> str:
        """What speaks against a GPU's segmenter for frames of so many cameras at once; empty if nothing does.

        Every number of prompts and of pictures that it recorded is compared, and so is what it sends of a frame.
        """
        for batch in (bucket for bucket in PICTURE_BUCKETS if bucket < 2 * cameras):
            for prompts in PROMPT_BUCKETS:
                found = torch.from_numpy(np.concatenate([
                    segmenter.logits(self._pictures[first:first + batch], PROMPTS[:prompts])
                    for first in range(0, len(self._pictures), batch)]))
                agreement = compare(found, self._logits[:, :prompts], threshold=self._covering)
                at_once = f"at once: prompts {prompts}, pictures {batch}"
                if not math.isfinite(agreement.max_difference):
                    return f"some logits are not finite ({at_once})"
                if agreement.mask_disagreement > MAX_DISAGREEMENT:
                    return f"{agreement} (allowed: {100 * MAX_DISAGREEMENT:g} %; {at_once})"
        differing = float(np.mean(self._masks_of(segmenter) != self._masks))
        if differing > MAX_DISAGREEMENT:
            return (f"masks at the pictures' own size differ in {100 * differing:.4f} % of the pixels "
                    f"(allowed: {100 * MAX_DISAGREEMENT:g} %)")
        return ""

    def _masks_of(self, segmenter: Segmenter) -> np.ndarray:
        """(B, P, H, W) bool, the way a node gets them."""
        maps = segmenter.maps(self._pictures, PROMPTS, [self._threshold] * len(PROMPTS), exact=False)
        return np.stack([np.stack(one.masks) > 0 for one in maps])
