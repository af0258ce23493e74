# SPDX-License-Identifier: Apache-2.0
"""Pictures on their way to a GPU and results on their way back, through page-locked memory, one copy each."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import torch
from torch import Tensor

STAGED = 8
"""Pictures that may be on the GPU before their turn comes; of more the oldest are forgotten."""

_USUAL_BYTES = tuple(2**power for power in range(18, 24))
"""Page-locked memory comes in powers of two; these hold pictures of 320x240 to 1920x1080 pixels."""


class Uploader:
    """Copies pictures to a GPU on a stream of its own, so that a copy runs while the network works on another picture.

    PyTorch keeps the page-locked memory and reuses it once its copy is done. On a CPU there is nothing to copy.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._staged: OrderedDict[int, tuple[np.ndarray, Tensor]] = OrderedDict()

    def reserve(self) -> None:
        """Get the memory for pictures of usual sizes now, since getting it takes longer than a frame."""
        if self._stream is not None:
            kept = [torch.empty(size, dtype=torch.uint8, pin_memory=True) for size in _USUAL_BYTES for _ in range(2)]
            del kept  # into PyTorch's cache

    def stage(self, image: np.ndarray) -> None:
        """Start to copy a picture (H, W, 3) uint8 that `upload` will ask for; it must not change until then."""
        if self._stream is not None and id(image) not in self._staged:
            self._staged[id(image)] = image, self._copy(image)
            while len(self._staged) > STAGED:
                self._staged.popitem(last=False)

    def upload(self, image: np.ndarray) -> Tensor:
        """Return a picture (H, W, 3) uint8 on the device, for the current stream."""
        if self._stream is None:
            # torch takes neither negative strides nor, without a warning, read-only memory (a ROS message).
            usable = image.flags.c_contiguous and image.flags.writeable
            return torch.from_numpy(image if usable else image.copy(order="C"))
        _, there = self._staged.pop(id(image), None) or (image, self._copy(image))
        current = torch.cuda.current_stream(self._device)
        current.wait_stream(self._stream)
        there.record_stream(current)
        return there

    def _copy(self, image: np.ndarray) -> Tensor:
        pinned = torch.empty(image.shape, dtype=torch.uint8, pin_memory=True)
        np.copyto(pinned.numpy(), image)
        with torch.cuda.stream(self._stream):
            return pinned.to(self._device, non_blocking=True)


def download(result: Tensor) -> np.ndarray:
    """Return a GPU's tensor as an array, with one copy."""
    pinned = torch.empty(result.shape, dtype=result.dtype, pin_memory=True)
    pinned.copy_(result, non_blocking=True)
    torch.cuda.current_stream(result.device).synchronize()
    return pinned.numpy()
