# SPDX-License-Identifier: Apache-2.0
"""From a frame to its published result."""
from __future__ import annotations

import numpy as np
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.msg import SegmentedObject
from clipseg_ros.ros.camera_input import CameraInput, Frame
from clipseg_ros.ros.frame_result import FrameResult
from clipseg_ros.ros.objects import Locate, find_objects, locator, nowhere
from clipseg_ros.ros.outputs import Outputs
from clipseg_ros.ros.parameters import Parameters
from clipseg_ros.ros.prompt_store import ActivePrompts, PromptStore
from clipseg_ros.ros.reports import Reports

ONE_CAMERA = ""
"""Prefix of the topics where there is only one camera."""


class Pipeline:
    """The network, the prompts, the cameras and the outputs. Frames and requests are the worker thread's business."""

    def __init__(self, node: LifecycleNode, segmenter: Segmenter, *, store: PromptStore, parameters: Parameters,
                 reports: Reports) -> None:
        self._segmenter = segmenter
        self._store = store
        self._parameters = parameters
        self._reports = reports
        names = parameters["cameras"]
        self.prefixes = {name: ONE_CAMERA if len(names) == 1 else f"{name}/" for name in names}
        self._outputs = {name: Outputs(node, prefix=prefix) for name, prefix in self.prefixes.items()}
        self._inputs: dict[str, CameraInput] = {}

    @property
    def segmenter(self) -> Segmenter:
        """The network."""
        return self._segmenter

    @property
    def inputs(self) -> dict[str, CameraInput]:
        """The cameras that are subscribed to, by name; empty while the node is not active."""
        return self._inputs

    def set_inputs(self, inputs: dict[str, CameraInput]) -> None:
        """Use these cameras from now on; the worker must not be running."""
        self._inputs = inputs

    def wanted(self, camera: str) -> bool:
        """Whether anybody listens to results of the camera."""
        return self._outputs[camera].wanted

    def process(self, camera: str, frame: Frame) -> None:
        """Segment a frame and publish the result. A faulty image is reported."""
        try:
            rgb = frame.rgb
        except ValueError as error:
            self._reports.warn(f"{self._inputs[camera].topic}: {error}")
            return
        result = self.look(rgb, self._store.active(), camera=camera)
        self._outputs[camera].publish(
            result, frame.header, lambda: self.objects(result, frame.header, self.locator(camera, frame)))

    def look(self, rgb: np.ndarray, active: ActivePrompts, *, camera: str) -> FrameResult:
        """Run the network on an (H, W, 3) uint8 RGB image; `camera` names the cache of its features."""
        if not active.prompts:
            return FrameResult(rgb, active, np.zeros((0, *rgb.shape[:2]), np.float32))
        return FrameResult(rgb, active, self._segmenter.segment(rgb, active.prompts, camera=camera))

    def objects(self, result: FrameResult, header: Header, locate: Locate = nowhere) -> list[SegmentedObject]:
        """The connected regions of a result, as the parameters limit them."""
        return find_objects(result, header, locate, min_area=self._parameters["min_area"],
                            max_regions=self._parameters["max_regions"])

    def locator(self, camera: str, frame: Frame) -> Locate:
        """How to locate regions of a camera's frame."""
        return locator(self._inputs[camera], frame, self._parameters["depth_slop"], self._reports)

    def destroy(self) -> None:
        """Remove the publishers."""
        for outputs in self._outputs.values():
            outputs.destroy()
