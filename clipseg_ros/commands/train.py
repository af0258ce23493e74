# SPDX-License-Identifier: Apache-2.0
"""`clipseg train`: train a decoder on one's own pictures, or a small network from scratch."""

from __future__ import annotations

import argparse

HELP = "Train a decoder on your own pictures, or a small network from scratch."


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--config", required=True, metavar="FILE", help="training configuration (YAML)")
    parser.add_argument("--data", metavar="DIR", help="training data instead of the configuration's")
    parser.add_argument("--validation", metavar="DIR", help="validation data instead of the configuration's")
    parser.add_argument("--weights", metavar="W", help="checkpoint to start from instead of the configuration's")
    parser.add_argument("-o", "--output", default="training", metavar="DIR", help="output folder (default: training)")
    parser.add_argument("--resume", action="store_true", help="go on with the interrupted run in the output folder")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="changes",
        help="change one value of the configuration, such as optimiser.peak=0.0005; may be repeated",
    )


def run(args: argparse.Namespace) -> int:
    """Train as the arguments say."""
    from clipseg_ros.training.config import load_config
    from clipseg_ros.training.run import train

    named = {"data.path": args.data, "data.validation": args.validation, "weights": args.weights}
    changes = [*args.changes, *(f"{key}={value}" for key, value in named.items() if value)]
    figures = train(load_config(args.config, changes), args.output, resume=args.resume)
    for name, value in figures.items():
        print(f"{name}: {value:.3f}")
    return 0
