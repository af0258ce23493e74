# SPDX-License-Identifier: Apache-2.0
"""What a GPU needs: recorded graphs, and copies to and from it that nothing waits for."""

import torch

OutOfMemoryError: type[RuntimeError] = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)
"""What torch raises where a GPU's memory does not suffice; before version 2.5 it has the second name alone."""
