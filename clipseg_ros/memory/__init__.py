# SPDX-License-Identifier: Apache-2.0
"""What was seen before: frames that were encoded once answer prompts that nobody had thought of then.

    from clipseg_ros.memory import Memory
    memory = Memory(Segmenter.load("demo"))
    memory.add(image, depth=depth, camera=pinhole, pose=fixed_from_camera, stamp=seconds)
    memory.recall("something to drink from")
"""

from clipseg_ros.memory.keeping import Novelty
from clipseg_ros.memory.memory import Memory
from clipseg_ros.memory.recall import Recall
from clipseg_ros.memory.things import RecalledObject

__all__ = ["Memory", "Novelty", "Recall", "RecalledObject"]
