# SPDX-License-Identifier: Apache-2.0
"""CLIPSeg (Lueddecke & Ecker, CVPR 2022) as a library: no ROS, no windows.

    from clipseg_ros.clipseg import Segmenter
    probabilities = Segmenter.load("demo").segment(image, ["the red mug", "something to sit on"])
"""

from clipseg_ros.clipseg.prompts import Prompt
from clipseg_ros.clipseg.segmenter import Segmenter

__all__ = ["Prompt", "Segmenter"]
