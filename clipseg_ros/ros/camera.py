# SPDX-License-Identifier: Apache-2.0
"""One camera of the node: what arrives from it, what is made of that, and how it fares."""
from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from rclpy.lifecycle import LifecycleNode

from clipseg_ros.messages.headers import seconds
from clipseg_ros.perception.following import Follower
from clipseg_ros.perception.pick import Pick
from clipseg_ros.ros.inputs.camera_input import CameraInput
from clipseg_ros.ros.inputs.frame import Frame
from clipseg_ros.ros.outputs.table import Outputs
from clipseg_ros.ros.reports import Reports, sentence_of
from clipseg_ros.ros.seen import Seen
from clipseg_ros.ros.settings import Settings

_KEPT = 100

NO_RESULT = 5.0
"""Seconds without a result, while frames are taken, after which that is an error."""


class Tally:
    """One thread records while another one reads.

    Attributes
    ----------
    published : frames whose results were published
    failed : frames that gave no result
    ages : seconds from a frame's stamp to its published result, of the last ones
    network : seconds that the network took for the batch with the frame, of the last ones
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.published = 0
        self.failed = 0
        self.ages: deque[float] = deque(maxlen=_KEPT)
        self.network: deque[float] = deque(maxlen=_KEPT)
        self._fault = ""
        self._waiting_since: float | None = None

    def took(self) -> None:
        """A frame was taken for processing."""
        if self._waiting_since is None:
            self._waiting_since = self._clock()

    def publish(self, *, age: float, network: float, missing: str = "") -> None:
        """A frame's results were published, all but those that a sentence says are `missing`."""
        self.published += 1
        self.ages.append(age)
        self.network.append(network)
        self._fault, self._waiting_since = missing, None

    def fail(self, sentence: str) -> None:
        """A frame gave no result; `sentence` says why."""
        self.failed += 1
        self._fault = sentence

    @property
    def trouble(self) -> tuple[str, bool]:
        """What is wrong, empty if nothing is, and whether it has been for so long that it is an error."""
        if self._waiting_since is None:
            return self._fault, False
        waited = self._clock() - self._waiting_since
        lasting = waited >= NO_RESULT
        if self._fault:
            return (f"no result for {waited:.0f} s: {self._fault}" if lasting else self._fault), lasting
        return (f"the network has been at work on one frame for {waited:.0f} s" if lasting else ""), False


class Camera:
    """Publishes its results from configure to cleanup, and listens from `open` to `close`.

    Parameters
    ----------
    node : on which publishers and subscriptions are made
    name : of the camera, for people; its topics have the settings' prefix for it

    Attributes
    ----------
    outputs : its publishers
    follower : recognises its objects again; None while tracking is off
    pick : chooses the object of ~/object_mask
    tally : how its frames fared
    input : what arrives from it; None while it is closed
    watchers : called with each new frame
    """

    def __init__(self, node: LifecycleNode, name: str, *, settings: Settings, reports: Reports) -> None:
        self.name = name
        self._node = node
        self._settings = settings
        self._reports = reports
        self._clock = node.get_clock()
        self.outputs = Outputs(node, prefix=settings.prefixes[name])
        self.follower = Follower(memory=settings.track_memory, births=settings.track_births,
                                 weight=settings.smoothing_weight) if settings.tracking else None
        self.pick = Pick()
        self.tally = Tally()
        self.input: CameraInput | None = None
        self.watchers: set[Callable[[Frame], None]] = set()

    def open(self, offer: Callable[[str, Frame], None]) -> None:
        """Listen; `offer` is called with the camera's name and each new frame that somebody waits for."""
        def on_frame(frame: Frame) -> None:
            for watch in tuple(self.watchers):
                watch(frame)
            if self.outputs.wanted or self._settings.memory_size:
                offer(self.name, frame)
        self.input = CameraInput(self._node, prefix=self._settings.prefixes[self.name], settings=self._settings,
                                 reports=self._reports, on_frame=on_frame)

    def close(self) -> None:
        """Stop listening; nothing happens where it does not."""
        if self.input is not None:
            self.input.destroy()
            self.input = None

    def destroy(self) -> None:
        """Remove the publishers as well."""
        self.close()
        self.outputs.destroy()

    def accepts(self, frame: Frame) -> bool:
        """Whether the frame can be read; a faulty one is reported and counted."""
        self.tally.took()
        if frame.fault:
            self._reports.warn(f"{self.place}: {frame.fault}")
            self.tally.fail(frame.fault)
        return not frame.fault

    def publish(self, seen: Seen, *, network: float) -> None:
        """Publish what is listened to. Whatever goes wrong is reported, and costs no other camera anything.

        network : seconds that the network took
        """
        try:
            told = self.outputs.publish(seen)
        except Exception as error:  # the next frame may be a good one
            self.fail(error)
            return
        faults = {topic: sentence_of(error) for topic, error in told.items() if error is not None}
        missing = [f"{', '.join(topic for topic in faults if faults[topic] == why)} could not be published: {why}"
                   for why in dict.fromkeys(faults.values())]
        for sentence in missing:
            self._report(sentence)
        if faults and len(faults) == len(told):
            self.tally.fail(missing[0])
        else:
            self.tally.publish(age=self._clock.now().nanoseconds * 1e-9 - seconds(seen.header), network=network,
                               missing=missing[0] if missing else "")

    def fail(self, error: Exception) -> None:
        """A frame gave no result, for another reason than a faulty image."""
        sentence = sentence_of(error)
        self.tally.fail(sentence)
        self._report(f"a frame could not be processed: {sentence}")

    def _report(self, sentence: str) -> None:
        if self._node.context.ok():
            self._reports.error(f"{self.place}: {sentence}")

    @property
    def place(self) -> str:
        """What it is called in sentences: its image topic, or its name while it is closed."""
        return self.name if self.input is None else self.input.topic
