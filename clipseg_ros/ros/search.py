# SPDX-License-Identifier: Apache-2.0
"""One goal of ~/find: looks at a camera's frames until it has seen enough."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from sensor_msgs.msg import Image

from clipseg_ros.action import Find
from clipseg_ros.perception.following import Follower
from clipseg_ros.ros.camera import Camera
from clipseg_ros.ros.inputs.frame import Frame
from clipseg_ros.ros.outputs.poses import approach_of, up_of
from clipseg_ros.ros.pipeline import Pipeline
from clipseg_ros.ros.prompts.store import ActivePrompts
from clipseg_ros.ros.seen import Seen
from clipseg_ros.ros.worker import Busy, Worker

MEMORY = 2.0
"""Seconds for which an object that is not seen keeps its number during a search."""
STANDOFF = 0.5
"""Metres before an object, where the goal names none."""


class Search:
    """Looks at each frame that arrives while no other one is being looked at; its prompts are its own.

    Parameters
    ----------
    active : what is looked for
    camera : whose frames are looked at
    feedback : called with each Find.Feedback, in the worker's thread
    ended : called once with the result, in the worker's thread, when enough was seen or nothing can be

    Attributes
    ----------
    frames : how many were looked at
    """

    def __init__(self, goal: Find.Goal, active: ActivePrompts, *, camera: Camera, pipeline: Pipeline, worker: Worker,
                 feedback: Callable[[Find.Feedback], None], ended: Callable[[Find.Result | Exception], None]) -> None:
        self._goal, self._active = goal, active
        self._camera, self._pipeline, self._worker = camera, pipeline, worker
        self._feedback, self._ended = feedback, ended
        self._follower = Follower(memory=MEMORY, births=1, weight=1.0)
        self._sightings: Counter[int] = Counter()
        self._looking = False
        self._best_score = 0.0
        self.frames = 0

    def on_frame(self, frame: Frame) -> None:
        """Look at a frame soon, unless another one is being looked at; in the executor's thread."""
        if self._looking:
            return
        self._looking = True
        try:
            self._worker.submit(lambda: self._look(frame), done=self._looked, failed=self._failed)
        except Busy:
            self._looking = False
        except ValueError as error:
            self._failed(error)

    def nothing(self, seconds: float) -> Find.Result:
        """The result of a search that ends after so many seconds without having found anything."""
        asked = ", ".join(map(repr, self._active.texts))
        if not self.frames:
            why = f"no image arrived on {self._camera.place}"
        elif self._sightings:
            why = (f"the one seen most often was in {max(self._sightings.values())} of {self._goal.min_frames} frames "
                   f"of the {self.frames} that were looked at")
        else:
            why = f"the best score in {self.frames} frames was {self._best_score:.2f}"
        return Find.Result(message=f"{asked} not found in {seconds:.1f} s: {why}", frames=self.frames)

    def _look(self, frame: Frame) -> Seen | None:
        """In the worker's thread. None for a faulty image, since the next one may be a good one."""
        if frame.fault:
            return None
        maps, = self._pipeline.look([frame], self._active, cameras=[self._camera.name])
        seen = self._pipeline.seen(frame, self._active, maps, follower=self._follower)
        seen.with_masks = self._goal.with_masks
        return seen

    def _looked(self, seen: Seen | None) -> None:
        self._looking = seen is not None and self._is_enough(seen)

    def _is_enough(self, seen: Seen) -> bool:
        """Count what a frame shows, tell it, and return whether the search has ended with it."""
        self.frames += 1
        objects = sorted(seen.array.objects, key=lambda one: -one.score)
        good = [one for one in objects if one.score >= self._goal.min_score]
        self._sightings.update(one.track_id for one in good)
        self._best_score = max([self._best_score, *seen.scores])
        enough = [one for one in good if self._sightings[one.track_id] >= max(self._goal.min_frames, 1)]
        if enough:
            places = [approach_of(one, seen.transform.translation, up_of(seen.array),
                                  standoff=self._goal.standoff or STANDOFF) for one in enough]
            self._ended(Find.Result(
                found=True, header=seen.header, pose_frame_id=seen.pose_frame_id, objects=enough, approaches=places,
                frames=self.frames, message=f"{enough[0].prompt!r} is seen by {self._camera.place}"))
        else:
            best = objects[:1]
            for one in best:
                one.mask = Image()
            note = f"{self.frames} frames looked at" + (f", {best[0].prompt!r} at {best[0].score:.2f}" if best else "")
            self._feedback(Find.Feedback(best=best, frames=self.frames, note=note))
        return bool(enough)

    def _failed(self, error: Exception) -> None:
        self._ended(error)
