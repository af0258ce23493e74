# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import islice

import pytest
import torch
from numbered import Numbers

from clipseg_ros.lab.training.batch import Batch, PromptTable, stack_pictures
from clipseg_ros.lab.training.feed import endless_batches


@pytest.mark.parametrize("first, stride, numbers", [(0, 1, [0, 1, 2]), (5, 2, [5, 7, 9])])
def test_batches_come_in_order_from_where_a_run_stands(first, stride, numbers):
    batches = endless_batches(Numbers(10, ValueError("end")), first=first, stride=stride)
    assert list(islice(batches, 3)) == numbers


def test_the_errors_of_users_come_out_of_worker_processes_as_they_are():
    batches = endless_batches(Numbers(2, FileNotFoundError("there is no picture 2.png.")), workers=1)
    assert list(islice(batches, 2)) == [0, 1]
    with pytest.raises(FileNotFoundError) as raised:
        next(batches)
    assert str(raised.value) == "there is no picture 2.png."


def test_other_errors_keep_their_traceback():
    with pytest.raises(KeyError, match="colour"):
        next(endless_batches(Numbers(0, KeyError("colour"))))


def test_a_batch_is_pinned_as_a_whole(monkeypatch):
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor)
    prompts = PromptTable(1, 2)
    prompts.add(0, 0, kind="noun", text="a mug")
    batch = Batch(pixels=torch.zeros(1, 3, 4, 4), masks=torch.zeros(1, 2, 4, 4), texts=prompts.texts,
                  supports=stack_pictures([]), **prompts.tensors())
    assert vars(batch.pin_memory()) == vars(batch)
    tensors = [value for value in vars(batch).values() if isinstance(value, torch.Tensor)]
    assert len(tensors) == 7
    assert list(map(id, pinned)) == list(map(id, tensors))
