# SPDX-License-Identifier: Apache-2.0
"""Pictures and their cameras, one or several, as people give them to a Segmenter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipseg_ros.clipseg.image_check import check_image


def as_list(image: np.ndarray | Sequence[np.ndarray]) -> list[np.ndarray]:
    """The image or images, each checked."""
    if not isinstance(image, (list, tuple)):
        check_image(image)
        return [image]
    for index, one in enumerate(image):
        check_image(one, f"image {index} of the list")
    return list(image)


def cameras_of(image: np.ndarray | Sequence[np.ndarray], camera: str | Sequence[str]) -> list[str] | None:
    """The camera of each image; None for a list of images that are not kept."""
    if not isinstance(image, (list, tuple)):
        if not isinstance(camera, str):
            raise ValueError(f"camera is {camera!r}; the camera of one image is one name, a str")
        return [camera]
    if camera == "":
        return None
    if not isinstance(camera, (list, tuple)) or len(camera) != len(image):
        raise ValueError(f"camera is {camera!r}; a list of {len(image)} images needs a list of as many names")
    return list(camera)
