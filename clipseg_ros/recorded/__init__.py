# SPDX-License-Identifier: Apache-2.0
"""Recorded scenes of the simulated home that come with the package; `lab.scenes.recorded` reads all of them."""
from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

DIRECTORY = Path(__file__).parent


def pictures() -> list[np.ndarray]:
    """The scenes' pictures, (H, W, 3) uint8 RGB each; none where they are not installed."""
    files = sorted((DIRECTORY / "images").glob("*.jpg"))
    return [cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            for picture in (cv2.imread(str(file), cv2.IMREAD_COLOR) for file in files) if picture is not None]
