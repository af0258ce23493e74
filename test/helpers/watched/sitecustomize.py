# SPDX-License-Identifier: Apache-2.0
"""Tells where a process of Python changes files, and the processes that it starts; used by test_writes.py.

With this folder on PYTHONPATH, a line `operation<TAB>path` for each change goes to the file WATCHED_WRITES.
"""
import os
import sys

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PATHS = {"os.mkdir": 1, "os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.symlink": 2, "os.link": 2, "os.truncate": 1,
         "os.chmod": 1, "os.chown": 1, "os.utime": 1, "sqlite3.connect": 1}
"""How many paths come first in the arguments of an event."""
IN_FOLDER = {"os.mkdir", "os.remove", "os.rmdir"}
"""Events whose last argument is the open folder that the path starts from, or -1."""


def watch() -> None:
    log = os.open(os.environ["WATCHED_WRITES"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    busy = False

    def hook(event, arguments, paths=PATHS, writing=WRITING, write=os.write, fsdecode=os.fsdecode,
             abspath=os.path.abspath, join=os.path.join, readlink=os.readlink, in_folder=frozenset(IN_FOLDER)):
        nonlocal busy
        count = paths.get(event, 0)
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & writing:
            count = 1
        if busy or not count:
            return
        busy = True
        start = readlink(f"/proc/self/fd/{arguments[-1]}") if event in in_folder and arguments[-1] >= 0 else ""
        for path in arguments[:count]:
            if isinstance(path, (str, bytes)) or hasattr(path, "__fspath__"):
                write(log, f"{event}\t{abspath(join(start, fsdecode(path)))}\n".encode("utf-8", "surrogateescape"))
        busy = False

    sys.addaudithook(hook)


if "WATCHED_WRITES" in os.environ:
    watch()
