# SPDX-License-Identifier: Apache-2.0
"""`clipseg train`: train a decoder on one's own pictures, or a small network from scratch."""

from __future__ import annotations

import argparse

HELP = "Train a decoder on your own pictures, or a small network from scratch."


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--config", required=True, metavar="FILE", help="training configuration (YAML), of one run or of stages"
    )
    parser.add_argument("--data", metavar="DIR", help="training data instead of the configuration's")
    parser.add_argument("--validation", metavar="DIR", help="validation data instead of the configuration's")
    parser.add_argument("--weights", metavar="W", help="checkpoint to start from instead of the configuration's")
    parser.add_argument("-o", "--output", default="training", metavar="DIR", help="output folder (default: training)")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the interrupted run in the output folder; a configuration with stages does so by itself",
    )
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
    from clipseg_ros.lab.training.config import TrainingConfig
    from clipseg_ros.lab.training.run import train
    from clipseg_ros.lab.training.staged_run import train_stages
    from clipseg_ros.lab.training.stages import load_training

    named = {"data.path": args.data, "data.validation": args.validation, "weights": args.weights}
    changes = [*args.changes, *(f"{key}={value}" for key, value in named.items() if value)]
    training = load_training(args.config, changes)
    if isinstance(training, TrainingConfig):
        figures = train(training, args.output, resume=args.resume)
    else:
        figures = train_stages(training, args.output)
    for name, value in figures.items():
        print(f"{name}: {value:.3f}")
    return 0
