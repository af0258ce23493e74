# SPDX-License-Identifier: Apache-2.0
"""The objects of one camera from frame to frame: their numbers, and poses that do not tremble."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clipseg_ros.perception.found import FoundObject
from clipseg_ros.perception.smoothing import PoseSmoother
from clipseg_ros.perception.tracking import Sighting, Tracker


class Follower:
    """Gives each object the number that it had in the frames before, or a new one.

    Parameters
    ----------
    memory : seconds for which an object that is not seen keeps its number
    births : in so many frames an object must be seen before it gets one
    weight : share of a new pose in the published one; 1 publishes it as it is
    """

    def __init__(self, *, memory: float, births: int, weight: float) -> None:
        self._tracker = Tracker(memory=memory, births=births)
        self._smoother = PoseSmoother(weight=weight)

    @property
    def born(self) -> int:
        """How many objects got a number."""
        return self._tracker.born

    def knows(self, track_id: int) -> bool:
        """Whether an object has this number, also while it is not seen."""
        return track_id in self._tracker.alive

    @property
    def died(self) -> int:
        """How many of those were forgotten."""
        return self._tracker.died

    def follow(self, objects: Sequence[FoundObject], seconds: float) -> tuple[FoundObject, ...]:
        """The objects of the frame taken at `seconds`, with their numbers."""
        sightings = [Sighting(one.prompt, one.region.roi, one.region.mask,
                              None if one.pose is None else one.pose.position) for one in objects]
        numbers = self._tracker.update(seconds, sightings)
        followed = tuple(self._steadied(replace(one, track_id=number)) for one, number in zip(objects, numbers))
        self._smoother.forget(self._tracker.alive)
        return followed

    def _steadied(self, one: FoundObject) -> FoundObject:
        if one.pose is None:
            return one
        position, orientation = self._smoother.smooth(one.track_id, one.pose.position, one.pose.orientation)
        return replace(one, pose=replace(one.pose, position=position, orientation=orientation))
