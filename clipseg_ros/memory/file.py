# SPDX-License-Identifier: Apache-2.0
"""Keyframes in a file: one safetensors file, whose header says in JSON what its arrays are."""
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from clipseg_ros.clipseg.whole_files import replacing
from clipseg_ros.memory.keyframe import Keyframe
from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.transforms import Transform

FORMAT = "clipseg_ros memory 1"
_KEY = "memory"


def save(path: Path, frames: Sequence[Keyframe], network: str) -> None:
    """Write keyframes of the network with this fingerprint, aside and then in place of what is at `path`.

    Raises ValueError where that is no memory of this network, and OSError where it cannot be written.
    """
    if path.exists():
        _header(path, network)
    arrays = {name: array for frame in frames for name, array in _arrays(frame).items()}
    about = {"format": FORMAT, "network": network, "frames": [_about(frame) for frame in frames]}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, mode=0o600) as part:
        save_file(arrays, part, metadata={_KEY: json.dumps(about)})


def load(path: Path, network: str, shape: tuple[int, int, int]) -> list[Keyframe]:
    """The keyframes of a file, the oldest first, with features of this shape.

    Raises ValueError for a file of another network or input size, and for a damaged one; OSError where there is none.
    """
    about = _header(path, network)
    try:
        with safe_open(path, framework="np") as stored:
            frames = [_frame(one, stored) for one in about["frames"]]
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the memory {path} is damaged ({error}); remove it or name another file") from None
    wrong = next((frame.features.shape for frame in frames if frame.features.shape != shape), None)
    if wrong is not None:
        raise ValueError(f"the memory {path} has features of the shape {wrong}, and this network's have {shape}; "
                         "set the input size with which it was made, or name another file")
    return frames


def _header(path: Path, network: str) -> dict[str, Any]:
    """What the file says of itself. ValueError unless it is a memory of this network."""
    try:
        with safe_open(path, framework="np") as stored:
            about = json.loads((stored.metadata() or {})[_KEY])
        if about["format"] != FORMAT or not isinstance(about["frames"], list):
            raise ValueError(f"its format is {about['format']!r}")
        made_by = about["network"]
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        if not path.is_file():
            raise FileNotFoundError(f"there is no memory {path}") from None
        raise ValueError(f"{path} is no memory, or a damaged one ({error}); remove it or name another file") from None
    if made_by != network:
        raise ValueError(f"the memory {path} was made with other weights, whose features mean nothing to these; load "
                         "those weights or name another file")
    return about


def _arrays(frame: Keyframe) -> dict[str, np.ndarray]:
    arrays = {"features": frame.features, "jpeg": np.frombuffer(frame.jpeg, np.uint8)}
    if frame.depth is not None:
        arrays["depth"] = frame.depth
    return {f"{frame.number}.{name}": np.ascontiguousarray(array) for name, array in arrays.items()}


def _about(frame: Keyframe) -> dict[str, Any]:
    return {"number": frame.number, "camera": frame.camera, "stamp": frame.stamp, "size": frame.size,
            "translation": frame.pose.translation.tolist(), "rotation": frame.pose.rotation.tolist(),
            "view": None if frame.view is None else asdict(frame.view), "depth": frame.depth is not None}


def _frame(about: dict[str, Any], stored: Any) -> Keyframe:
    """The keyframe that a line of the header describes; KeyError, TypeError or ValueError where something is wrong."""
    number, size = about["number"], tuple(about["size"])
    names = ("features", "jpeg", "depth") if about["depth"] else ("features", "jpeg")
    arrays = {name: stored.get_tensor(f"{number}.{name}") for name in names}
    view = about["view"]
    if view is not None:
        view = Pinhole(**{**view, "size": tuple(view["size"]), "distortion": tuple(view["distortion"])})
    frame = Keyframe(number, about["camera"], float(about["stamp"]),
                     Transform.from_quaternion(about["translation"], about["rotation"]), arrays["features"],
                     arrays["jpeg"].tobytes(), size, view, arrays.get("depth"))
    fits = frame.depth is None or (frame.depth.dtype == np.uint16 and frame.depth.shape == size)
    if frame.features.dtype != np.float16 or not fits or frame.rgb.shape[:2] != size:
        raise ValueError(f"its keyframe {number} has arrays of other shapes than it says")
    return frame
