# SPDX-License-Identifier: Apache-2.0
"""ClipsegNode: wires cameras, prompts and network together, and follows the lifecycle."""
from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_srvs.srv import SetBool

from clipseg_ros.clipseg.unchanged import UnchangedScene
from clipseg_ros.clipseg.written import parse_prompts
from clipseg_ros.msg import Prompts
from clipseg_ros.ros.diagnostics import PERIOD, Diagnostics
from clipseg_ros.ros.find import FindServer
from clipseg_ros.ros.inputs.bridge import BRIDGE
from clipseg_ros.ros.inputs.target_frame import TargetFrame
from clipseg_ros.ros.memory.services import MemoryServices
from clipseg_ros.ros.outputs import detections
from clipseg_ros.ros.parameters import Parameters
from clipseg_ros.ros.pipeline import Pipeline
from clipseg_ros.ros.prompts.services import Services
from clipseg_ros.ros.prompts.store import PromptStore
from clipseg_ros.ros.prompts.topic import PromptTopic
from clipseg_ros.ros.recovery import Recovery
from clipseg_ros.ros.reports import Reports, sentence_of
from clipseg_ros.ros.running import loading_libraries, run
from clipseg_ros.ros.settings import SPECS, Settings
from clipseg_ros.ros.worker import Worker

if TYPE_CHECKING:
    from clipseg_ros.clipseg import Segmenter

CHECK_PERIOD = 0.5
"""Seconds between two looks at who publishes images and prompts."""

RENEWED = "the network is loaded anew, since the GPU failed"
"""What the node says meanwhile."""

UNKNOWN_THRESHOLD = 0.5
"""Stands for the weights' own until they are loaded."""


