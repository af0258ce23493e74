# SPDX-License-Identifier: Apache-2.0
"""The one object of a camera that somebody has chosen, from frame to frame."""
from __future__ import annotations

from collections.abc import Callable, Sequence

from clipseg_ros.perception.found import FoundObject


class Pick:
    """An object by its number, or the best one of a prompt, which then stays the same one while it keeps its number.

    Parameters
    ----------
    track_id : the object's number; 0 for the best one of a prompt
    prompt : whose best object is meant; empty for the first prompt
    """

    def __init__(self, *, track_id: int = 0, prompt: str = "") -> None:
        self._track_id = track_id
        self._prompt = prompt
        self._held = 0

    def choose(self, objects: Sequence[FoundObject], is_remembered: Callable[[int], bool]) -> FoundObject | None:
        """The chosen one among a frame's objects; None where it is not seen.

        is_remembered : whether an object that is not seen keeps its number
        """
        wanted = self._track_id or self._held
        seen = next((one for one in objects if wanted and one.track_id == wanted), None)
        if seen is not None or self._track_id or (self._held and is_remembered(self._held)):
            return seen
        mine = [one for one in objects if (one.prompt == self._prompt if self._prompt else one.prompt_index == 0)]
        best = max(mine, key=lambda one: one.region.score, default=None)
        self._held = 0 if best is None else best.track_id
        return best
