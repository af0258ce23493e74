# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
from contextlib import closing

import pytest

from clipseg_ros.bags.ahead import ahead


def counted(count: int, made: list[int]):
    try:
        for index in range(count):
            made.append(index)
            yield index
    finally:
        made.append(-1)


def test_all_items_in_their_order_from_another_thread():
    threads = []

    def items():
        for index in range(50):
            threads.append(threading.current_thread())
            yield index

    assert list(ahead(items(), most=3)) == list(range(50))
    assert set(threads) & {threading.current_thread()} == set()


def test_what_it_raises_is_raised_behind_the_items_before():
    def items():
        yield 1
        raise ValueError("no more")

    seen = []
    with pytest.raises(ValueError, match="no more"):
        for item in ahead(items(), most=2):
            seen.append(item)
    assert seen == [1]


def test_it_is_closed_with_its_reader_and_never_far_ahead():
    made: list[int] = []
    before = threading.active_count()
    with closing(ahead(counted(1000, made), most=2)) as items:
        assert [next(items), next(items)] == [0, 1]
    assert made[-1] == -1, "the generator itself was closed"
    assert len(made) <= 2 + 2 + 1 + 1, "two that were taken, two that wait, one in the hand"
    assert threading.active_count() == before
