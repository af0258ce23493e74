# SPDX-License-Identifier: Apache-2.0
"""The objects for programs that know vision_msgs, which is optional; its version 4 (Humble and later) is meant."""
from __future__ import annotations

from geometry_msgs.msg import PoseWithCovariance
from sensor_msgs.msg import RegionOfInterest

from clipseg_ros.msg import SegmentedObject, SegmentedObjectArray
from clipseg_ros.ros.outputs.poses import pose_header, unknown_pose

try:
    from vision_msgs.msg import (
        BoundingBox2D,
        BoundingBox3D,
        Detection2D,
        Detection2DArray,
        Detection3D,
        Detection3DArray,
        ObjectHypothesis,
        ObjectHypothesisWithPose,
        Point2D,
        Pose2D,
    )
except ImportError:
    Detection2DArray = Detection3DArray = None


def available() -> bool:
    """Whether vision_msgs is installed."""
    return Detection2DArray is not None


def to_detections_2d(array: SegmentedObjectArray) -> Detection2DArray:
    """The objects in the image: class_id is the prompt's text, id the track id, empty while tracking is off.

    Boxes are in pixels, and 0 0 is the corner of the image, as in vision_msgs' own conversion from rectangles: the
    centre minus half the size is the roi's offset. The pose is NaN where it is unknown or in another frame than the
    image's.

    Raises
    ------
    ValueError
        If vision_msgs is not installed.
    """
    _check_available()
    same_frame = array.pose_frame_id == array.header.frame_id
    return Detection2DArray(header=array.header, detections=[
        Detection2D(header=array.header, id=_id(one), bbox=_rectangle(one.roi),
                    results=[_hypothesis(one, one.pose if same_frame and one.has_pose else unknown_pose())])
        for one in array.objects])


def to_detections_3d(array: SegmentedObjectArray) -> Detection3DArray:
    """The objects that have a pose, in its frame and in metres; class_id and id as in `to_detections_2d`.

    The box lies along the pose's axes around its position, and has the size of the visible surface.

    Raises
    ------
    ValueError
        If vision_msgs is not installed.
    """
    _check_available()
    header = pose_header(array)
    return Detection3DArray(header=header, detections=[
        Detection3D(header=header, id=_id(one), bbox=BoundingBox3D(center=one.pose.pose, size=one.extent),
                    results=[_hypothesis(one, one.pose)])
        for one in array.objects if one.has_pose])


def _check_available() -> None:
    if not available():
        raise ValueError("vision_msgs cannot be imported, so there are no detections; install the package "
                         "vision_msgs of your ROS distribution")


def _id(one: SegmentedObject) -> str:
    return str(one.track_id) if one.track_id else ""


def _hypothesis(one: SegmentedObject, pose: PoseWithCovariance) -> ObjectHypothesisWithPose:
    return ObjectHypothesisWithPose(hypothesis=ObjectHypothesis(class_id=one.prompt, score=one.score), pose=pose)


def _rectangle(roi: RegionOfInterest) -> BoundingBox2D:
    centre = Point2D(x=roi.x_offset + roi.width / 2, y=roi.y_offset + roi.height / 2)
    return BoundingBox2D(center=Pose2D(position=centre, theta=0.0), size_x=float(roi.width), size_y=float(roi.height))
