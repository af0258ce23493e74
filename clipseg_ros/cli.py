# SPDX-License-Identifier: Apache-2.0
"""The `clipseg` command: a table of subcommands, each in a module of its own under `commands/`."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import Sequence

from clipseg_ros import __version__

COMMANDS = ("segment", "weights", "export", "scenes", "train", "evaluate", "benchmark")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `clipseg` with one subparser for each of `COMMANDS`."""
    parser = argparse.ArgumentParser(
        prog="clipseg", description="Find things in pictures by text or by example (CLIPSeg, CVPR 2022)."
    )
    parser.add_argument("--version", action="version", version=f"clipseg {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        command = import_module(f"clipseg_ros.commands.{name}")
        subparser = subparsers.add_parser(name, help=command.HELP, description=command.HELP)
        command.configure(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run `clipseg` with `argv` (default: the process's arguments).

    Returns 0 on success, 1 after an error that was said in one line, 130 after Ctrl-C; argparse exits with 2 on wrong
    usage.
    """
    args = build_parser().parse_args(argv)
    try:
        return args.run(args)
    except (ValueError, OSError, ImportError) as error:
        print(f"clipseg {args.command}: {error}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's, which not every command imports
            raise
        print(f"clipseg {args.command}: the GPU's memory does not suffice; --device cpu does without it",
              file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"clipseg {args.command}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
