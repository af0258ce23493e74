# SPDX-License-Identifier: Apache-2.0
"""From a camera picture to the network's input, equal to the published network's preprocessing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from clipseg_ros.clipseg.image_check import check_image


def squash(image: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Resize a picture to `size` whatever its aspect ratio: bilinear with antialiasing, rounded to uint8.

    This is the published network's resizing (`ViTImageProcessor` on torchvision), to the last bit.

    Parameters
    ----------
    image : (H, W, 3) uint8 RGB.
    size : (h, w) in pixels.

    Returns
    -------
    (3, h, w) uint8, its rows of pixels laid out as in `image` (channels last).
    """
    check_image(image)
    # torch takes neither negative strides (a flipped view) nor, without a warning, read-only memory (a ROS message).
    if not (image.flags.c_contiguous and image.flags.writeable):
        image = image.copy(order="C")
    pixels = torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0)  # a view: torch's uint8 kernel is fastest on it
    return interpolate(pixels, size=tuple(size), mode="bilinear", antialias=True, align_corners=False)[0]


def normalise(pixels: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Scale pixels (..., 3, h, w) uint8 to [0, 1], subtract `mean` and divide by `std`: float32, same device."""
    shape = (3, 1, 1)
    mean_255 = 255 * torch.tensor(mean, dtype=torch.float32, device=pixels.device).view(shape)
    std_255 = 255 * torch.tensor(std, dtype=torch.float32, device=pixels.device).view(shape)
    return pixels.float().sub_(mean_255).div_(std_255)
