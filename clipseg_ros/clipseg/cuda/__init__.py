# SPDX-License-Identifier: Apache-2.0
"""What a GPU needs: recorded graphs, and copies to and from it that nothing waits for."""

import gc
from contextlib import suppress

import torch

OutOfMemoryError: type[RuntimeError] = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)
"""What torch raises where a GPU's memory does not suffice; before version 2.5 it has the second name alone."""

_SAID_OF_GPUS = ("cuda", "cublas", "cudnn", "nvrtc")


def is_gpu_error(error: BaseException) -> bool:
    """Whether a GPU or one of its libraries failed, other than for want of memory. PyTorch has no one type for that."""
    if not isinstance(error, RuntimeError) or isinstance(error, OutOfMemoryError):
        return False
    kind = getattr(torch, "AcceleratorError", None)  # from version 2.8 on, for some of them
    return (kind is not None and isinstance(error, kind)) or any(word in str(error).lower() for word in _SAID_OF_GPUS)


def release_memory() -> None:
    """Give back what nobody holds any more; on a GPU that failed there is nothing to give back."""
    gc.collect()
    with suppress(RuntimeError):
        torch.cuda.empty_cache()
