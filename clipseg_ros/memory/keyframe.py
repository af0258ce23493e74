# SPDX-License-Identifier: Apache-2.0
"""One frame that is remembered: what the decoder needs of it, small, and from where it was taken."""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.depth import depth_in_metres, fit_to
from clipseg_ros.perception.transforms import Transform

PIXELS = 240 * 180
"""Of the small picture and its depth, at most; the proportions stay."""
JPEG_QUALITY = 85
_FARTHEST = 65.535


@dataclass(frozen=True, eq=False)
class Keyframe:
    """What is kept of a frame.

    Attributes
    ----------
    number : names it in its memory, never given twice
    camera : name of the camera that took it
    stamp : when, in seconds
    pose : from its optical frame to the fixed frame
    features : (depth, tokens, width) float16, as `Segmenter.features`
    jpeg : the small picture
    size : (height, width) of the small picture and of the depth
    view : the camera as if it had taken the small picture; None where its calibration is unknown
    depth : (height, width) uint16 millimetres, 0 where unknown; None without depth
    """

    number: int
    camera: str
    stamp: float
    pose: Transform
    features: np.ndarray
    jpeg: bytes
    size: tuple[int, int]
    view: Pinhole | None = None
    depth: np.ndarray | None = None

    @classmethod
    def of(cls, image: np.ndarray, features: np.ndarray, *, number: int, camera: str, stamp: float, pose: Transform,
           depth: np.ndarray | None = None, view: Pinhole | None = None) -> Keyframe:
        """The keyframe of an image (H, W, 3) uint8 RGB, of `depth` in metres with NaN, and of the `view` that took it.

        Raises
        ------
        ValueError
            If the depth or the calibration is of images of other proportions.
        """
        size = small_size(image.shape[:2])
        small = _shrunk(image, size)
        jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        if view is not None and view.size != image.shape[1::-1]:
            raise ValueError(f"the camera's images have the size {view.size} and the image {image.shape[1::-1]}; "
                             "they must be (width, height) of one image")
        return cls(number, camera, float(stamp), pose, features, jpeg.tobytes(), size[::-1],
                   None if view is None else view.resized(size), None if depth is None else _millimetres(depth, size))

    @property
    def rgb(self) -> np.ndarray:
        """(height, width, 3) uint8: the small picture."""
        return cv2.cvtColor(cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    @property
    def metres(self) -> np.ndarray | None:
        """(height, width) float32, NaN where unknown; None without depth."""
        return None if self.depth is None else depth_in_metres(self.depth, "16UC1")

    @property
    def nbytes(self) -> int:
        """Bytes of memory that it takes."""
        return self.features.nbytes + len(self.jpeg) + (0 if self.depth is None else self.depth.nbytes)


def small_size(shape: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of the small picture of one of `shape` (H, W)."""
    share = min(1.0, (PIXELS / (shape[0] * shape[1])) ** 0.5)
    return max(int(shape[1] * share), 1), max(int(shape[0] * share), 1)


def _shrunk(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The image in a smaller size (width, height). Halving first takes OpenCV a third of the time."""
    while image.shape[1] >= 2 * size[0] and image.shape[0] >= 2 * size[1]:
        image = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _millimetres(depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    small = fit_to(np.asarray(depth, np.float32), size)
    known = (small > 0) & (small <= _FARTHEST)
    return np.rint(np.where(known, small, 0.0) * 1000).astype(np.uint16)
