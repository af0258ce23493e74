# SPDX-License-Identifier: Apache-2.0
"""Pictures in requests: which are there, and the prompts that they are."""
from __future__ import annotations

from sensor_msgs.msg import Image

from clipseg_ros.clipseg import Prompt
from clipseg_ros.messages.images import alpha_to_mask, image_to_mask
from clipseg_ros.ros.inputs.images import image_to_rgb


def is_absent(image: Image) -> bool:
    """Whether an image field of a request was left empty."""
    return not (image.width or image.height or image.data)


def visual_prompt(image: Image, mask: Image) -> Prompt | None:
    """The prompt of a picture and its mask, either of which may be absent. ValueError where one is faulty.

    Of a cut-out without a mask, what is opaque is the mask.
    """
    if is_absent(image):
        if not is_absent(mask):
            raise ValueError("there is a mask but no visual prompt; a mask needs the picture that it belongs to")
        return None
    try:
        return Prompt(image=image_to_rgb(image), mask=alpha_to_mask(image) if is_absent(mask) else image_to_mask(mask))
    except ValueError as error:
        raise ValueError(f"the visual prompt cannot be used: {error}") from None

