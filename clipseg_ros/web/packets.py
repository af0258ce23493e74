# SPDX-License-Identifier: Apache-2.0
"""How a view travels: the picture as a JPEG file, the objects as outlines, which stay sharp at every size."""

from __future__ import annotations

import json
import struct
from typing import Any

import cv2
import numpy as np

from clipseg_ros.web.source import Thing, View

LONGEST_SIDE = 1280
"""Pixels; larger pictures travel smaller."""

_QUALITY = 85
_STEP = 1.5
"""Half pixels by which an outline may pass its pixels, so that slopes are lines and not stairs."""

_MOST_POINTS = 1500
"""Of an outline that has more, every second is left out, again and again."""


def pack(header: dict[str, Any], payload: bytes) -> bytes:
    """A message of both: the length of the JSON header in 4 bytes, most significant first, the header, the payload."""
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    return struct.pack(">I", len(text)) + text + payload


def pack_view(view: View) -> bytes:
    """The view with its picture as payload; without one, and with what is wrong, where the picture is faulty."""
    header = {"type": "view", "number": view.number, "camera": view.camera, "searched": view.searched,
              "age": round(view.age, 3)}
    try:
        rgb = view.rgb
    except ValueError as error:
        return pack({**header, "fault": str(error), "things": []}, b"")
    height, width = rgb.shape[:2]
    header |= {"size": [width, height], "things": [_describe(one) for one in view.things],
               "scores": {text: round(score, 3) for text, score in view.scores.items()}}
    return pack(header, to_jpeg(rgb))


def to_jpeg(rgb: np.ndarray, longest: int = LONGEST_SIDE) -> bytes:
    """A JPEG file of (H, W, 3) uint8 RGB, made smaller where a side is longer than that many pixels."""
    picture = cv2.cvtColor(shrunk(rgb, longest), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


def shrunk(array: np.ndarray, longest: int, interpolation: int = cv2.INTER_AREA) -> np.ndarray:
    """The (H, W) or (H, W, 3) uint8 array, smaller where one of its sides is longer."""
    height, width = array.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return array
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(array, size, interpolation=interpolation)


def _describe(thing: Thing) -> dict[str, Any]:
    return {"prompt": thing.prompt, "score": round(thing.score, 3), "id": thing.track_id,
            "box": [*thing.corner, *thing.size], "outlines": outlines(thing),
            "metres": None if thing.distance is None else round(thing.distance, 3)}


def outlines(thing: Thing) -> list[list[int]]:
    """Closed lines around the object and its holes, each x, y, x, y, ..., in corners of pixels of the picture."""
    (x, y), (width, height) = thing.corner, thing.size
    if thing.mask is None:
        return [[x, y, x + width, y, x + width, y + height, x, y + height]]
    # OpenCV follows the centres of border pixels; drawn twice as large, they are where the pixels' corners are.
    large = cv2.resize(thing.mask, (2 * width, 2 * height), interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return [((_smoothed(line) + 1) // 2 + (x, y)).ravel().tolist() for line in contours if len(line) > 2]


def _smoothed(contour: np.ndarray) -> np.ndarray:
    """(n, 2) of OpenCV's contour; of what is tiny as it is."""
    line = cv2.approxPolyDP(contour, _STEP, True)
    line = (contour if len(line) < 3 else line)[:, 0]
    while len(line) > _MOST_POINTS:
        line = line[::2]
    return line
