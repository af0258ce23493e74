# SPDX-License-Identifier: Apache-2.0
"""`clipseg export`: write the network as ONNX, verified against PyTorch."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from clipseg_ros.clipseg.setting import Setting

_PICTURES = (".png", ".jpg", ".jpeg")

HELP = "Write the network as ONNX: the image encoder and the decoder, verified against PyTorch."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `clipseg export`."""
    parser.add_argument("--weights", default="demo", metavar="W", help="a path, or a name of `clipseg weights list` "
                        "(default: demo)")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="folder to write, must be new (default: the "
                        "user's cache, where the backends look)")
    parser.add_argument("--ros-package", type=Path, metavar="DIR", help="write a ROS package with the files, one for "
                        "texts and a README; its name is the folder's, which must be new or empty")
    parser.add_argument("--backend", metavar="B", help="runtime that is compared with PyTorch, openvino or onnxruntime "
                        "(default: one that is installed)")
    parser.add_argument("--precision", default="float32", choices=("float32", "int8"),
                        help="int8 makes the encoder's matrix products int8 (default: float32)")
    parser.add_argument("--calibrate", type=Path, metavar="DIR", help="calibrate int8 for openvino with this folder's "
                        "pictures, some dozens of your camera's (default: recorded scenes)")
    parser.add_argument("--input-size", type=int, default=0, metavar="N",
                        help="side in pixels to which pictures are squashed (default: the weights' own)")
    parser.add_argument("--allow-download", action="store_true", help="fetch published weights that are not here yet")


def run(args: argparse.Namespace) -> int:
    """Export as the arguments say and print what was written; return 0."""
    from clipseg_ros.clipseg.backend import pick_side
    from clipseg_ros.clipseg.onnx.cache import Exporter
    from clipseg_ros.clipseg.onnx.ros_package import check_folder, write_package
    from clipseg_ros.clipseg.onnx.runtimes import require
    from clipseg_ros.clipseg.setting import settle
    from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint

    if args.ros_package is not None:
        if args.output is not None:
            raise ValueError("-o and --ros-package both name a folder to write; give one of them")
        check_folder(args.ros_package)
    if args.backend == "torch":
        raise ValueError("the backend torch runs the network itself; it must be openvino or onnxruntime")
    setting = settle(args.backend or _installed(args.precision), "cpu", args.precision)
    require(setting.backend, setting.precision)
    calibration = _read_calibration(args.calibrate, setting) if args.calibrate else ()
    checkpoint = load_checkpoint(args.weights, allow_download=args.allow_download)
    model = checkpoint.model
    exporter = Exporter(model, side=pick_side(model, args.input_size), backend=setting.backend,
                        precision=setting.precision, progress=lambda sentence: print(sentence, file=sys.stderr),
                        calibration=calibration)
    folder = args.ros_package or args.output
    if args.ros_package is not None:
        write_package(folder, checkpoint, exporter, backend=setting.backend)
    elif folder is None:
        exporter.open_cached()
        folder = exporter.cached_folder
    else:
        exporter.write(folder)
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
    return 0


def _read_calibration(folder: Path, setting: Setting) -> list[np.ndarray]:
    from clipseg_ros.clipseg.onnx.quantising import CALIBRATED
    from clipseg_ros.lab.datasets.image_files import read_image

    if setting.precision != "int8" or setting.backend not in CALIBRATED:
        raise ValueError(f"--calibrate is for --precision int8 --backend {' or '.join(CALIBRATED)}; "
                         f"{setting.precision} with {setting.backend} needs no calibration")
    pictures = [read_image(file) for file in sorted(folder.iterdir()) if file.suffix.lower() in _PICTURES]
    if not pictures:
        raise ValueError(f"{folder} has no picture to calibrate with; {', '.join(_PICTURES)} files are looked for")
    return pictures


def _installed(precision: str) -> str:
    """The first backend for that precision whose package is installed; the first of all where none is."""
    from clipseg_ros.clipseg.choices import BACKENDS
    from clipseg_ros.clipseg.onnx.runtimes import require

    able = [name for name, known in BACKENDS.items() if name != "torch" and precision in known]
    for name in able:
        try:
            require(name)
        except ImportError:
            continue
        return name
    return able[0]
