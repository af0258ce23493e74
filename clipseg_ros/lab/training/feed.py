# SPDX-License-Identifier: Apache-2.0
"""Batches for the loop, in order and without end, prepared ahead by worker processes."""
from __future__ import annotations

from itertools import count
from typing import Iterator

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from clipseg_ros.lab.training.batch import Batch

_AHEAD = 6


def endless_batches(source: Dataset, *, first: int = 0, stride: int = 1, workers: int = 0,
                    pin_memory: bool = False) -> Iterator[Batch]:
    """Yield `source[first]`, `source[first + stride]`, ...; `workers` processes prepare them, 0 = none.

    A ValueError, OSError or ImportError of a worker process is raised here as it was there.
    """
    loader = DataLoader(
        _Reporting(source), batch_size=None, sampler=_Counter(first, stride), num_workers=workers,
        prefetch_factor=_AHEAD if workers else None, worker_init_fn=_single_threaded if workers else None,
        multiprocessing_context="spawn" if workers else None, pin_memory=pin_memory)
    for batch in loader:
        if isinstance(batch, Exception):
            raise batch
        yield batch


class _Reporting(Dataset):
    """Returns a user's error instead of raising it: torch would put a traceback of the worker into its message."""

    def __init__(self, source: Dataset) -> None:
        self._source = source

    def __getitem__(self, index: int) -> Batch | Exception:
        try:
            return self._source[index]
        except (ValueError, OSError, ImportError) as error:
            return error


class _Counter(Sampler):
    """Yields first, first + stride, ... without end."""

    def __init__(self, first: int, stride: int) -> None:
        self._first = first
        self._stride = stride

    def __iter__(self) -> Iterator[int]:
        return count(self._first, self._stride)


def _single_threaded(worker: int) -> None:
    """Keep a worker process from spreading over the cores that the training uses."""
    import cv2
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
