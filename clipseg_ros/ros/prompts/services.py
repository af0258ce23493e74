# SPDX-License-Identifier: Apache-2.0
"""The services: ~/segment answers about one image, ~/set_visual_prompt gives a picture a name."""
from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image

from clipseg_ros.messages.calibration import Calibration
from clipseg_ros.messages.depth import depth_of
from clipseg_ros.perception.pick import Pick
from clipseg_ros.ros.asking import asked, sentence_for
from clipseg_ros.ros.inputs.frame import Frame, Space
from clipseg_ros.ros.outputs.colour_clouds import object_clouds
from clipseg_ros.ros.outputs.images import to_image
from clipseg_ros.ros.parameters import Parameters
from clipseg_ros.ros.pipeline import Pipeline
from clipseg_ros.ros.prompts.pictures import is_absent, visual_prompt
from clipseg_ros.ros.prompts.store import PromptStore
from clipseg_ros.ros.settings import Settings
from clipseg_ros.ros.worker import Worker
from clipseg_ros.srv import Segment, Select, SetVisualPrompt

_OWN_IMAGES = "~/segment"
"""Whose features the network caches for images that come with a request; no camera can be called so."""

_MANY = QoSProfile(depth=100)
"""Requests that may arrive at once; with the usual 10 the middleware would drop others, which are never answered."""

OLD = 1.0
"""Seconds after which the answer says how old the newest frame was."""


class Services:
    """Answers requests in the worker's thread, between two frames; the executor never waits for the network.

    Parameters
    ----------
    node : that offers the services
    running : returns the pipeline and the worker, or raises ValueError with a sentence while the node is not active
    arrived : called when a visual prompt was stored that was waited for
    """

    def __init__(self, node: Node, *, store: PromptStore, parameters: Parameters,
                 running: Callable[[], tuple[Pipeline, Worker]], arrived: Callable[[], None]) -> None:
        self._node = node
        self._store = store
        self._parameters = parameters
        self._running = running
        self._arrived = arrived
        # In the default group nothing else could be called while a request waits for the network.
        node.create_service(Segment, "~/segment", self._serve_segment, callback_group=ReentrantCallbackGroup(),
                            qos_profile=_MANY)
        node.create_service(SetVisualPrompt, "~/set_visual_prompt", self._serve_visual_prompt)
        node.create_service(Select, "~/select", self._serve_select)

    async def _serve_segment(self, request: Segment.Request, response: Segment.Response) -> Segment.Response:
        started = time.monotonic()
        try:
            pipeline, worker = self._running()
            response = await asked(self._node, worker, lambda: self.segment(request, pipeline))
            response.success = True
        except Exception as error:  # whatever a request causes, the node lives on
            response.message = sentence_for(self._node, "segment", error)
        response.duration = time.monotonic() - started
        return response

    def _serve_visual_prompt(self, request: SetVisualPrompt.Request,
                             response: SetVisualPrompt.Response) -> SetVisualPrompt.Response:
        try:
            prompt = visual_prompt(request.image, request.mask)
            if prompt is None:
                raise ValueError("the visual prompt is empty: it needs an image")
            if self._store.set_visual(request.name, prompt):
                self._arrived()
        except Exception as error:  # whatever a request causes, the node lives on
            response.message = sentence_for(self._node, "set_visual_prompt", error)
        else:
            response.success = True
            response.message = f"@{request.name} is a prompt now"
        return response

    def _serve_select(self, request: Select.Request, response: Select.Response) -> Select.Response:
        try:
            camera = self._running()[0].camera(request.camera)
            number, prompt = request.track_id, request.prompt.strip()
            if number and (camera.follower is None or not camera.follower.knows(number)):
                raise ValueError(f"there is no object {number} now" if camera.follower else
                                 "objects have no numbers while tracking is off; choose the best of a prompt")
            if prompt and not number and prompt not in self._store.active.texts:
                raise ValueError(f"{prompt[:40]!r} is not looked for; it must be one of "
                                 f"{', '.join(self._store.active.texts) or 'the prompts, of which there are none'}")
            camera.pick = Pick(track_id=number, prompt=prompt)
        except Exception as error:  # whatever a request causes, the node lives on
            response.message = sentence_for(self._node, "select", error)
        else:
            response.success = True
            best = f"the best of {prompt!r}" if prompt else "the best of the first prompt"
            response.message = f"~/object_mask shows {f'object {number}' if number else best}"
        return response

    def segment(self, request: Segment.Request, pipeline: Pipeline) -> Segment.Response:
        """The answer to a request, in the worker's thread. ValueError, with a sentence, for one that is refused."""
        active = self._store.asked_for(request.prompts, request.threshold,
                                       visual_prompt(request.visual_prompt, request.visual_prompt_mask))
        with pipeline.watch():
            pipeline.segmenter.check(active.prompts)
        frame, camera, note = self._frame(request, pipeline)
        maps, = pipeline.look([frame], active, cameras=[camera])
        seen = pipeline.seen(frame, active, maps)
        seen.with_masks = not request.without_masks
        notes = filter(None, (note, pipeline.segmenter.unknown_words_note(active.prompts)))
        return Segment.Response(
            message="; ".join(notes), header=seen.header, pose_frame_id=seen.pose_frame_id,
            prompts=list(active.texts), scores=seen.scores, objects=seen.array.objects,
            masks=[to_image(mask, "mono8", seen.header) for mask in seen.maps.masks] if seen.with_masks else [],
            clouds=object_clouds(seen) if request.with_clouds else [])

    def _frame(self, request: Segment.Request, pipeline: Pipeline) -> tuple[Frame, str, str]:
        """The request's image or the newest one of its camera, whose cache it goes by, and what is to be said of it."""
        settings = self._parameters.settings
        if not is_absent(request.image):
            return _GivenFrame(request, settings), _OWN_IMAGES, ""
        camera = pipeline.camera(request.camera)
        source = camera.input
        frame, age = source.newest, source.age
        if frame is None:
            raise ValueError(f"no image has arrived on {source.topic} yet; send one with the request or wait")
        if 0 < settings.segment_max_age < age:
            raise ValueError(f"the newest image of {source.topic} arrived {age:.1f} s ago, which is more than "
                             f"segment_max_age ({settings.segment_max_age:g} s); send one with the request or wait")
        return frame, camera.name, f"the image arrived {age:.1f} s ago" if age > OLD else ""


class _GivenFrame(Frame):
    """An image that came with a request, with its depth and calibration. ValueError where any of them is faulty."""

    def __init__(self, request: Segment.Request, settings: Settings) -> None:
        super().__init__(request.image, mono16_range=settings.mono16_range)
        if self.fault:
            raise ValueError(self.fault)
        self._space = self._read_space(request.camera_info, request.depth, settings)

    def space(self, settings: Settings) -> Space:
        return self._space

    def _read_space(self, info: CameraInfo, depth: Image, settings: Settings) -> Space:
        if not any(info.k) and not any(info.p):
            if not is_absent(depth):
                raise ValueError("there is depth but no camera_info; poses need both")
            return Space()
        info.width, info.height = info.width or self.size[0], info.height or self.size[1]
        camera = Calibration().camera(info, self.size, rectified=settings.rectified)
        return Space(camera, None if is_absent(depth) else depth_of(depth, self.header, self.size, settings))
