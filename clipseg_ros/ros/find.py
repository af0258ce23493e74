# SPDX-License-Identifier: Apache-2.0
"""The action ~/find: waits until a camera sees what is asked for."""
from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future

from clipseg_ros.action import Find
from clipseg_ros.clipseg.written import check_threshold
from clipseg_ros.ros.pipeline import Pipeline
from clipseg_ros.ros.prompts.store import ActivePrompts, PromptStore
from clipseg_ros.ros.reports import sentence_of
from clipseg_ros.ros.search import Search
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
    """

    def __init__(self, node: Node, *, store: PromptStore, running: Callable[[], tuple[Pipeline, Worker]]) -> None:
        self._node = node
        self._store = store
        self._running = running
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
        key = bytes(handle.goal_id.uuid)
        try:
            with ExitStack() as made:
                self._waiting[key] = Future()
                made.callback(self._waiting.pop, key)
                search, seconds = self._begin(handle, self._waiting[key], made)
                started = time.monotonic()
                answer = await self._waiting[key]
            if isinstance(answer, Exception):
                raise answer
            result = answer or search.nothing(min(time.monotonic() - started, seconds))
        except Exception as error:  # whatever a goal causes, the node lives on
            if not isinstance(error, ValueError):
                self._node.get_logger().error(f"find: {sentence_of(error)}")
            handle.abort()
            return Find.Result(message=sentence_of(error))
        handle.canceled() if handle.is_cancel_requested else handle.succeed()
        return result

    def _begin(self, handle: ServerGoalHandle, future: Future, made: ExitStack) -> tuple[Search, float]:
        """Start to look for a goal, until `made` is closed, and return the search and the seconds that it may last."""
        goal, (pipeline, worker) = handle.request, self._running()
        active, camera, seconds = self._asked(goal, pipeline), pipeline.camera(goal.camera), goal.timeout or TIMEOUT
        search = Search(goal, active, camera=camera, pipeline=pipeline, worker=worker,
                        feedback=handle.publish_feedback, ended=lambda result: self._finish(future, result))
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        timer = self._node.create_timer(seconds, lambda: self._finish(future, None), clock=steady)
        made.callback(self._node.destroy_timer, timer)
        camera.watchers.add(search.on_frame)
        made.callback(camera.watchers.discard, search.on_frame)
        if camera.input.newest is not None and camera.input.age <= FRESH:
            search.on_frame(camera.input.newest)
        return search, seconds

    def _asked(self, goal: Find.Goal, pipeline: Pipeline) -> ActivePrompts:
        """What the goal looks for. ValueError for a goal that cannot be served."""
        for name, most in (("min_score", 1.0), ("timeout", 86400.0), ("standoff", 100.0)):
            if not 0 <= getattr(goal, name) <= most:
                raise ValueError(f"{name} is {getattr(goal, name):g}; it must be 0 to {most:g}")
        if goal.threshold:
            check_threshold(goal.threshold)
        active = self._store.asked_for(goal.prompts, goal.threshold or self._store.threshold)
        pipeline.segmenter.check(active.prompts)
        return active

    def _finish(self, future: Future, answer: Find.Result | Exception | None) -> None:
        """Let a goal end, with None for nothing found, unless it has ended; from any thread."""
        if not future.done():
            future.set_result(answer)
        if self._node.executor is not None:
            self._node.executor.wake()
