# SPDX-License-Identifier: Apache-2.0
"""The messages about the objects of one picture."""
from __future__ import annotations

from typing import TYPE_CHECKING

from sensor_msgs.msg import Image
from std_msgs.msg import Header

from clipseg_ros.messages import objects
from clipseg_ros.msg import SegmentedObject, SegmentedObjectArray
from clipseg_ros.perception.found import FoundObject
from clipseg_ros.ros.outputs.images import to_image
from clipseg_ros.ros.outputs.types import TYPES

if TYPE_CHECKING:
    from clipseg_ros.ros.seen import Seen


def to_array(seen: Seen) -> SegmentedObjectArray:
    """All that is known of one frame's objects."""
    return objects.to_array(
        TYPES, seen.header, pose_frame_id=seen.pose_frame_id, prompts=seen.active.texts,
        thresholds=seen.active.thresholds, scores=seen.scores,
        objects=[to_object(one, seen.header, mask=seen.with_masks) for one in seen.objects])


def to_object(found: FoundObject, header: Header, *, mask: bool = True) -> SegmentedObject:
    """The message of one object; `header` is the picture's, without `mask` that field stays empty."""
    return objects.to_object(TYPES, found, to_image(found.region.mask, "mono8", header) if mask else Image())
