# SPDX-License-Identifier: Apache-2.0
"""The service ~/segment: one image, any prompts, now."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from clipseg_ros.clipseg import Prompt
from clipseg_ros.perception.masks import threshold_mask
from clipseg_ros.ros.frame_result import FrameResult
from clipseg_ros.ros.messages import image_to_mask, image_to_rgb, to_image
from clipseg_ros.ros.calibration import Calibration
from clipseg_ros.ros.depth_input import check_registered, depth_of
from clipseg_ros.ros.pipeline import Pipeline
from clipseg_ros.ros.prompt_store import ActivePrompts, PromptStore
from clipseg_ros.ros.prompt_text import as_unique, check_threshold, parse_prompt
from clipseg_ros.ros.view import View
from clipseg_ros.ros.vocabulary import unknown_words_note
from clipseg_ros.ros.worker import Worker
from clipseg_ros.srv import Segment

_OWN_IMAGES = "~/segment"
"""Whose features the network caches for images that come with a request; no camera can be called so."""


@dataclass(frozen=True)
class _Picture:
    rgb: np.ndarray
    header: Header
    camera: str
    view: Callable[[], View]


class SegmentService:
    """Answers requests in the worker's thread, between two frames; the executor never waits for the network.

    Parameters
    ----------
    node : that offers the service
    running : returns the pipeline and the worker, or raises ValueError with a sentence while the node is not active
    """

    def __init__(self, node: Node, *, store: PromptStore, parameters: Any,
                 running: Callable[[], tuple[Pipeline, Worker]]) -> None:
        self._node = node
        self._store = store
        self._parameters = parameters
        self._running = running
        # In the default group nothing else could be called while a request waits for the network.
        node.create_service(Segment, "~/segment", self._serve, callback_group=ReentrantCallbackGroup())

    async def _serve(self, request: Segment.Request, response: Segment.Response) -> Segment.Response:
        started = time.monotonic()
        try:
            pipeline, worker = self._running()
            future = Future()
            worker.submit(lambda: self._segment(request, pipeline), done=lambda answer: self._finish(future, answer),
                          failed=lambda error: self._finish(future, error))
            answer = await future
            if isinstance(answer, Exception):
                raise answer
            response = answer
            response.success = True
        except ValueError as error:
            response.message = str(error)
        except Exception as error:  # whatever a request causes, the node lives on
            response.message = f"the request failed: {type(error).__name__}: {error}"
            self._node.get_logger().error(f"segment: {response.message}")
        response.duration = time.monotonic() - started
        return response

    def _finish(self, future: Future, answer: Segment.Response | Exception) -> None:
        """Hand the answer to the callback that awaits it; in the worker's thread."""
        future.set_result(answer)
        if self._node.executor is not None:
            self._node.executor.wake()

    def _segment(self, request: Segment.Request, pipeline: Pipeline) -> Segment.Response:
        active = self._prompts(request)
        pipeline.segmenter.check(active.prompts)
        picture = self._picture(request, pipeline)
        result = pipeline.look([picture.rgb], active, cameras=[picture.camera])[0]
        found = pipeline.find(result, picture.header, picture.view()).array
        return Segment.Response(
            message=unknown_words_note(pipeline.segmenter, active.prompts), header=picture.header,
            pose_frame_id=found.pose_frame_id, prompts=found.prompts, masks=_masks(result, picture.header),
            scores=found.scores, objects=found.objects)

    def _prompts(self, request: Segment.Request) -> ActivePrompts:
        """The request's prompts, its visual prompt behind them; the node's own where it has neither."""
        if request.threshold:
            check_threshold(request.threshold)
        threshold = request.threshold or self._store.threshold
        active = self._store.resolve(as_unique(map(parse_prompt, request.prompts)), threshold=threshold)
        visual = visual_prompt(request.visual_prompt, request.visual_prompt_mask)
        if visual is not None:
            active = ActivePrompts((*active.texts, visual.label), (*active.prompts, visual),
                                   (*active.thresholds, threshold))
        active = active if active.prompts else self._store.active(threshold=request.threshold or None)
        if not active.prompts:
            raise ValueError("nothing to look for: the request has no prompt and the node has none either")
        return active

    def _picture(self, request: Segment.Request, pipeline: Pipeline) -> _Picture:
        """The request's image, or the newest one of its camera."""
        if not is_absent(request.image):
            rgb = image_to_rgb(request.image)
            view = _view(request, rgb, self._parameters)
            return _Picture(rgb, request.image.header, _OWN_IMAGES, lambda: view)
        cameras = pipeline.inputs
        name = request.camera or next(iter(cameras))
        if name not in cameras:
            raise ValueError(f"there is no camera {name[:40]!r}; this node has {', '.join(cameras)}")
        frame = cameras[name].newest
        if frame is None:
            raise ValueError(f"no image has arrived on {cameras[name].topic} yet; send one with the request or wait")
        return _Picture(frame.rgb, frame.header, name, lambda: pipeline.view(name, frame))


def is_absent(image: Image) -> bool:
    """Whether an image field of a request was left empty."""
    return not (image.width or image.height or image.data)


def _view(request: Segment.Request, rgb: np.ndarray, parameters: Any) -> View:
    """The camera and the depth that came with a request's image. ValueError where one is faulty."""
    if not request.camera_info.width:
        if not is_absent(request.depth):
            raise ValueError("there is depth but no camera_info; poses need both")
        return View()
    size = (rgb.shape[1], rgb.shape[0])
    camera = Calibration().camera(request.camera_info, size, rectified=parameters["rectified"])
    if is_absent(request.depth):
        return View(camera)
    if not parameters["assume_registered"]:
        check_registered(request.depth.header, request.image.header)
    return View(camera, depth_of(request.depth, size, parameters))


def visual_prompt(image: Image, mask: Image) -> Prompt | None:
    """The prompt of a picture and its mask, either of which may be absent. ValueError where one is faulty."""
    if is_absent(image):
        if not is_absent(mask):
            raise ValueError("there is a mask but no visual prompt; a mask needs the picture that it belongs to")
        return None
    try:
        return Prompt(image=image_to_rgb(image), mask=None if is_absent(mask) else image_to_mask(mask))
    except ValueError as error:
        raise ValueError(f"the visual prompt cannot be used: {error}") from None


def _masks(result: FrameResult, header: Header) -> list[Image]:
    """One mask per prompt, each by its own threshold whatever the other prompts find."""
    return [to_image(threshold_mask(one, threshold), "mono8", header)
            for one, threshold in zip(result.maps, result.thresholds, strict=True)]
