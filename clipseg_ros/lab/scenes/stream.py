# SPDX-License-Identifier: Apache-2.0
"""One scene after the other from a seed: a new stock of objects every so often, none of training."""

from __future__ import annotations

from collections.abc import Iterator

from clipseg_ros.lab.scenes.scene import Scene

SCENES_PER_STOCK = 100
_FIRST = 1_000_000_000  # training's seeds stay below
_SPAN = 1_000_000


def stream_scenes(
    count: int, *, seed: int = 0, held_out: bool = False, width: int = 640, height: int = 480
) -> Iterator[Scene]:
    """Yield `count` scenes that show something a person could ask for; the same ones for the same arguments.

    seed 0, 1, ... gives scenes that share neither layout nor stock; held_out takes the object models that
    training never sees. Raises ValueError for a count or seed below 0 or a count beyond a million,
    ImportError without MuJoCo or the furniture package.
    """
    if not 0 <= count <= _SPAN:
        raise ValueError(f"{count} scenes were asked for; it must be 0 to {_SPAN}")
    if seed < 0:
        raise ValueError(f"the seed is {seed}; it must be 0 or more")
    from clipseg_ros.lab.scenes.home import Home

    number = _FIRST + seed * _SPAN
    made = 0
    while made < count:
        home = Home(number, held_out=held_out, width=width, height=height)
        try:
            for _ in range(SCENES_PER_STOCK):
                scene = home.scene(number)
                number += 1
                if any(o.nameable for o in scene.objects):
                    made += 1
                    yield scene
                if made == count:
                    break
        finally:
            home.close()
