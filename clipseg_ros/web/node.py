# SPDX-License-Identifier: Apache-2.0
"""The node `clipseg_web`: the page of a running clipseg node, in a process of its own."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from rclpy.node import Node

from clipseg_ros.ros.middleware import prefer_large_images
from clipseg_ros.ros.running import run
from clipseg_ros.ros.specs import Spec, declare
from clipseg_ros.web.collection import Collection, OpenFolder
from clipseg_ros.web.page import PORT, Page
from clipseg_ros.web.remote import RemoteSource

SPECS = {
    "node": Spec("clipseg", "The clipseg node that is shown; without a / in front, in this node's namespace."),
    "address": Spec("127.0.0.1", "Where the page listens; 0.0.0.0 lets other machines in, which need the token that is "
                    "then printed."),
    "port": Spec(PORT, "Port of the page; 0 for any that is free.", range=(0, 65535)),
    "save_to": Spec("", "Folder in which frames are kept as training data; empty: the browser gets them."),
}


class WebNode(Node):
    """Serves the page for as long as it lives. Its topics `image` or `<camera>/image` are remapped as the node's own.

    open_folder : opens a data set to which frames are added

    Raises OSError, with a sentence, where the page cannot listen.
    """

    def __init__(self, open_folder: OpenFolder, **options: Any) -> None:
        self._page: Page | None = None  # a half-made node is destroyed too
        super().__init__("clipseg_web", **options)
        values = declare(self, SPECS, lambda spec: spec.descriptor(read_only=True))
        name = values["node"]
        target = name if name.startswith("/") else f"{self.get_namespace().rstrip('/')}/{name}"
        folder = Path(values["save_to"]).expanduser() if values["save_to"] else None
        self._page = Page(RemoteSource(self, target), address=values["address"], port=values["port"],
                          collection=Collection(open_folder, folder))
        self._page.start()
        # Not the log, which every other machine may read: the token is for people at this terminal.
        print(f"clipseg_web: open {self._page.url} (Ctrl-C ends it)", flush=True)

    def destroy_node(self) -> None:
        """End the page, then the node."""
        if self._page is not None:
            self._page.stop()
        super().destroy_node()


def main(open_folder: OpenFolder, args: list[str] | None = None) -> int:
    """Run the node; return the process's exit status."""
    prefer_large_images()
    return run(partial(WebNode, open_folder), program="clipseg_web", args=args)
