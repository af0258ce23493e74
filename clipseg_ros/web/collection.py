# SPDX-License-Identifier: Apache-2.0
"""Frames with their masks, kept as training data: in a folder of this machine, or as a file for the browser."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import numpy as np

from clipseg_ros.web.source import View

OpenFolder = Callable[[Path], AbstractContextManager[Any]]
"""Opens a data set to add to, as the evaluation's `FolderWriter` does, which is no business of a robot's."""


class Collection:
    """Adds views to a data set. Safe to use from several threads.

    Parameters
    ----------
    open_folder : opens the data set in a folder, which may hold one already
    folder : that grows; None makes a data set of its own of each view
    """

    def __init__(self, open_folder: OpenFolder, folder: Path | None = None) -> None:
        self._open_folder = open_folder
        self._folder = folder
        self._lock = Lock()
        self._added = 0

    def add(self, view: View) -> tuple[str, bytes]:
        """What was done, in a sentence, and the data set as a ZIP file, empty where it is in the folder.

        Raises ValueError or OSError where the view has no picture or cannot be written.
        """
        count = len(view.scores)
        prompts = f"{count} prompt{'' if count == 1 else 's'}"
        if not count:
            raise ValueError("the frame was searched for nothing; switch a prompt on, and its masks go along")
        if self._folder is not None:
            with self._lock:
                self._write(self._folder, view)
                self._added += 1
                return f"frame {self._added} with {prompts} is in {self._folder}", b""
        with TemporaryDirectory() as folder:
            self._write(Path(folder), view)
            return f"the frame with {prompts} as a data set", _zipped(Path(folder))

    def _write(self, folder: Path, view: View) -> None:
        with self._open_folder(folder) as data:
            image = data.add_image(view.rgb)
            for prompt in view.scores:
                masks = [view.mask_of(thing) for thing in view.things if thing.prompt == prompt]
                mask = np.logical_or.reduce(masks) if masks else None
                data.add_prompt(image, phrase(prompt), "absent" if mask is None else "noun", mask=mask)


def phrase(prompt: str) -> str:
    """In words: of an example picture its name."""
    return prompt[1:].replace("_", " ").replace("-", " ").strip() or "example" if prompt.startswith("@") else prompt


def _zipped(folder: Path) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:  # pictures do not get smaller
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return file.getvalue()
