# SPDX-License-Identifier: Apache-2.0
"""From frames to their published results."""
from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.perception.poses import moved
from clipseg_ros.ros.camera_input import CameraInput, Frame
from clipseg_ros.ros.depth_input import seconds
from clipseg_ros.ros.diagnostics import FrameTimes
from clipseg_ros.ros.findings import Findings
from clipseg_ros.ros.follower import Follower
from clipseg_ros.ros.frame_result import FrameResult
from clipseg_ros.ros.objects import FoundObject, find_objects
from clipseg_ros.ros.outputs import Outputs
from clipseg_ros.ros.parameters import Parameters
from clipseg_ros.ros.prompt_store import ActivePrompts, PromptStore
from clipseg_ros.ros.reports import Reports
from clipseg_ros.ros.target_frame import TargetFrame
from clipseg_ros.ros.view import View

ONE_CAMERA = ""
"""Prefix of the topics where there is only one camera."""


class Pipeline:
    """The network, the prompts, the cameras and the outputs. Frames and requests are the worker thread's business.

    Raises
    ------
    ValueError
        If there is a target frame, but no tf2_ros.

    Attributes
    ----------
    times : how long the frames of each camera took
    waiting : returns the frames, by camera, that will probably be next
    """

    def __init__(self, node: LifecycleNode, segmenter: Segmenter, *, store: PromptStore, parameters: Parameters,
                 reports: Reports) -> None:
        self._segmenter = segmenter
        self._store = store
        self._parameters = parameters
        self._reports = reports
        names = parameters["cameras"]
        self.prefixes = {name: ONE_CAMERA if len(names) == 1 else f"{name}/" for name in names}
        self._target = TargetFrame(node, parameters["target_frame"], timeout=parameters["tf_timeout"]) \
            if parameters["target_frame"] else None
        self._followers = {name: Follower(memory=parameters["track_memory"], births=parameters["track_births"],
                                          weight=parameters["smoothing_weight"])
                           for name in names} if parameters["tracking"] else {}
        self._outputs = {name: Outputs(node, prefix=prefix) for name, prefix in self.prefixes.items()}
        self._inputs: dict[str, CameraInput] = {}
        self._clock = node.get_clock()
        self.times = {name: FrameTimes() for name in names}
        self.waiting: Callable[[], Mapping[str, Frame]] = dict

    @property
    def segmenter(self) -> Segmenter:
        """The network."""
        return self._segmenter

    @property
    def inputs(self) -> dict[str, CameraInput]:
        """The cameras that are subscribed to, by name; empty while the node is not active."""
        return self._inputs

    @property
    def tracks(self) -> tuple[int, int]:
        """How many objects got a number, and how many of those were forgotten."""
        return sum(one.born for one in self._followers.values()), sum(one.died for one in self._followers.values())

    def set_inputs(self, inputs: dict[str, CameraInput]) -> None:
        """Use these cameras from now on; the worker must not be running."""
        self._inputs = inputs

    def wanted(self, camera: str) -> bool:
        """Whether anybody listens to results of the camera."""
        return self._outputs[camera].wanted

    def process(self, frames: Sequence[tuple[str, Frame]]) -> None:
        """Segment frames of different cameras together and publish the results. A faulty image is reported."""
        frames = [(camera, frame) for camera, frame in frames if self._is_readable(camera, frame)]
        if not frames:
            return
        start = time.monotonic()
        results = self.look([frame.rgb for _, frame in frames], self._store.active(),
                            cameras=[camera for camera, _ in frames])
        network = time.monotonic() - start
        self._stage_next()
        for (camera, frame), result in zip(frames, results, strict=True):
            self._outputs[camera].publish(
                result, frame.header, lambda camera=camera, frame=frame, result=result: self._follow(
                    camera, self.find(result, frame.header, self.view(camera, frame))))
            age = self._clock.now().nanoseconds * 1e-9 - seconds(frame.header)
            self.times[camera].record(age=age, network=network)

    def look(self, images: Sequence[np.ndarray], active: ActivePrompts, *, cameras: Sequence[str]) -> list[FrameResult]:
        """Run the network on (H, W, 3) uint8 RGB images; `cameras` names the cache of each one's features."""
        if not active.prompts:
            return [FrameResult(rgb, active, np.zeros((0, *rgb.shape[:2]), np.float32)) for rgb in images]
        if self._segmenter.device.type == "cuda" and not self._is_probability_wanted(cameras):
            maps = self._segmenter.levels(images, active.prompts, active.thresholds, camera=list(cameras))
        else:
            maps = self._segmenter.segment(list(images), active.prompts, camera=list(cameras))
        return [FrameResult(rgb, active, one) for rgb, one in zip(images, maps, strict=True)]

    def find(self, result: FrameResult, header: Header, view: View = View()) -> Findings:
        """The objects of a result, as the parameters limit them, in the target frame where there is one."""
        objects = find_objects(result, view, self._parameters)
        frame = header.frame_id if self._target is None else self._target.frame
        return Findings(result, header, tuple(self._placed(objects, header)), frame)

    def view(self, camera: str, frame: Frame) -> View:
        """What is known of the space that a camera's frame shows."""
        return self._inputs[camera].view(frame, self._parameters)

    def destroy(self) -> None:
        """Remove the publishers, and stop to listen to transforms."""
        for outputs in self._outputs.values():
            outputs.destroy()
        if self._target is not None:
            self._target.destroy()

    def _stage_next(self) -> None:
        """Let the frames that wait travel to a GPU while the results of the last ones are published."""
        if self._segmenter.device.type == "cuda":
            # What is faulty is reported when its turn comes.
            self._segmenter.stage([frame.rgb for frame in self.waiting().values() if not frame.fault])

    def _is_probability_wanted(self, cameras: Sequence[str]) -> bool:
        """Whether full probabilities are worth four times the bytes from a GPU, to which a CPU adds a conversion."""
        return any(self._outputs[camera].wants_probability for camera in cameras if camera in self._outputs)

    def _is_readable(self, camera: str, frame: Frame) -> bool:
        if frame.fault:
            self._reports.warn(f"{self._inputs[camera].topic}: {frame.fault}")
        return not frame.fault

    def _placed(self, objects: Sequence[FoundObject], header: Header) -> Sequence[FoundObject]:
        """The objects with their poses in the target frame; without poses where tf2 has no transform."""
        if self._target is None or all(one.pose is None for one in objects):
            return objects
        try:
            transform = self._target.lookup(header)
        except ValueError as error:
            self._reports.warn(f"objects have no pose: {error}")
            return [replace(one, pose=None) for one in objects]
        return [one if one.pose is None else replace(one, pose=moved(one.pose, transform)) for one in objects]

    def _follow(self, camera: str, findings: Findings) -> Findings:
        if camera not in self._followers:
            return findings
        followed = self._followers[camera].follow(findings.objects, seconds(findings.header))
        return replace(findings, objects=followed)
