# SPDX-License-Identifier: Apache-2.0
"""The connected regions of a frame as messages, with their position where depth is there."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from geometry_msgs.msg import Point
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from clipseg_ros.msg import SegmentedObject, SegmentedObjectArray
from clipseg_ros.perception.camera import median_depth
from clipseg_ros.perception.regions import Region, find_regions
from clipseg_ros.ros.camera_input import CameraInput, Frame
from clipseg_ros.ros.frame_result import FrameResult
from clipseg_ros.ros.messages import to_image
from clipseg_ros.ros.reports import Reports

Locate = Callable[[Region], Point]
"""From a region to its position in metres in the camera's optical frame."""


def nowhere(_region: Region) -> Point:
    """The position of an object of unknown depth: NaN."""
    return Point(x=float("nan"), y=float("nan"), z=float("nan"))


def locator(camera: CameraInput, frame: Frame, slop: float, reports: Reports) -> Locate:
    """How to locate regions of the frame; where that cannot be, `nowhere`, and the reason is reported.

    The position lies on the ray through the region's centroid pixel, at the median of the region's depths.
    """
    if not camera.has_depth:
        return nowhere
    try:
        pinhole = camera.pinhole(frame)
        depth, encoding = camera.depth(frame, slop)
    except ValueError as error:
        reports.warn(f"{camera.topic}: objects have no position: {error}")
        return nowhere

    def locate(region: Region) -> Point:
        x, y, width, height = region.roi
        distance = median_depth(depth[y:y + height, x:x + width], encoding, region.mask)
        point = pinhole.point(*region.centroid, distance)
        return Point(x=point[0], y=point[1], z=point[2]) if np.isfinite(distance) else nowhere(region)

    return locate


def find_objects(result: FrameResult, header: Header, locate: Locate, *, min_area: int,
                 max_regions: int) -> list[SegmentedObject]:
    """The regions of each prompt in the prompts' order, the best score first within a prompt."""
    return [
        _to_message(region, text, index, header, locate)
        for index, (text, threshold) in enumerate(zip(result.active.texts, result.active.thresholds, strict=True))
        for region in find_regions(result.probabilities[index], threshold, min_area=min_area, max_regions=max_regions)
    ]


def to_array(result: FrameResult, header: Header, objects: list[SegmentedObject]) -> SegmentedObjectArray:
    """The message of one frame's objects."""
    return SegmentedObjectArray(header=header, prompts=list(result.active.texts),
                                thresholds=list(result.active.thresholds), scores=result.scores, objects=objects)


def _to_message(region: Region, text: str, index: int, header: Header, locate: Locate) -> SegmentedObject:
    x, y, width, height = region.roi
    return SegmentedObject(
        prompt=text, prompt_index=index, score=region.score, area=region.area,
        centroid_u=region.centroid[0], centroid_v=region.centroid[1], position=locate(region),
        roi=RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height),
        mask=to_image(region.mask, "mono8", header))
