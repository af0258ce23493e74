# SPDX-License-Identifier: Apache-2.0
"""What the tests of the network share."""

import pytest
import torch
from pretended_gpu import pretended_gpu  # noqa: F401


@pytest.fixture
def one_thread():
    """Small tensors on one thread: on a busy machine several threads mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
