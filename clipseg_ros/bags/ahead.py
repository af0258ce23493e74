# SPDX-License-Identifier: Apache-2.0
"""Stages of one walk that work at the same time, each in a thread of its own."""
from __future__ import annotations

from collections.abc import Generator, Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import Any, TypeVar

T = TypeVar("T")

_LOOK = 0.1
"""Seconds between two looks whether anybody still wants the next item."""


def ahead(items: Generator[T, None, None], *, most: int) -> Iterator[T]:
    """The items, made in another thread, which is up to `most` of them ahead.

    What the generator raises is raised here. When this one is closed, that one is, in its thread, and waited for.
    """
    queue: Queue[tuple[T | None, BaseException | None, bool]] = Queue(maxsize=most)
    stopped = Event()
    thread = Thread(target=_make, args=(items, queue, stopped), daemon=True)
    thread.start()
    try:
        while True:
            item, error, is_last = queue.get()
            if error is not None:
                raise error
            if is_last:
                return
            yield item
    finally:
        stopped.set()
        thread.join()


def _make(items: Generator[Any, None, None], queue: Queue, stopped: Event) -> None:
    last: tuple[None, BaseException | None, bool] = (None, None, True)
    try:
        for item in items:
            if not _put(queue, (item, None, False), stopped):
                break
    except BaseException as error:  # whoever waits for the items must learn of it
        last = (None, error, True)
    finally:
        items.close()
    _put(queue, last, stopped)


def _put(queue: Queue, item: Any, stopped: Event) -> bool:
    """Whether the item could be put before somebody said stop."""
    while not stopped.is_set():
        try:
            queue.put(item, timeout=_LOOK)
        except Full:
            continue
        return True
    return False
