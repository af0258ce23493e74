# SPDX-License-Identifier: Apache-2.0
"""`clipseg ask`: one answer of a running node about its newest image."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from clipseg_ros.commands.watch import HEADINGS, Visitor, add_node_arguments, object_rows, printable, table, visit

HELP = "Ask a running node once: is it there, and where?"

_AGAIN = 10.0
"""Seconds after which the question is put again: a middleware may lose an answer (rmw_fastrtps issue 842)."""

_PATIENCE = 60.0
"""Seconds after which a node that has not answered never will."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `clipseg ask`."""
    parser.add_argument("prompts", nargs="*", metavar="PROMPT", help="what to look for: TEXT, TEXT=THRESHOLD or @NAME "
                        "(default: what the node looks for)")
    add_node_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the answer and return 0, or 130 after Ctrl-C.

    ImportError without ROS 2, TimeoutError without the node or its answer, ValueError where it refuses.
    """
    try:
        with visit() as visitor:
            answer = _ask(visitor, args)
    except KeyboardInterrupt:
        return 130
    if not answer.success:
        raise ValueError(f"{args.node} refused: {printable(answer.message)}")
    _show(answer)
    return 0


def _ask(visitor: Visitor, args: argparse.Namespace) -> Any:
    """The response of ~/segment."""
    from clipseg_ros.srv import Segment

    service = f"{args.node}/segment"
    client = visitor.node.create_client(Segment, service)
    if not visitor.wait(client.service_is_ready, seconds=args.wait):
        raise TimeoutError(visitor.absent(args.node, seconds=args.wait))
    request = Segment.Request(prompts=args.prompts, camera=args.camera, without_masks=True)
    asked: list = []
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        asked.append(client.call_async(request))
        if visitor.wait(lambda: any(future.done() for future in asked), seconds=_AGAIN):
            return next(future for future in asked if future.done()).result()
    raise TimeoutError(f"the service {service} gave no answer within {_PATIENCE:.0f} s; the node's log may say why")


def _show(answer: Any) -> None:
    """Print the objects, and the node's remark on its own channel."""
    shown = [column for column, heading in enumerate(HEADINGS) if heading not in ("ID", "AGE s")]
    rows = [[row[column] for column in shown] for row in object_rows(answer)]
    for line in table([HEADINGS[column] for column in shown], rows):
        print(line)
    frame = answer.pose_frame_id or answer.header.frame_id
    if any(one.has_pose for one in answer.objects) and frame:
        print(f"metres in {printable(frame)}")
    if answer.message:
        print(f"clipseg ask: {printable(answer.message)}", file=sys.stderr)
