# SPDX-License-Identifier: Apache-2.0
"""Files that are whole at any moment, also on a disk that is full and when whoever writes is killed."""
from __future__ import annotations

import contextlib
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from safetensors import SafetensorError

_ENDING = ".part"
_ABANDONED = 3600.0
"""Seconds after which nobody writes any more: whoever did was killed."""


@contextlib.contextmanager
def replacing(path: Path, *, mode: int = 0o666, lasting: bool = True) -> Iterator[Path]:
    """A file to write that takes the place of `path` when the context ends; until then, `path` is as it was.

    Parameters
    ----------
    mode : permissions of the file, less what the umask takes
    lasting : whether it must be there after a loss of power too, which takes the disk a moment

    Raises
    ------
    OSError
        If it cannot be written, with one sentence; `path` is then as it was.
    """
    try:
        target = path.resolve()  # the file that a link leads to, not the link
        if target.exists() and not (target.is_file() or target.is_dir()):
            yield target  # a pipe or a device has nothing to lose, and must stay one
            return
        _sweep(target)
        # In a folder, since safetensors makes a file with a name of its own beside the one that it is told.
        folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=_ENDING))
        part = folder / target.name
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        permissions = os.fstat(handle).st_mode & 0o777
        os.close(handle)
        try:
            yield part
            part.chmod(permissions)  # it may be another file now
            if lasting:
                with part.open("rb+") as stream:
                    os.fsync(stream.fileno())
            part.replace(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise OSError(f"{path} cannot be written: {_reason(error)}; nothing there was changed") from error


def append(file: BinaryIO, data: bytes) -> None:
    """Add all of the data to the end of an unbuffered file, or, with OSError, nothing."""
    end = file.seek(0, os.SEEK_END)
    try:
        put(file, data)
    except OSError:
        file.truncate(end)
        raise


def put(file: BinaryIO, data: bytes) -> None:
    """Write all of the data to an unbuffered file, which may take it in parts. An OSError names the file."""
    left = memoryview(data)
    try:
        while left:
            left = left[file.write(left):]
    except OSError as error:
        raise OSError(error.errno, error.strerror, file.name) from None


def _sweep(path: Path) -> None:
    """Remove what others left that were killed while they wrote the file."""
    for folder in path.parent.glob(f".{glob.escape(path.name)}.*{_ENDING}"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _ABANDONED:
                shutil.rmtree(folder)


def _reason(error: BaseException) -> str:
    """Of the operating system, where it is behind the error; libraries say less, or on several lines."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    return (cause and cause.strerror) or " ".join(str(error).split())
