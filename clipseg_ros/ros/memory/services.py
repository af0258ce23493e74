# SPDX-License-Identifier: Apache-2.0
"""Who asks the memory: ~/recall, ~/forget, ~/correct_poses, and ~/find before it looks."""
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from clipseg_ros.memory import RecalledObject
from clipseg_ros.ros.asking import asked, sentence_for
from clipseg_ros.ros.memory.keeper import Keeper
from clipseg_ros.ros.memory.messages import to_remembered
from clipseg_ros.ros.outputs.poses import to_transform
from clipseg_ros.ros.pipeline import Pipeline
from clipseg_ros.ros.prompts.pictures import visual_prompt
from clipseg_ros.ros.prompts.store import ActivePrompts, PromptStore
from clipseg_ros.ros.worker import Worker
from clipseg_ros.srv import CorrectPoses, Forget, Recall

RESULTS = 10
"""Objects in an answer where the request names no other number."""
TIME_LIMIT = 10.0
"""Seconds where the request names no others."""
_SAME = 1e-5
"""Seconds by which two times of one stamp may differ, since they have been numbers meanwhile."""


class MemoryServices:
    """Answers from memory, all in the worker's thread. The keyframes are searched a few at a time between two frames.

    Parameters
    ----------
    node : that offers the services
    running : returns the pipeline and the worker, or raises ValueError with a sentence while the node is not active
    """

    def __init__(self, node: Node, *, store: PromptStore, running: Callable[[], tuple[Pipeline, Worker]]) -> None:
        self._node, self._store, self._running = node, store, running
        node.create_service(Recall, "~/recall", self._serve_recall, callback_group=ReentrantCallbackGroup())
        node.create_service(Forget, "~/forget", self._serve_forget, callback_group=ReentrantCallbackGroup())
        node.create_service(CorrectPoses, "~/correct_poses", self._serve_correct_poses,
                            callback_group=ReentrantCallbackGroup())

    async def recalled(self, active: ActivePrompts, *, seconds: float = TIME_LIMIT,
                       since: float | None = None) -> tuple[list[RecalledObject], int]:
        """What is remembered of prompts, the best first, and of how many keyframes.

        seconds : after which the search ends, with what was found until then
        since : in seconds; only what was seen after that time

        Raises
        ------
        ValueError
            If there is no memory, or the prompts cannot be looked for.
        """
        pipeline, worker = self._running()
        search = keeper_of(pipeline).memory.start(active.prompts, thresholds=active.thresholds, since=since)

        def step() -> bool:
            with pipeline.watch():
                return search.step()

        end = time.monotonic() + seconds
        while await asked(self._node, worker, step) and time.monotonic() < end:
            pass
        objects = await asked(self._node, worker, lambda: search.objects)
        return sorted(objects, key=lambda one: -one.score), search.searched

    async def _serve_recall(self, request: Recall.Request, response: Recall.Response) -> Recall.Response:
        started = time.monotonic()
        try:
            for name in ("max_age", "time_limit", "radius"):
                if not getattr(request, name) >= 0:
                    raise ValueError(f"{name} is {getattr(request, name):g}; it must be 0 or more")
            keeper = keeper_of(self._running()[0])
            active = self._store.asked_for(request.prompts, request.threshold,
                                           visual_prompt(request.visual_prompt, request.visual_prompt_mask))
            now = self._node.get_clock().now().nanoseconds * 1e-9
            since = now - request.max_age if request.max_age else None
            objects, response.looked_at = await self.recalled(active, seconds=request.time_limit or TIME_LIMIT,
                                                              since=since)
            if request.radius:
                centre = np.array([request.near.x, request.near.y, request.near.z])
                objects = [one for one in objects if one.found.pose is not None
                           and np.linalg.norm(one.found.pose.position - centre) <= request.radius]
            response.objects = [to_remembered(one, thumbnail=not request.without_thumbnails)
                                for one in objects[:request.max_results or RESULTS]]
            response.frame_id, response.prompts = keeper.frame, list(active.texts)
            response.keyframes = len(keeper.memory)
            response.message = _remark(objects, response)
            response.success = True
        except Exception as error:  # whatever a request causes, the node lives on
            response.message = sentence_for(self._node, "recall", error)
        response.duration = time.monotonic() - started
        return response

    async def _serve_forget(self, request: Forget.Request, response: Forget.Response) -> Forget.Response:
        def forget(keeper: Keeper) -> None:
            centre = [request.near.x, request.near.y, request.near.z]
            before = request.before.sec + request.before.nanosec * 1e-9
            response.forgotten = keeper.memory.forget(around=centre if request.radius else None, radius=request.radius,
                                                      before=before or None)
            response.message = f"{response.forgotten} images are forgotten, {len(keeper.memory)} are still remembered"
        return await self._change("forget", response, forget)

    async def _serve_correct_poses(self, request: CorrectPoses.Request,
                                   response: CorrectPoses.Response) -> CorrectPoses.Response:
        def correct(keeper: Keeper) -> None:
            if len(request.stamps) != len(request.poses):
                raise ValueError(f"there are {len(request.stamps)} stamps and {len(request.poses)} poses; each stamp "
                                 "needs one")
            name = self._running()[0].camera(request.camera).name
            poses = [(stamp.sec + stamp.nanosec * 1e-9, to_transform(pose))
                     for stamp, pose in zip(request.stamps, request.poses)]
            moved = {frame.number: pose for frame in keeper.memory.keyframes if frame.camera == name
                     for stamp, pose in poses if abs(frame.stamp - stamp) <= _SAME}
            keeper.memory.correct_poses(moved)
            response.corrected = len(moved)
            response.message = f"{len(moved)} of {len(poses)} images are remembered and were moved"
        return await self._change("correct_poses", response, correct)

    async def _change(self, service: str, response: Any, change: Callable[[Keeper], None]) -> Any:
        """In the worker's thread: to look what thousands of keyframes show takes seconds."""
        try:
            pipeline, worker = self._running()
            keeper = keeper_of(pipeline)
            await asked(self._node, worker, lambda: change(keeper))
            keeper.changed()
            response.success = True
        except Exception as error:  # whatever a request causes, the node lives on
            response.message = sentence_for(self._node, service, error)
        return response


def keeper_of(pipeline: Pipeline) -> Keeper:
    """The pipeline's memory. ValueError where it has none."""
    if pipeline.keeper is None:
        raise ValueError("there is no memory: set memory_size, in MB, and memory_frame before the node is configured")
    return pipeline.keeper


def _remark(objects: list[RecalledObject], response: Recall.Response) -> str:
    """What the numbers of an answer do not say by themselves."""
    if not response.keyframes:
        return "nothing is remembered yet"
    if response.looked_at < response.keyframes:
        return f"of {response.keyframes} images only the newest {response.looked_at} were looked at"
    return "" if objects else f"none of the {response.keyframes} images shows it"
