# SPDX-License-Identifier: Apache-2.0
"""One frame and what was found in it."""
from __future__ import annotations

from functools import cached_property

import numpy as np
from std_msgs.msg import Header

from clipseg_ros.msg import SegmentedObjectArray
from clipseg_ros.perception.following import Follower
from clipseg_ros.perception.found import FoundObject, locate_objects
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.objects import Objects
from clipseg_ros.perception.overlay import draw_overlay
from clipseg_ros.perception.patches import Patches
from clipseg_ros.ros.inputs.depth import seconds
from clipseg_ros.ros.inputs.frame import Frame, Space
from clipseg_ros.ros.inputs.target_frame import TargetFrame
from clipseg_ros.ros.outputs.objects import to_array
from clipseg_ros.ros.prompts.store import ActivePrompts
from clipseg_ros.ros.reports import Reports
from clipseg_ros.ros.settings import Settings


class Seen:
    """Each part is made when it is first asked for and then never again.

    Parameters
    ----------
    frame : the picture, which knows its space
    active : the n prompts
    maps : what the network found of them
    target : where poses are moved to; None leaves them in the picture's frame
    follower : numbers the objects; None leaves them without
    reports : where it is said why objects have no pose

    Attributes
    ----------
    with_masks : whether the objects' messages carry their masks
    """

    def __init__(self, frame: Frame, active: ActivePrompts, maps: Maps, *, settings: Settings, reports: Reports,
                 target: TargetFrame | None = None, follower: Follower | None = None) -> None:
        self.frame = frame
        self.active = active
        self._settings = settings
        self._reports = reports
        self._target = target
        self._follower = follower
        self._raw = maps
        self.with_masks = settings.object_masks

    @property
    def header(self) -> Header:
        """The picture's."""
        return self.frame.header

    @property
    def pose_frame_id(self) -> str:
        """Frame of the objects' poses."""
        return self.header.frame_id if self._target is None else self._target.frame

    @cached_property
    def scores(self) -> list[float]:
        """Highest probability of each prompt, 0 to 1, as the network said."""
        return self._raw.scores

    @cached_property
    def space(self) -> Space:
        """What is known of camera and depth; nothing is looked up where no pixel reaches its prompt's threshold."""
        return self.frame.space(self._settings) if self._is_anything_found else Space()

    @cached_property
    def maps(self) -> Maps:
        """What pictures show: the network's maps, refined as the settings say."""
        if self._settings.refine == "none" or not self._is_anything_found:
            return self._raw
        return self._things.refined(self._settings.refine)

    @cached_property
    def probability(self) -> np.ndarray:
        """(n * H, W) float32: the prompts' probability images under each other, the first on top."""
        return self.maps.probabilities.reshape(-1, self.maps.size[1])

    @cached_property
    def overlay(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB: the picture with masks, objects and a legend drawn on it."""
        return draw_overlay(self.frame.rgb, self.maps, self.active.texts, scores=self.scores, objects=self.objects)

    @cached_property
    def objects(self) -> tuple[FoundObject, ...]:
        """Each thing that is meant, with its place in `pose_frame_id` and its number, the first prompt's first."""
        regions = self._things.regions if self._is_anything_found else [[] for _ in self.active.texts]
        found = locate_objects(regions, self.active.texts, *self.space, point=self._settings.point)
        if self._target is not None and any(one.pose is not None for one in found):
            found = self._moved(found, self._target)
        return found if self._follower is None else self._follower.follow(found, seconds(self.header))

    @cached_property
    def array(self) -> SegmentedObjectArray:
        """The message of the objects, of which others are made."""
        return to_array(self)

    @cached_property
    def _is_anything_found(self) -> bool:
        return any(score * self._raw.full_scale >= threshold
                   for score, threshold in zip(self.scores, self._raw.thresholds))

    @cached_property
    def _things(self) -> Objects:
        space = self.space
        return Objects(self._raw, Patches(self.frame.rgb, space.depth, space.camera), self._settings.limits)

    def _moved(self, found: tuple[FoundObject, ...], target: TargetFrame) -> tuple[FoundObject, ...]:
        """The objects with their poses in the target frame; without poses where tf2 has no transform."""
        transform = None
        try:
            transform = target.lookup(self.header)
        except ValueError as error:
            self._reports.warn(f"objects have no pose: {error}")
        return tuple(one.seen_from(transform) for one in found)
