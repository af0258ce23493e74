# SPDX-License-Identifier: Apache-2.0
"""A data set of numbers, in a module that worker processes can import."""

from __future__ import annotations

from torch.utils.data import Dataset


class Numbers(Dataset):
    """Number i is batch i; from `end` on there are errors."""

    def __init__(self, end: int, error: Exception) -> None:
        self.end, self.error = end, error

    def __getitem__(self, index: int) -> int:
        if index >= self.end:
            raise self.error
        return index
