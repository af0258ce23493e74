# SPDX-License-Identifier: Apache-2.0
"""What the cameras have seen: keyframes that answer prompts, within a budget."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from clipseg_ros.clipseg.prompts import as_prompts
from clipseg_ros.memory import file
from clipseg_ros.memory.keeping import SAME_VIEW, Keeping, Novelty
from clipseg_ros.memory.keyframe import Keyframe
from clipseg_ros.memory.recall import Recall
from clipseg_ros.memory.things import RecalledObject
from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.findings import Space
from clipseg_ros.perception.transforms import Transform

if TYPE_CHECKING:
    from clipseg_ros.clipseg.segmenter import Prompts, Segmenter

SIZE = 500.0
"""Megabytes, by default."""
_SEEN = 0.01
"""Share of a keyframe's pixels with depth that must lie around a point, for it to show what is there."""


class Memory:
    """Keeps frames that show something new, and finds things in all of them. Its calls may come from several threads.

    Poses are of the camera's optical frame in one frame that does not move (map or odom, REP 105), at the image's
    stamp. Without depth, things have a view and a bearing, but no place.

    Parameters
    ----------
    segmenter : encodes frames and decodes what was kept
    size : megabytes (10^6 bytes) that the keyframes may take
    novelty : from where on a frame is new

    Raises
    ------
    ValueError
        If the size is not positive.
    """

    def __init__(self, segmenter: Segmenter, *, size: float = SIZE, novelty: Novelty = Novelty()) -> None:
        if not size > 0:
            raise ValueError(f"the memory's size is {size} MB; it must be above 0")
        self._segmenter = segmenter
        self._kept = Keeping(int(size * 1e6), novelty)
        self._next = 0
        self._lock = Lock()

    def use(self, segmenter: Segmenter) -> None:
        """Go on with another segmenter of the same network and input size."""
        self._segmenter = segmenter

    def __len__(self) -> int:
        return len(self._kept.frames)

    @property
    def nbytes(self) -> int:
        """Bytes that the keyframes take."""
        return self._kept.nbytes

    @property
    def keyframes(self) -> list[Keyframe]:
        """What is kept now, the oldest first."""
        with self._lock:
            return list(self._kept.frames.values())

    def add(self, image: np.ndarray, *, pose: Transform | np.ndarray, depth: np.ndarray | None = None,
            camera: Pinhole | None = None, stamp: float, name: str = "",
            look_up: Callable[[], Space] | None = None) -> Keyframe | None:
        """Keep a frame if it shows something new; returns what was kept, or None.

        A frame that the segmenter has just encoded for the camera of this name is not encoded again, and one that is
        not new costs a comparison of poses, and once in `LOOK_AGAIN` seconds one of features.

        Parameters
        ----------
        image : (H, W, 3) uint8 RGB
        pose : from the camera's optical frame to the fixed one, also as (4, 4)
        depth : (H, W) float32 metres, NaN where unknown, registered to the image
        camera : its calibration
        stamp : when the image was taken, in seconds
        name : of the camera; views are compared among frames of one
        look_up : returns calibration and depth instead, where they cost something; asked only for what is kept

        Raises ValueError for images, depths and poses that are none, or do not fit each other.
        """
        pose = pose if isinstance(pose, Transform) else Transform.from_matrix(pose)
        with self._lock:
            distance, known = self._kept.nearest(name, pose)
        flat = known is not None and known.depth is None and distance < SAME_VIEW
        if flat and look_up is not None:  # the depth of what is known may have come too late
            (camera, depth, *_), look_up = look_up(), None
        if not (flat and depth is not None) and not self._kept.is_new(known, distance, stamp,
                                              lambda: self._segmenter.features(image, camera=name)):
            return None
        features = self._segmenter.features(image, camera=name)
        if look_up is not None:
            camera, depth, *_ = look_up()
        frame = Keyframe.of(image, features, number=self._next, camera=name, stamp=stamp, pose=pose, depth=depth,
                            view=camera)
        with self._lock:
            self._next += 1
            self._kept.put(frame)
        return frame

    def start(self, prompts: Prompts, *, thresholds: Sequence[float] | None = None,
              since: float | None = None) -> Recall:
        """A search for prompts (texts, pictures, blends) that the caller steps through.

        thresholds : probability in (0, 1) for each prompt; None for the weights' own
        since : in seconds; only keyframes that were taken later are searched

        Raises ValueError for prompts that cannot be segmented.
        """
        prompts = as_prompts(prompts)
        self._segmenter.check(prompts)
        own = [self._segmenter.threshold] * len(prompts)
        frames = [frame for frame in self.keyframes if since is None or frame.stamp > since]
        return Recall(self._segmenter, frames, prompts, [one.label for one in prompts],
                      own if thresholds is None else thresholds)

    def recall(self, prompts: Prompts, *, thresholds: Sequence[float] | None = None,
               seconds: float | None = None) -> list[RecalledObject]:
        """The things that prompts mean, each once, the best first; after so many `seconds`, of the newest keyframes."""
        return self.start(prompts, thresholds=thresholds).run(seconds).objects

    def forget(self, *, around: Sequence[float] | None = None, radius: float = 1.0,
               before: float | None = None) -> int:
        """Forget all keyframes, or those that meet every condition that is given; returns how many.

        around, radius : of a point (x, y, z) in the fixed frame, in metres: the keyframes that show something there,
            and those that were taken there. They go as a whole, with what else they show
        before : seconds: the keyframes that were taken before
        """
        gone = [frame for frame in self.keyframes
                if (before is None or frame.stamp < before) and (around is None or _shows(frame, around, radius))]
        with self._lock:
            self._kept.remove(frame.number for frame in gone)
        return len(gone)

    def correct_poses(self, poses: Mapping[int, Transform]) -> None:
        """Give keyframes new poses, by number, as after a loop closure; numbers of none that is kept are ignored."""
        with self._lock:
            frames = self._kept.frames
            self._kept.replace(replace(frames[number], pose=pose) for number, pose in poses.items() if number in frames)

    def save(self, path: str | Path) -> None:
        """Write the keyframes to a file, in place of an older one of the same network; frames go on being added.

        Raises ValueError for a file of another network or of something else, which is left alone, and OSError where
        the file cannot be written, such as on a full disk; what was saved before is then still there.
        """
        file.save(Path(path), self.keyframes, self._segmenter.fingerprint)

    def load(self, path: str | Path) -> None:
        """Add the keyframes of a file to those that are kept.

        Raises ValueError, with one sentence, for a file of another network or input size, and for a damaged one;
        OSError where there is none. Nothing is added then.
        """
        frames = file.load(Path(path), self._segmenter.fingerprint, self._segmenter.features_shape)
        with self._lock:
            for frame in frames:
                self._kept.put(replace(frame, number=self._next))
                self._next += 1


def _shows(frame: Keyframe, point: Sequence[float], radius: float) -> bool:
    """Whether a keyframe was taken within `radius` of a point or shows something there."""
    point = np.asarray(point, np.float64)
    if np.linalg.norm(frame.pose.translation - point) <= radius:
        return True
    metres = frame.metres
    if metres is None or frame.view is None:
        return False
    local = frame.pose.inverse().apply(point[None])[0]
    rays = np.concatenate([frame.view.rays, np.ones((*frame.size, 1), np.float32)], axis=2)
    apart = np.linalg.norm(rays * metres[..., None] - local, axis=2)
    return bool(np.count_nonzero(apart <= radius) >= _SEEN * apart.size)
