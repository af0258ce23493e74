# SPDX-License-Identifier: Apache-2.0
"""From frames to their published results: prompts, network, and each camera publishes."""
from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from rclpy.lifecycle import LifecycleNode

from clipseg_ros.perception.following import Follower
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.pick import Pick
from clipseg_ros.ros.camera import Camera
from clipseg_ros.ros.inputs.frame import Frame, Space
from clipseg_ros.ros.inputs.target_frame import TargetFrame
from clipseg_ros.ros.memory.keeper import Keeper
from clipseg_ros.ros.parameters import Parameters
from clipseg_ros.ros.prompts.store import ActivePrompts, PromptStore
from clipseg_ros.ros.reports import Reports
from clipseg_ros.ros.seen import Seen

if TYPE_CHECKING:
    from clipseg_ros.clipseg import Segmenter


class Pipeline:
    """The network, the prompts and the cameras. Frames and requests are the worker thread's business.

    Parameters
    ----------
    target : where poses are moved to; None leaves them in the pictures' frames

    Attributes
    ----------
    segmenter : the network; None while it is loaded anew, and where that failed
    cameras : by name, the first one first
    keeper : remembers frames; None without a memory
    waiting : returns the frames, by camera, that will probably be next
    watch : makes what is around the network's work
    """

    def __init__(self, node: LifecycleNode, segmenter: Segmenter, *, store: PromptStore, parameters: Parameters,
                 target: TargetFrame | None, reports: Reports) -> None:
        self.segmenter: Segmenter | None = segmenter
        self._store = store
        self._parameters = parameters
        self._target = target
        self._reports = reports
        settings = parameters.settings
        self.cameras = {name: Camera(node, name, settings=settings, reports=reports) for name in settings.cameras}
        self.keeper = Keeper(node, segmenter, settings, reports) if settings.memory_size else None
        self.waiting: Callable[[], Mapping[str, Frame]] = dict
        self.watch: Callable[[], AbstractContextManager] = nullcontext

    def process(self, frames: Sequence[tuple[str, Frame]]) -> None:
        """Segment frames of different cameras together and publish the results."""
        arrived = [(self.cameras[name], frame) for name, frame in frames]
        unheard = [] if self.keeper is None else [one for one in arrived if not one[0].outputs.wanted]
        for camera, frame in unheard:
            if not frame.fault:
                self._remember(camera, frame, lambda: frame.space(self._parameters.settings))
        batch = [one for one in arrived if one not in unheard and one[0].accepts(one[1])]
        if not batch:
            return
        active, start = self._store.active, time.monotonic()
        exact = any(camera.outputs.wants("probability") for camera, _ in batch)
        try:
            maps = self.look([frame for _, frame in batch], active, cameras=[one.name for one, _ in batch], exact=exact)
        except Exception as error:  # the next frames may be good ones
            for camera, _ in batch:
                camera.fail(error)
            return
        network = time.monotonic() - start
        # What waits travels to a GPU while results are published. A faulty frame is reported when its turn comes.
        self.segmenter.stage(frame.rgb for frame in self.waiting().values() if not frame.fault)
        for (camera, frame), found in zip(batch, maps, strict=True):
            seen = self.seen(frame, active, found, follower=camera.follower, pick=camera.pick)
            camera.publish(seen, network=network)
            self._remember(camera, frame, lambda: seen.surroundings)

    def look(self, frames: Sequence[Frame], active: ActivePrompts, *, cameras: Sequence[str],
             exact: bool = True) -> list[Maps]:
        """Run the network; `cameras` names the cache of each frame's features, `exact` is as `Segmenter.maps` has it."""
        images = [frame.rgb for frame in frames]
        if not active.prompts:
            return [Maps.empty(image.shape[:2]) for image in images]
        with self.watch():
            return self.segmenter.maps(images, active.prompts, active.thresholds, camera=list(cameras), exact=exact)

    def seen(self, frame: Frame, active: ActivePrompts, maps: Maps, *, follower: Follower | None = None,
             pick: Pick | None = None) -> Seen:
        """What was found in a frame; `follower` and `pick` as `Seen` has them."""
        return Seen(frame, active, maps, settings=self._parameters.settings, reports=self._reports, target=self._target,
                    follower=follower, pick=pick)

    def _remember(self, camera: Camera, frame: Frame, look_up: Callable[[], Space]) -> None:
        if self.keeper is not None:
            self.keeper.offer(camera.name, frame, look_up, watch=self.watch)

    def camera(self, name: str) -> Camera:
        """The camera of that name, the first one of an empty one. ValueError where there is none."""
        if name and name not in self.cameras:
            raise ValueError(f"there is no camera {name[:40]!r}; this node has {', '.join(self.cameras)}")
        return self.cameras[name] if name else next(iter(self.cameras.values()))

    def renew(self, load: Callable[[], Segmenter]) -> None:
        """Let go of the network, which frees its memory, and go on with what `load` returns."""
        self._close()
        self.segmenter = load()
        if self.keeper is not None:
            self.keeper.memory.use(self.segmenter)

    def destroy(self) -> None:
        """Remove the publishers, stop to listen to transforms and let go of the network."""
        for camera in self.cameras.values():
            camera.destroy()
        if self._target is not None:
            self._target.destroy()
        if self.keeper is not None:
            self.keeper.destroy()
        self._close()

    def _close(self) -> None:
        lost, self.segmenter = self.segmenter, None
        if lost is not None:
            lost.close()
