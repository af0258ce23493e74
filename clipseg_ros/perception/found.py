# SPDX-License-Identifier: Apache-2.0
"""What was found in one picture: the regions of the prompts, and where they are."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.location import Location, locate
from clipseg_ros.perception.poses import Pose, moved
from clipseg_ros.perception.regions import Region
from clipseg_ros.perception.transforms import Transform


@dataclass(frozen=True)
class FoundObject:
    """A region of a prompt.

    Attributes
    ----------
    location : in the camera's optical frame
    pose : in the frame in which the objects are published; None where it is unknown
    track_id : 0 while the object is not followed
    """

    region: Region
    prompt: str
    prompt_index: int
    location: Location
    pose: Pose | None
    track_id: int = 0

    def seen_from(self, transform: Transform | None) -> FoundObject:
        """The object with its pose moved by `transform`, without a pose where that is None."""
        if self.pose is None:
            return self
        return replace(self, pose=None if transform is None else moved(self.pose, transform))


def locate_objects(regions: Sequence[Sequence[Region]], prompts: Sequence[str], camera: Pinhole | None = None,
                   depth: np.ndarray | None = None, *, point: str = "centroid",
                   up: np.ndarray | None = None) -> tuple[FoundObject, ...]:
    """The objects of all prompts, those of the first prompt first, in the order of each prompt's regions.

    Parameters
    ----------
    regions : of each prompt
    prompts : their texts
    camera, depth, point, up : as `locate`

    Raises
    ------
    ValueError
        As `locate`, or if there is not one list of regions per prompt.
    """
    named = [(region, text, index) for index, (text, some) in enumerate(zip(prompts, regions, strict=True))
             for region in some]
    locations = locate([region for region, _, _ in named], camera, depth, point=point, up=up)
    return tuple(FoundObject(*one, location, location.pose) for one, location in zip(named, locations))