class ClipsegNode(LifecycleNode):
    """Finds prompts in camera images.

    Configuring loads and warms the network, activating subscribes to the cameras and to the prompts, deactivating
    unsubscribes, cleaning up frees the network.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("clipseg", **kwargs)
        self._reports = Reports(self.get_logger())
        self._pipeline: Pipeline | None = None
        self._worker: Worker | None = None
        self._active = ExitStack()
        self._enabled = True
        self._unknown_words = ""
        self._lost = ""
        self._store = PromptStore(threshold=UNKNOWN_THRESHOLD)
        self._prompt_topic = PromptTopic(self, "~/prompt", self._on_prompt)
        self._configuration = Parameters(self, frozen=lambda: self._pipeline is not None, check=self._check,
                                      changed=self._changed)
        self._store.threshold = self._threshold(self._configuration.settings)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._prompts_publisher = self.create_lifecycle_publisher(Prompts, "~/prompts", latched)
        Services(self, store=self._store, parameters=self._configuration, running=self._running,
                 arrived=self._publish_prompts)
        memory = MemoryServices(self, store=self._store, running=self._running)
        self._find = FindServer(self, store=self._store, running=self._running, recalled=memory.recalled)
        self.create_service(SetBool, "~/enable", self._on_enable)
        # The node's own clock may be a simulated one that stands still.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._autostart_timer = self.create_timer(0.0, self._autostart, clock=self._steady)
        self._diagnostics = Diagnostics(self)
        self._failure = ""
        self.create_timer(PERIOD, self._report, clock=self._steady)
        self._warn_of_unknown_parameters()

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm the network; on failure say why and stay unconfigured."""
        if self._succeeds(self._configure, "configured"):
            return super().on_configure(state)
        return TransitionCallbackReturn.FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to everything and start to process frames; on failure say why and stay inactive."""
        if not self._succeeds(self._start, "activated"):
            return TransitionCallbackReturn.FAILURE
        result = super().on_activate(state)
        self._publish_prompts()
        self.get_logger().info("active: listening to " + ", ".join(
            camera.place for camera in self._pipeline.cameras.values()))
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and stop to process frames."""
        self._active.close()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the network."""
        self._free()
        self._failure = ""
        self._prompt_topic.forget()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything, in whatever state the node is."""
        self._free()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything after a transition that broke, so that the node can be configured anew."""
        self._free()
        return super().on_error(state)

    def destroy_node(self) -> None:
        """Stop the worker before anything that it uses disappears."""
        self._free()
        self._find.destroy()
        super().destroy_node()

    def _autostart(self) -> None:
        self.destroy_timer(self._autostart_timer)
        if not self._configuration.settings.autostart:
            self.get_logger().info("unconfigured: waiting for a lifecycle transition, since autostart is false")
        elif self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _succeeds(self, transition: Callable[[], None], what: str) -> bool:
        """Whether a transition's work could be done; otherwise the log says why."""
        try:
            transition()
        except Exception as error:  # rclpy would swallow it without a word
            if not self.context.ok():  # the process was told to end meanwhile
                return False
            self._failure = f"cannot be {what}: {sentence_of(error)}"
            self.get_logger().error(self._failure)
            return False
        self._failure = ""
        return True

    def _configure(self) -> None:
        """What costs little is checked before the weights are loaded."""
        settings = self._configuration.settings
        with ExitStack() as made:
            target = None
            if settings.target_frame:
                target = TargetFrame(self, settings.target_frame, timeout=settings.tf_timeout)
                made.callback(target.destroy)
            segmenter = self._load(settings)
            made.callback(segmenter.close)
            self._store.threshold = settings.threshold or segmenter.threshold
            self._store.await_names(settings.prompt_texts, segmenter)
            self._pipeline = Pipeline(self, segmenter, store=self._store, parameters=self._configuration, target=target,
                                      reports=self._reports)
            made.pop_all()
        self.get_logger().info(BRIDGE.describe(), once=True)
        if not detections.available():
            self.get_logger().info("vision_msgs is not installed, so there are no ~/detections and no ~/label_info",
                                   once=True)

    def _load(self, settings: Settings) -> Segmenter:
        if "torch" not in sys.modules:
            self.get_logger().info("loading PyTorch, which takes a few seconds")
        with loading_libraries():
            from clipseg_ros.clipseg.startup import load_warm
        self.get_logger().info(f"loading the weights {settings.weights!r}")
        unchanged = UnchangedScene(
            difference=settings.reuse_difference, max_age=settings.reuse_max_age,
            cameras=frozenset(settings.cameras)) if settings.reuse_features else None
        segmenter = load_warm(
            settings.weights, on_oom=settings.on_oom, cameras=min(len(settings.cameras), settings.max_batch),
            device=settings.device, precision=settings.precision, backend=settings.backend,
            gpu_graphs=settings.gpu_graphs,
            input_size=settings.input_size, unchanged=unchanged,
            frames_kept=len(settings.cameras) + 1,  # and the last image that came with a request
            allow_download=settings.allow_download, progress=self.get_logger().info)
        memory = f", {segmenter.gpu_memory // 2**20} MiB of its memory" if segmenter.gpu_memory else ""
        self.get_logger().info(f"weights {segmenter.name!r} on {segmenter.device} in {segmenter.precision}{memory}, "
                               f"run by {segmenter.backend}")
        if not segmenter.trained:
            self.get_logger().warning(f"the weights {segmenter.name!r} are untrained: the masks mean nothing")
        return segmenter

    def _start(self) -> None:
        """Activate; closing `_active` undoes it, also where only a part of it was possible."""
        settings, pipeline = self._configuration.settings, self._pipeline
        if pipeline.segmenter is None:
            raise ValueError("the network was lost when the GPU failed; clean the node up and configure it again")
        with ExitStack() as made:
            # Subscriptions and their callbacks hold each other and the last images, some 20 MB a camera, after all else.
            made.callback(gc.collect)
            made.callback(setattr, pipeline, "watch", nullcontext)
            pipeline.watch = self._recovery(pipeline, settings).watch
            worker = Worker(pipeline.process, on_error=self._on_unforeseen, max_batch=settings.max_batch)
            worker.set_rates(settings.max_rate, settings.rates)
            worker.paused = not self._enabled
            made.callback(self._save)
            made.callback(self._log_counts, worker)
            for camera in pipeline.cameras.values():
                made.callback(camera.close)
                camera.open(worker.offer)
            pipeline.waiting = worker.waiting
            made.callback(setattr, pipeline, "waiting", dict)
            self._worker = worker
            made.callback(setattr, self, "_worker", None)
            made.callback(worker.stop)
            worker.start()
            made.callback(self._find.stop)
            made.callback(self._prompt_topic.stop)
            self._prompt_topic.start()
            made.callback(self.destroy_timer,
                          self.create_timer(CHECK_PERIOD, self._check_publishers, clock=self._steady))
            self._active = made.pop_all()

    def _recovery(self, pipeline: Pipeline, settings: Settings) -> Recovery:
        """What is done where the GPU fails; all of it in the worker's thread, but for ending the worker."""
        from clipseg_ros.clipseg.cuda import OutOfMemoryError, is_gpu_error

        def load(sentence: str, chosen: Settings) -> None:
            self.get_logger().error(sentence)
            pipeline.renew(lambda: self._load(chosen))

        def remedy(error: Exception) -> Callable[[], None] | None:
            if is_gpu_error(error):
                return partial(load, "the GPU failed; the network is loaded anew, once", settings)
            if settings.on_oom == "cpu" and isinstance(error, OutOfMemoryError):
                return partial(load, "the GPU's memory does not suffice any more; the CPU runs the network instead",
                               replace(settings, device="cpu", precision="auto"))
            return None

        self._lost = ""
        return Recovery(remedy, give_up=lambda sentence: setattr(self, "_lost", sentence))

    def _save(self) -> None:
        if self._pipeline.keeper is not None:
            self._pipeline.keeper.save()

    def _report(self) -> None:
        """Publish diagnostics, in whatever state the node is."""
        if self._worker is None:
            state = "unconfigured" if self._pipeline is None else "inactive"
            self._diagnostics.publish(self._failure or state, broken=bool(self._failure))
            return
        segmenter, keeper = self._pipeline.segmenter, self._pipeline.keeper
        if segmenter is None:
            self._diagnostics.publish(RENEWED, warn=True)
            return
        self._diagnostics.publish("active" if self._enabled else "paused by ~/enable", warn=not self._enabled,
                                  cameras=self._pipeline.cameras.values(), counts=self._worker.counts,
                                  hardware=str(segmenter.device), gpu_memory=segmenter.gpu_memory,
                                  memory=None if keeper is None else keeper.memory)

    def _warn_of_unknown_parameters(self) -> None:
        given = getattr(self, "_parameter_overrides", {})  # there is no public name for it
        for name in given:
            if not self.has_parameter(name) and not name.startswith("qos_overrides."):
                nearest = get_close_matches(name, SPECS, n=1)
                self.get_logger().warning(f"there is no parameter {name!r}, so its value has no effect"
                                          + (f"; {nearest[0]!r} is meant?" if nearest else ""))

    def _log_counts(self, worker: Worker) -> None:
        if not self.context.ok():
            return
        for name, counts in worker.counts.items():
            tally = self._pipeline.cameras[name].tally
            self.get_logger().info(f"frames of {name}: {tally.published} processed, {tally.failed} failed, "
                                   f"{counts.overtaken} overtaken by a newer one")
        followers = [camera.follower for camera in self._pipeline.cameras.values() if camera.follower is not None]
        born, died = (sum(getattr(one, name) for one in followers) for name in ("born", "died"))
        if born:
            self.get_logger().info(f"objects followed: {born}, of which {died} were lost from sight")

    def _free(self) -> None:
        """Undo activating and configuring; nothing happens where that was not done."""
        self._active.close()
        if self._pipeline is not None:
            self._pipeline.destroy()
            self._pipeline = None

    def _running(self) -> tuple[Pipeline, Worker]:
        """What a request needs. ValueError, with a sentence, while the node is not active."""
        if self._pipeline is None or self._worker is None:
            state = "unconfigured" if self._pipeline is None else "inactive"
            raise ValueError(f"the node is {state}; it must be active to segment an image")
        if self._pipeline.segmenter is None:
            raise ValueError(f"{RENEWED}; try again in a moment")
        return self._pipeline, self._worker

    # Inputs

    def _check_publishers(self) -> None:
        if self._worker.broken_by is not None:
            self._lost = f"the network's thread has ended: {sentence_of(self._worker.broken_by)}"
        if self._lost:
            self._failure = f"inactive: {self._lost}; clean the node up and configure it again, or start it anew"
            self.get_logger().error(self._failure)
            self.trigger_deactivate()
            return
        for camera in self._pipeline.cameras.values():
            camera.input.check()
        self._prompt_topic.check()

    def _on_unforeseen(self, error: BaseException) -> None:
        """Something failed that no camera and no request answers for; in the worker's thread."""
        if self.context.ok():
            self._reports.error(f"the network's thread goes on after an error: {sentence_of(error)}")

    def _on_prompt(self, line: str) -> None:
        """Set the parameter, so that whoever asks for it sees what the topic said."""
        topic = self.resolve_topic_name("~/prompt")
        try:
            written = [prompt.written for prompt in parse_prompts(line)] or [""]
            result, = self.set_parameters([Parameter("prompts", value=written)])
            if not result.successful:
                raise ValueError(result.reason)
        except ValueError as error:
            self._reports.warn(f"{topic}: {error}; the earlier prompts stay", numbers_matter=True)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._enabled = request.data
        if self._worker is not None:
            self._worker.paused = not request.data
        response.success = True
        response.message = ("frames are processed" if request.data
                            else "no frames are processed; ~/segment still answers")
        return response

    # Parameters

    def _check(self, settings: Settings, names: set[str]) -> None:
        """Raise ValueError for settings that cannot come into force."""
        if "prompts" in names:
            self._store.check(settings.prompt_texts, self._segmenter)

    def _changed(self, settings: Settings, names: set[str]) -> None:
        """Use settings that came into force."""
        if self._worker is not None and names & {"max_rate", "max_rates"}:
            self._worker.set_rates(settings.max_rate, settings.rates)
        if "threshold" in names:
            self._store.threshold = self._threshold(settings)
        changed = "prompts" in names and self._store.replace(settings.prompt_texts, self._segmenter)
        if changed or "threshold" in names:
            self._publish_prompts()

    def _threshold(self, settings: Settings) -> float:
        """The parameter, or the weights' own as far as they are known."""
        return settings.threshold or (UNKNOWN_THRESHOLD if self._segmenter is None else self._segmenter.threshold)

    @property
    def _segmenter(self) -> Segmenter | None:
        return None if self._pipeline is None else self._pipeline.segmenter

    def _publish_prompts(self) -> None:
        active = self._store.active
        names = ", ".join(f"{text!r} ({threshold:g})" for text, threshold in zip(active.texts, active.thresholds))
        self.get_logger().info(f"looking for {names}" if names else "looking for nothing: there is no prompt")
        if self._store.missing:
            self._reports.warn(f"{', '.join(self._store.missing)} will be looked for once set_visual_prompt has "
                               "stored it", numbers_matter=True)
        self._prompts_publisher.publish(Prompts(stamp=self.get_clock().now().to_msg(), prompts=list(active.texts),
                                                thresholds=list(active.thresholds)))
        if self._pipeline is not None:
            for camera in self._pipeline.cameras.values():
                camera.outputs.announce(active)
        note = "" if self._segmenter is None else self._segmenter.unknown_words_note(active.prompts)
        if note and note != self._unknown_words:
            self._reports.warn(note)
        self._unknown_words = note


def main(args: list[str] | None = None) -> int:
    """Run the node; return the process's exit status."""
    # OpenCV works for a fraction of a millisecond at a time here: to wake its threads costs the processor more.
    cv2.setNumThreads(1)
    return run(ClipsegNode, program="clipseg_node", args=args)


if __name__ == "__main__":
    sys.exit(main())
