# SPDX-License-Identifier: Apache-2.0
"""What rendering needs, and one small home for all the tests that render."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator

import pytest

from clipseg_ros.lab.scenes import furniture

SIZE = (128, 96)


def missing_for_models() -> str:
    """Why no model can be loaded here, "" when they can."""
    return "" if furniture.available() else "the Debian package sweethome3d-furniture is not installed"


def missing_for_rendering() -> str:
    """Why nothing can be rendered here, "" when it can."""
    if importlib.util.find_spec("mujoco") is None:
        return "mujoco is not installed (extra 'scenes')"
    try:
        from clipseg_ros.lab.scenes.home import check_drawing

        check_drawing()
    except (ImportError, OSError) as error:
        return str(error)
    return missing_for_models()


@pytest.fixture(scope="session")
def rendering() -> Iterator[None]:
    """Skip where nothing can be rendered; else homes get small stocks, which are soon built."""
    reason = missing_for_rendering()
    if reason:
        pytest.skip(reason)
    from clipseg_ros.lab.scenes import home
    from clipseg_ros.lab.scenes.stock import Stock

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(home, "Stock", functools.partial(Stock, per_category=2))
        yield


@pytest.fixture(scope="session")
def home(rendering) -> Iterator:
    """A home of the first stock, 128 x 96 pixels."""
    from clipseg_ros.lab.scenes.home import Home

    made = Home(0, width=SIZE[0], height=SIZE[1])
    yield made
    made.close()
