# SPDX-License-Identifier: Apache-2.0
"""The `clipseg` command: a table of subcommands, each in a module of its own under `commands/`."""

from __future__ import annotations

import argparse
import os
import select
import sys
from importlib import import_module
from typing import Sequence

from clipseg_ros import __version__

COMMANDS = ("segment", "bag", "recall", "serve", "watch", "ask", "weights", "export", "scenes", "train", "evaluate",
            "benchmark")


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

    Returns 0 on success, 1 after an error that was said in one line, 130 after Ctrl-C, 141 when whoever reads the
    output has gone; argparse exits with 2 on wrong usage.
    """
    _print_whatever_the_locale()
    args = build_parser().parse_args(argv)
    try:
        status = args.run(args)
        sys.stdout.flush()
        return status
    except (ValueError, OSError, ImportError) as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return 141
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


def _nobody_reads() -> bool:
    """Whether the reader of the output has gone; what is left of it then goes nowhere, so that the exit succeeds."""
    try:
        output = sys.stdout.fileno()
    except ValueError:  # no file at all
        return False
    look = select.poll()
    look.register(output, 0)
    gone = any(event & (select.POLLERR | select.POLLHUP) for _, event in look.poll(0))
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return gone


def _print_whatever_the_locale() -> None:
    """Let characters that the terminal's encoding lacks be printed as escapes instead of ending the command."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
