# SPDX-License-Identifier: Apache-2.0
"""ClipsegNode: wires cameras, prompts, network and outputs together."""
from __future__ import annotations

import signal
import sys
from typing import Any

import cv2
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_srvs.srv import SetBool

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.clipseg.startup import load_warm
from clipseg_ros.clipseg.unchanged import UnchangedScene
from clipseg_ros.msg import Prompts
from clipseg_ros.ros import detections
from clipseg_ros.ros.camera_input import CameraInput, Frame
from clipseg_ros.ros.diagnostics import PERIOD, Diagnostics
from clipseg_ros.ros.parameters import SPECS, Parameters, parse_list
from clipseg_ros.ros.pipeline import Pipeline
from clipseg_ros.ros.prompt_input import PromptInput
from clipseg_ros.ros.prompt_store import PromptStore
from clipseg_ros.ros.prompt_text import PromptText, parse_prompts
from clipseg_ros.ros.reports import Reports
from clipseg_ros.ros.segment_service import SegmentService
from clipseg_ros.ros.visual_prompt_service import VisualPromptService
from clipseg_ros.ros.vocabulary import unknown_words_note
from clipseg_ros.ros.worker import Worker

CHECK_PERIOD = 0.5
"""Seconds between two looks at who publishes images and prompts."""


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
        self._enabled = True
        self._unknown_words = ""
        self._check_timer = None
        self._report_timer = None
        self._diagnostics: Diagnostics | None = None
        self._store = PromptStore(threshold=SPECS["threshold"].default)
        self._prompt_input = PromptInput(self, "~/prompt", self._on_prompt)
        self._settings = Parameters(self, frozen=lambda: self._pipeline is not None, apply=self._apply)
        self._store.threshold = self._settings["threshold"]
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._prompts_publisher = self.create_lifecycle_publisher(Prompts, "~/prompts", latched)
        SegmentService(self, store=self._store, parameters=self._settings, running=self._running)
        VisualPromptService(self, store=self._store)
        self.create_service(SetBool, "~/enable", self._on_enable)
        # The node's own clock may be a simulated one that stands still.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._autostart_timer = self.create_timer(0.0, self._autostart, clock=self._steady)

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm the network; on failure say why and stay unconfigured."""
        try:
            segmenter = self._load()
            self._store.replace(self._settings.prompts, segmenter)
            self._pipeline = Pipeline(self, segmenter, store=self._store, parameters=self._settings,
                                      reports=self._reports)
            if not detections.available():
                self.get_logger().info("vision_msgs is not installed, so there are no ~/detections", once=True)
        except Exception as error:  # rclpy would swallow it without a word
            self.get_logger().error(f"cannot be configured: {_sentence(error)}")
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to everything and start to process frames; on failure say why and stay inactive."""
        try:
            self._start()
        except Exception as error:  # rclpy would swallow it without a word
            self.get_logger().error(f"cannot be activated: {_sentence(error)}")
            self._stop()
            return TransitionCallbackReturn.FAILURE
        result = super().on_activate(state)
        self._publish_prompts()
        self.get_logger().info("active: listening to " + ", ".join(i.topic for i in self._pipeline.inputs.values()))
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and stop to process frames."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the network."""
        self._free()
        self._prompt_input.forget()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything, in whatever state the node is."""
        self._stop()
        self._free()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything after a transition that broke, so that the node can be configured anew."""
        self._stop()
        self._free()
        return super().on_error(state)

    def destroy_node(self) -> None:
        """Stop the worker before anything that it uses disappears."""
        self._stop()
        self._free()
        super().destroy_node()

    def _autostart(self) -> None:
        self.destroy_timer(self._autostart_timer)
        if not self._settings["autostart"]:
            self.get_logger().info("unconfigured: waiting for a lifecycle transition, since autostart is false")
        elif self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _load(self) -> Segmenter:
        settings = self._settings
        self.get_logger().info(f"loading the weights {settings['weights']!r}")
        segmenter = load_warm(
            settings["weights"], on_oom=settings["on_oom"],
            cameras=min(len(settings["cameras"]), settings["max_batch"]), device=settings["device"],
            precision=settings["precision"], backend=settings["backend"], input_size=settings["input_size"],
            unchanged=self._unchanged_scene(),
            allow_download=settings["allow_download"], progress=self.get_logger().info)
        memory = f", {segmenter.gpu_memory // 2**20} MiB of its memory" if segmenter.gpu_memory else ""
        self.get_logger().info(f"weights {segmenter.name!r} on {segmenter.device} in {segmenter.precision}{memory}, "
                               f"run by {segmenter.backend}")
        if not segmenter.trained:
            self.get_logger().warning(f"the weights {segmenter.name!r} are untrained: the masks mean nothing")
        return segmenter

    def _unchanged_scene(self) -> UnchangedScene | None:
        settings = self._settings
        if not settings["reuse_features"]:
            return None
        return UnchangedScene(difference=settings["reuse_difference"], max_age=settings["reuse_max_age"],
                              cameras=frozenset(settings["cameras"]))

    def _start(self) -> None:
        pipeline = self._pipeline
        compressed = self._settings["image_transport"] == "compressed"
        compressed_depth = self._settings["depth_transport"] == "compressed"
        pipeline.set_inputs({
            name: CameraInput(self, name, prefix=prefix, compressed=compressed, compressed_depth=compressed_depth,
                              reports=self._reports, on_frame=lambda frame, name=name: self._on_frame(name, frame))
            for name, prefix in pipeline.prefixes.items()})
        self._worker = Worker(pipeline.process, on_error=self._on_processing_error,
                              max_batch=self._settings["max_batch"])
        self._worker.set_rates(self._settings["max_rate"], self._settings.max_rates)
        pipeline.waiting = self._worker.waiting
        self._worker.start()
        self._prompt_input.start()
        self._diagnostics = Diagnostics(self, hardware=str(pipeline.segmenter.device))
        self._check_timer = self.create_timer(CHECK_PERIOD, self._check_publishers, clock=self._steady)
        self._report_timer = self.create_timer(PERIOD, self._report, clock=self._steady)

    def _stop(self) -> None:
        """Undo `on_activate`; nothing happens where it was not called."""
        self._prompt_input.stop()
        for timer in filter(None, (self._check_timer, self._report_timer)):
            self.destroy_timer(timer)
        self._check_timer = self._report_timer = None
        if self._diagnostics is not None:
            self._diagnostics.destroy()
            self._diagnostics = None
        if self._worker is not None:
            self._worker.stop()
            if self.context.ok():
                self._log_counts(self._worker)
            self._worker = None
        if self._pipeline is not None:
            for camera in self._pipeline.inputs.values():
                camera.destroy()
            self._pipeline.set_inputs({})
            self._pipeline.waiting = dict

    def _log_counts(self, worker: Worker) -> None:
        for camera, counts in worker.counts.items():
            self.get_logger().info(f"frames of {camera}: {counts.processed} processed, "
                                   f"{counts.overtaken} overtaken by a newer one")
        born, died = self._pipeline.tracks
        if born:
            self.get_logger().info(f"objects followed: {born}, of which {died} were lost from sight")

    def _free(self) -> None:
        """Undo `on_configure`; nothing happens where it was not called."""
        if self._pipeline is None:
            return
        self._pipeline.destroy()
        self._pipeline.segmenter.close()
        self._pipeline = None

    def _running(self) -> tuple[Pipeline, Worker]:
        """What a request needs. ValueError, with a sentence, while the node is not active."""
        if self._pipeline is None or self._worker is None:
            state = "unconfigured" if self._pipeline is None else "inactive"
            raise ValueError(f"the node is {state}; it must be active to segment an image")
        return self._pipeline, self._worker

    # Inputs

    def _on_frame(self, camera: str, frame: Frame) -> None:
        if self._enabled and self._worker is not None and self._pipeline.wanted(camera):
            self._worker.offer(camera, frame)

    def _check_publishers(self) -> None:
        for camera in self._pipeline.inputs.values():
            camera.check()
        self._prompt_input.check()

    def _report(self) -> None:
        inputs = self._pipeline.inputs
        self._diagnostics.publish(self._worker.counts, self._pipeline.times, lambda camera: inputs[camera].silence,
                                  gpu_memory=self._pipeline.segmenter.gpu_memory)

    def _on_processing_error(self, error: Exception) -> None:
        """A frame could not be processed for another reason than a faulty image; in the worker's thread."""
        if self.context.ok():
            self._reports.error(f"a frame could not be processed: {_sentence(error)}")

    def _on_prompt(self, line: str) -> None:
        try:
            self._set_prompts(parse_prompts(line))
        except ValueError as error:
            self._reports.warn(f"{self.resolve_topic_name('~/prompt')}: {error}; the earlier prompts stay")

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._enabled = request.data
        response.success = True
        response.message = ("frames are processed" if request.data
                            else "no frames are processed; ~/segment still answers")
        return response

    def _apply(self, values: dict[str, Any]) -> None:
        """Use new values of live parameters. ValueError refuses all of them."""
        if "prompts" in values:
            segmenter = None if self._pipeline is None else self._pipeline.segmenter
            self._store.replace(parse_list(values["prompts"]), segmenter)
        if "threshold" in values:
            self._store.threshold = values["threshold"]
        if self._worker is not None and values.keys() & {"max_rate", "max_rates"}:
            rates = self._settings.rates_of(values.get("max_rates", self._settings["max_rates"]))
            self._worker.set_rates(values.get("max_rate", self._settings["max_rate"]), rates)
        if "prompts" in values or "threshold" in values:
            self._publish_prompts()

    def _set_prompts(self, prompts: tuple[PromptText, ...]) -> None:
        """Look for these prompts from now on. ValueError if one cannot be looked for; the earlier ones then stay."""
        if self._store.replace(prompts, self._pipeline.segmenter):
            self._publish_prompts()

    def _publish_prompts(self) -> None:
        active = self._store.active()
        self._prompts_publisher.publish(Prompts(stamp=self.get_clock().now().to_msg(), prompts=list(active.texts),
                                                thresholds=list(active.thresholds)))
        note = "" if self._pipeline is None else unknown_words_note(self._pipeline.segmenter, active.prompts)
        if note and note != self._unknown_words:
            self._reports.warn(note)
        self._unknown_words = note


def _sentence(error: Exception) -> str:
    """What went wrong, on one line; the kind of error too where it is none that was foreseen."""
    text = " ".join(str(error).split())
    return text if isinstance(error, (ValueError, OSError, ImportError)) else f"{type(error).__name__}: {text}"


def spin(node: ClipsegNode) -> None:
    """Serve the node until the context is shut down; a message that cannot even be read does not end it."""
    reports = Reports(node.get_logger())
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while rclpy.ok():
        try:
            executor.spin_once()
        except ExternalShutdownException:
            return
        except Exception as error:  # a faulty message must not end the node
            reports.error(f"a message or request could not be handled: {_sentence(error)}")


def main(args: list[str] | None = None) -> int:
    """Run the node; return the process's exit status."""
    # OpenCV works for a fraction of a millisecond at a time here: to wake its threads costs the processor more.
    cv2.setNumThreads(1)
    try:
        rclpy.init(args=args)
        node = ClipsegNode()
        try:
            spin(node)
        finally:
            # A second Ctrl-C must not cut the cleaning up short.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            node.destroy_node()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (ValueError, ParameterException) as error:
        print(f"clipseg_node: {error}", file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
