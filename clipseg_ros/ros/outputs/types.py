# SPDX-License-Identifier: Apache-2.0
"""rclpy's classes of the messages about objects."""
from __future__ import annotations

from types import SimpleNamespace

from geometry_msgs.msg import Point, Pose, PoseArray, PoseWithCovariance, Quaternion, Vector3
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from clipseg_ros.msg import SegmentedObject, SegmentedObjectArray

TYPES = SimpleNamespace(
    Header=Header, Point=Point, Pose=Pose, PoseArray=PoseArray, PoseWithCovariance=PoseWithCovariance,
    Quaternion=Quaternion, RegionOfInterest=RegionOfInterest, SegmentedObject=SegmentedObject,
    SegmentedObjectArray=SegmentedObjectArray, Vector3=Vector3, floats=list)
"""As `messages.objects.Types` has them."""
