# SPDX-License-Identifier: Apache-2.0
"""What was found in one picture, and the messages made of it, each made at most once."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from geometry_msgs.msg import PoseArray, PoseStamped
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from clipseg_ros.msg import SegmentedObjectArray
from clipseg_ros.ros import clouds, detections, markers, pose_messages
from clipseg_ros.ros.frame_result import FrameResult
from clipseg_ros.ros.objects import FoundObject, to_array


@dataclass(frozen=True)
class Findings:
    """The objects of one picture.

    Attributes
    ----------
    header : the picture's
    pose_frame_id : frame of the objects' poses
    """

    result: FrameResult
    header: Header
    objects: tuple[FoundObject, ...]
    pose_frame_id: str

    @cached_property
    def array(self) -> SegmentedObjectArray:
        """All that is known of the objects."""
        return to_array(self.result, self.header, self.objects, self.pose_frame_id)

    @property
    def poses(self) -> PoseArray:
        """The poses, best first."""
        return pose_messages.to_pose_array(self.array)

    @property
    def pose(self) -> PoseStamped | None:
        """The pose of the best object of the first prompt."""
        return pose_messages.to_pose(self.array)

    @property
    def markers(self) -> MarkerArray:
        """What RViz draws."""
        return markers.to_markers(self.array)

    @property
    def cloud(self) -> PointCloud2:
        """The points that the poses were made of, in the camera's optical frame."""
        return clouds.to_cloud([one.location.points for one in self.objects],
                               [one.prompt_index for one in self.objects], self.header)

    @property
    def detections(self) -> object:
        """The objects in the picture, for programs that know vision_msgs."""
        return detections.to_detections_2d(self.array)

    @property
    def detections_3d(self) -> object:
        """The objects in space, for programs that know vision_msgs."""
        return detections.to_detections_3d(self.array)
