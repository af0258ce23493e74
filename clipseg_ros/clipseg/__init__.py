# SPDX-License-Identifier: Apache-2.0
"""CLIPSeg (Lueddecke & Ecker, CVPR 2022) as a library: no ROS, no windows.

    from clipseg_ros.clipseg import Segmenter
    probabilities = Segmenter.load("demo").segment(image, ["the red mug", "something to sit on"])
"""

from typing import TYPE_CHECKING, Any

from clipseg_ros.clipseg.prompts import Prompt

if TYPE_CHECKING:
    from clipseg_ros.clipseg.segmenter import Segmenter

__all__ = ["Prompt", "Segmenter"]


def __getattr__(name: str) -> Any:
    """Bring the network, and with it PyTorch, when it is asked for: who only names a prompt need not wait seconds."""
    if name == "Segmenter":
        from clipseg_ros.clipseg.segmenter import Segmenter

        return Segmenter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
