# SPDX-License-Identifier: Apache-2.0
"""One frame and what was found in it."""
from __future__ import annotations

from functools import cached_property, partial

import numpy as np
from std_msgs.msg import Header

from clipseg_ros.messages.headers import seconds
from clipseg_ros.msg import SegmentedObjectArray
from clipseg_ros.perception.depth import to_points
from clipseg_ros.perception.findings import Findings, Space
from clipseg_ros.perception.following import Follower
from clipseg_ros.perception.found import FoundObject
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.pick import Pick
from clipseg_ros.perception.sampling import Sampling
from clipseg_ros.perception.transforms import Transform
from clipseg_ros.ros.inputs.frame import Frame
from clipseg_ros.ros.inputs.target_frame import TargetFrame
from clipseg_ros.ros.outputs.objects import to_array
from clipseg_ros.ros.prompts.store import ActivePrompts
from clipseg_ros.ros.reports import Reports
from clipseg_ros.ros.settings import Settings


class Seen(Findings):
    """The findings in a frame of the node's, with its header, and their message.

    Parameters
    ----------
    frame : the picture, which knows its space
    active : the n prompts
    maps : what the network found of them
    target : where poses are moved to; None leaves them in the picture's frame
    follower : numbers the objects; None leaves them without
    reports : where it is said why objects have no pose
    pick : chooses one of the objects

    Attributes
    ----------
    with_masks : whether the objects' messages carry their masks
    """

    def __init__(self, frame: Frame, active: ActivePrompts, maps: Maps, *, settings: Settings, reports: Reports,
                 target: TargetFrame | None = None, follower: Follower | None = None,
                 pick: Pick | None = None) -> None:
        super().__init__(frame.rgb, active.texts, maps, choices=settings, seconds=seconds(frame.header),
                         look_up=partial(_space, frame, settings, reports), follower=follower,
                         move=None if target is None else partial(_transform, target, frame.header, reports))
        self.frame = frame
        self.active = active
        self._settings = settings
        self._target = target
        self._pick = pick or Pick()
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
    def array(self) -> SegmentedObjectArray:
        """The message of the objects, of which others are made."""
        return to_array(self)

    @cached_property
    def picked(self) -> FoundObject | None:
        """The chosen object; None where it is not seen."""
        return self._pick.choose(self.objects, self.remembers)

    def remembers(self, track_id: int) -> bool:
        """Whether an object keeps its number although it may not be seen in this frame."""
        return self._follower is not None and self._follower.knows(track_id)

    @cached_property
    def sampled(self) -> Sampling:
        """Makes of what has the picture's size what has the size of the label images."""
        return Sampling(self.maps.size, self._settings.label_scale)

    @cached_property
    def points(self) -> np.ndarray:
        """(h, w, 3) float32 metres in the optical frame, in the size of the label images; NaN where unknown."""
        camera, depth, _ = self.surroundings
        if camera is None or depth is None:
            return np.full((*self.sampled(self.maps.labels).shape, 3), np.nan, np.float32)
        return to_points(self.sampled(camera.rays), self.sampled(depth))

    @property
    def left_out(self) -> list[FoundObject]:
        """The objects of the prompts that ~/scene_cloud leaves out."""
        names = [name for name in self._settings.scene_without if name]
        return [one for one in self.objects if not names or one.prompt in names]


def _space(frame: Frame, settings: Settings, reports: Reports) -> Space:
    """What is known of the frame's space; reported where poses need to know where up is and nothing says so."""
    space = frame.space(settings)
    if settings.point == "top" and not settings.target_frame and space.depth is not None and space.up is None:
        reports.warn("objects have no pose: point is top, but nothing says where up is; set target_frame to a frame "
                     "whose z axis points up, or remap `imu` to the camera's accelerometer")
    return space


def _transform(target: TargetFrame, header: Header, reports: Reports) -> Transform | None:
    """From the header's frame to the target frame; None where tf2 has no transform."""
    try:
        return target.lookup(header)
    except ValueError as error:
        reports.warn(f"objects have no pose: {error}")
        return None
