# SPDX-License-Identifier: Apache-2.0
"""The network on a GPU: static shapes recorded as CUDA graphs, one copy there and one copy back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from clipseg_ros.clipseg.backend import Backend, in_turns, joined
from clipseg_ros.clipseg.cuda import OutOfMemoryError, release_memory
from clipseg_ros.clipseg.cuda.graphs import Captured
from clipseg_ros.clipseg.cuda.transfers import Uploader
from clipseg_ros.clipseg.model import CLIPSeg, ImageFeatures, with_positions

PROMPT_BUCKETS = (1, 2, 4, 8, 16)
PICTURE_BUCKETS = (1, 2, 4)


class GpuBackend(Backend):
    """A `backend.Backend` for a GPU; on a CPU it takes the same steps without recordings, which is how it is checked.

    The network is recorded for so many prompts and pictures as the buckets say. Fewer than a bucket are filled up,
    more than the largest are computed in turns. Its `ImageFeatures` hold one tensor, the reduced activations
    (B, reduced_count, 1 + rows * cols, reduce_dim), deepest first.

    Parameters
    ----------
    model : on its device, in its precision, for evaluation.
    size : (h, w) in pixels to which pictures are squashed.
    graphs : whether a GPU replays recordings; without them it runs the same operations one by one.
    progress : told, in sentences, what the memory did not suffice for.
    """

    def __init__(self, model: CLIPSeg, size: tuple[int, int], *, graphs: bool = True,
                 progress: Callable[[str], None]) -> None:
        self._size, self._progress = size, progress
        self._grid = model.grid(size)
        self._model = with_positions(model, self._grid)
        weight = model.clip.visual.conv1.weight
        self._device, self._precision = weight.device, weight.dtype
        # Copies from ordinary memory cannot be part of a recording.
        self._mean, self._std = (torch.tensor(values, device=self._device).view(3, 1, 1) * 255
                                 for values in (model.config.image_mean, model.config.image_std))
        self._uploader = Uploader(self._device)
        self._prompts, self._pictures = list(PROMPT_BUCKETS), list(PICTURE_BUCKETS)
        self._graphs = graphs
        self._pool = torch.cuda.graph_pool_handle() if graphs and self._device.type == "cuda" else None
        self._encoders: dict[int, Captured] = {}
        self._decoders: dict[tuple[int, int], Captured] = {}

    def stage(self, image: np.ndarray) -> None:
        """As `Backend`."""
        self._uploader.stage(image)

    def prepare(self, pictures: int) -> None:
        """As `Backend`: records everything that such frames can need, so that nothing is recorded later.

        Where the memory does not suffice for many prompts or pictures, fewer are computed at once from then on.
        Raises cuda.OutOfMemoryError where it does not suffice for one.
        """
        self._uploader.reserve()
        self._pictures = [bucket for bucket in PICTURE_BUCKETS if bucket <= _bucket(pictures, PICTURE_BUCKETS)]
        for batch in tuple(self._pictures):
            for prompts in PROMPT_BUCKETS:
                if batch in self._pictures and prompts in self._prompts:
                    self._make_room_for(batch, prompts)

    def encode(self, images: Sequence[np.ndarray]) -> ImageFeatures:
        """As `Backend`."""
        pixels = torch.stack([self._squash(image) for image in images])
        return ImageFeatures((joined([self._encode(part) for part in pixels.split(self._pictures[-1])]),), self._grid)

    def decode(self, features: ImageFeatures, embeddings: Tensor) -> Tensor:
        """As `Backend`; the logits are on the device."""
        return joined([in_turns(lambda some, part=part: self._decode(part, some), embeddings, self._prompts[-1])
                       for part in features.activations[0].split(self._pictures[-1])])

    def packed(self, features: ImageFeatures) -> Tensor:
        """As `Backend`."""
        return features.activations[0]

    def unpacked(self, reduced: Tensor, grid: tuple[int, int]) -> ImageFeatures:
        """As `Backend`."""
        return ImageFeatures((reduced.to(self._device, self._precision),), grid)

    def _squash(self, image: np.ndarray) -> Tensor:
        """(3, h, w) float32 of whole numbers, as `preprocessing.squash`, give or take one where it rounds a half."""
        pixels = self._uploader.upload(image).permute(2, 0, 1).unsqueeze(0).float()
        return interpolate(pixels, size=self._size, mode="bilinear", antialias=True, align_corners=False)[0].round_()

    def _encode(self, pixels: Tensor) -> Tensor:
        """A copy of what the recording returns, since it will write there again."""
        batch = _bucket(len(pixels), self._pictures)
        return self._encoder(batch)(_fill(pixels, batch))[:len(pixels)].clone()

    def _decode(self, reduced: Tensor, embeddings: Tensor) -> Tensor:
        batch, prompts = _bucket(len(reduced), self._pictures), _bucket(len(embeddings), self._prompts)
        logits = self._decoder(batch, prompts)(_fill(reduced, batch), _fill(embeddings, prompts))
        return logits[:len(reduced), :len(embeddings)].clone()

    def _encoder(self, batch: int) -> Captured:
        if batch not in self._encoders:
            pixels = torch.zeros((batch, 3, *self._size), device=self._device)
            self._encoders[batch] = Captured(self._run_encoder, [pixels], record=self._graphs, pool=self._pool)
        return self._encoders[batch]

    def _decoder(self, batch: int, prompts: int) -> Captured:
        if (batch, prompts) not in self._decoders:
            config = self._model.config
            reduced = (batch, config.reduced_count, 1 + self._grid[0] * self._grid[1], config.reduce_dim)
            inputs = [torch.zeros(shape, device=self._device, dtype=self._precision)
                      for shape in (reduced, (prompts, config.clip["embed_dim"]))]
            self._decoders[batch, prompts] = Captured(self._run_decoder, inputs, record=self._graphs,
                                                      pool=self._pool)
        return self._decoders[batch, prompts]

    def _run_encoder(self, pixels: Tensor) -> Tensor:
        pixels = ((pixels - self._mean) / self._std).to(self._precision)
        return torch.stack(self._model.reduce(self._model.encode_image(pixels)).activations, dim=1)

    def _run_decoder(self, reduced: Tensor, embeddings: Tensor) -> Tensor:
        return self._model.decoder.paint(reduced.unbind(dim=1), self._grid, embeddings).float()

    def _make_room_for(self, batch: int, prompts: int) -> None:
        try:
            self._encoder(batch)
            self._decoder(batch, prompts)
            return
        except OutOfMemoryError:
            if (batch, prompts) == (1, 1):
                raise
        if prompts > 1:
            self._prompts = [bucket for bucket in self._prompts if bucket < prompts]
            what = f"{prompts} prompts at once; {self._prompts[-1]} are computed at a time"
        else:
            self._pictures = [bucket for bucket in self._pictures if bucket < batch]
            what = f"frames of {batch} cameras at once; {self._pictures[-1]} are computed at a time"
        self._forget_larger()
        self._progress(f"the memory of {self._device} does not suffice for {what}")

    def _forget_larger(self) -> None:
        """Let go of recordings for more than the buckets that are left."""
        self._encoders = {batch: kept for batch, kept in self._encoders.items() if batch in self._pictures}
        self._decoders = {key: kept for key, kept in self._decoders.items()
                          if key[0] in self._pictures and key[1] in self._prompts}
        release_memory()


def _bucket(count: int, buckets: Sequence[int]) -> int:
    """The smallest bucket that holds `count`, or the largest."""
    return next((bucket for bucket in buckets if bucket >= count), buckets[-1])


def _fill(rows: Tensor, count: int) -> Tensor:
    """`count` rows: those given, and the last one again and again."""
    return rows if len(rows) == count else torch.cat([rows, rows[-1:].expand(count - len(rows), *rows.shape[1:])])
