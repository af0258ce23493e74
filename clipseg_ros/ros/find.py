# SPDX-License-Identifier: Apache-2.0
"""The action ~/find: waits until a camera sees what is asked for."""
from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future
from std_msgs.msg import Header

from clipseg_ros.action import Find
from clipseg_ros.memory import RecalledObject
from clipseg_ros.ros.asking import sentence_for
from clipseg_ros.ros.memory.messages import to_segmented, to_time
from clipseg_ros.ros.outputs.poses import UP_ELSEWHERE, approach_of
from clipseg_ros.ros.pipeline import Pipeline
from clipseg_ros.ros.prompts.store import ActivePrompts, PromptStore
from clipseg_ros.ros.search import STANDOFF, Search
from clipseg_ros.ros.worker import Worker

TIMEOUT = 10.0
"""Seconds that a search lasts where the goal names none."""
FRESH = 1.0
"""Seconds up to which the newest frame counts as what the camera sees now."""


class FindServer:
    """Serves any number of goals; the executor never waits for the network.

    Parameters
    ----------
    node : that offers the action
    running : returns the pipeline and the worker, or raises ValueError with a sentence while the node is not active
    recalled : returns what is remembered, as `MemoryServices.recalled`
    """

    def __init__(self, node: Node, *, store: PromptStore, running: Callable[[], tuple[Pipeline, Worker]],
                 recalled: Callable[..., Awaitable[tuple[list[RecalledObject], int]]]) -> None:
        self._node = node
        self._store = store
        self._running = running
        self._recalled = recalled
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._waiting: dict[bytes, Future] = {}
        self._server = ActionServer(node, Find, "~/find", self._execute, cancel_callback=self._on_cancel,
                                    callback_group=ReentrantCallbackGroup())

    def stop(self) -> None:
        """End all goals, since the node is being deactivated."""
        for future in list(self._waiting.values()):
            self._finish(future, ValueError("the node was deactivated during the search"))

    def destroy(self) -> None:
        """Stop to offer the action."""
        self._server.destroy()

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        future = self._waiting.get(bytes(handle.goal_id.uuid))
        if future is not None:
            self._finish(future, None)
        return CancelResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> Find.Result:
        try:
            pipeline, worker = self._running()
            active = self._asked(handle.request, pipeline)
            result = await self._by_memory(handle, active, pipeline) if handle.request.use_memory else None
            result = result or await self._by_sight(handle, active, pipeline, worker)
        except Exception as error:  # whatever a goal causes, the node lives on
            handle.abort()
            return Find.Result(message=sentence_for(self._node, "find", error))
        handle.canceled() if handle.is_cancel_requested else handle.succeed()
        return result

    async def _by_memory(self, handle: ServerGoalHandle, active: ActivePrompts,
                         pipeline: Pipeline) -> Find.Result | None:
        """What is remembered; None where that is nothing good enough."""
        handle.publish_feedback(Find.Feedback(note="the memory is asked first"))
        objects, _ = await self._recalled(active, seconds=handle.request.timeout or TIMEOUT)
        objects = [one for one in objects if one.score >= handle.request.min_score]
        if not objects:
            return None
        told = [to_segmented(one) for one in objects]
        newest = max(one.last_seen for one in objects)
        age = self._node.get_clock().now().nanoseconds * 1e-9 - newest
        frame, standoff = pipeline.keeper.frame, handle.request.standoff or STANDOFF
        return Find.Result(
            found=True, remembered=True, header=Header(stamp=to_time(newest), frame_id=frame), pose_frame_id=frame,
            objects=told, message=f"{told[0].prompt!r} is remembered; what was seen last was seen {age:.0f} s ago",
            approaches=[approach_of(one, remembered.view.pose.translation, UP_ELSEWHERE, standoff=standoff)
                        for one, remembered in zip(told, objects)])

    async def _by_sight(self, handle: ServerGoalHandle, active: ActivePrompts, pipeline: Pipeline,
                        worker: Worker) -> Find.Result:
        """What the camera sees, as soon as it does."""
        key, goal, started = bytes(handle.goal_id.uuid), handle.request, time.monotonic()
        seconds, future = goal.timeout or TIMEOUT, Future()
        with ExitStack() as made:
            self._waiting[key] = future
            made.callback(self._waiting.pop, key)
            if handle.is_cancel_requested:  # while the memory was asked
                self._finish(future, None)
            camera = pipeline.camera(goal.camera)
            search = Search(goal, active, camera=camera, pipeline=pipeline, worker=worker,
                            feedback=handle.publish_feedback, ended=lambda result: self._finish(future, result))
            timer = self._node.create_timer(seconds, lambda: self._finish(future, None), clock=self._steady)
            made.callback(self._node.destroy_timer, timer)
            camera.watchers.add(search.on_frame)
            made.callback(camera.watchers.discard, search.on_frame)
            if camera.input.newest is not None and camera.input.age <= FRESH:
                search.on_frame(camera.input.newest)
            answer = await future
        if isinstance(answer, Exception):
            raise answer
        return answer or search.nothing(min(time.monotonic() - started, seconds))

    def _asked(self, goal: Find.Goal, pipeline: Pipeline) -> ActivePrompts:
        """What the goal looks for. ValueError for a goal that cannot be served."""
        for name, most in (("min_score", 1.0), ("timeout", 86400.0), ("standoff", 100.0)):
            if not 0 <= getattr(goal, name) <= most:
                raise ValueError(f"{name} is {getattr(goal, name):g}; it must be 0 to {most:g}")
        active = self._store.asked_for(goal.prompts, goal.threshold)
        pipeline.segmenter.check(active.prompts)
        return active

    def _finish(self, future: Future, answer: Find.Result | Exception | None) -> None:
        """Let a goal end, with None for nothing found, unless it has ended; from any thread."""
        if not future.done():
            future.set_result(answer)
        if self._node.executor is not None:
            self._node.executor.wake()
