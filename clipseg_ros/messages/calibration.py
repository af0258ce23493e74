# SPDX-License-Identifier: Apache-2.0
"""From camera_info messages to cameras, one for as long as the calibration stays the same."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clipseg_ros.messages.headers import same_frame
from clipseg_ros.perception.camera import Pinhole

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo
    from std_msgs.msg import Header


class Calibration:
    """Remembers the last camera, so that its rays are computed once.

    Parameters
    ----------
    warn : called with a sentence for each new calibration that is implausible
    """

    def __init__(self, warn: Callable[[str], None] = lambda sentence: None) -> None:
        self._warn = warn
        self._key: tuple | None = None
        self._camera: Pinhole | None = None

    def camera(self, info: CameraInfo, size: tuple[int, int], *, rectified: bool,
               image: Header | None = None) -> Pinhole:
        """The camera that took an image of `size` (width, height).

        Parameters
        ----------
        rectified : whether the image is free of distortion whatever the message says
        image : header of the image, whose frame should be the calibration's

        Raises
        ------
        ValueError
            If the calibration cannot be used, or belongs to images of another size.
        """
        strange = "" if image is None or same_frame(info.header, image) else (
            f"camera_info is in the frame {info.header.frame_id}, the image in {image.frame_id}; if it is not this "
            "camera's, all poses are wrong")
        roi = info.roi
        key = (info.k.tobytes(), info.p.tobytes(), tuple(info.d), info.distortion_model, info.width, info.height,
               info.binning_x, info.binning_y, roi.x_offset, roi.y_offset, roi.width, roi.height, rectified, strange)
        if key != self._key:
            self._camera = Pinhole.from_camera_info(
                info.k, info.width, info.height, d=info.d, model=info.distortion_model, p=info.p, rectified=rectified,
                binning=(info.binning_x, info.binning_y), roi=(roi.x_offset, roi.y_offset, roi.width, roi.height))
            self._key = key
            for doubt in filter(None, (self._camera.doubt, strange)):
                self._warn(doubt)
        if self._camera.size != size:
            raise ValueError(f"camera_info describes images of {self._camera.size[0]}x{self._camera.size[1]} pixels, "
                             f"but the image has {size[0]}x{size[1]}")
        return self._camera
