# SPDX-License-Identifier: Apache-2.0
"""The words that people choose by; whoever only reads them need not wait for PyTorch."""

from __future__ import annotations

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
"""Number formats of PyTorch."""

BACKENDS = {"torch": PRECISIONS, "openvino": (*PRECISIONS, "int8"), "onnxruntime": ("auto", "float32", "int8")}
"""What can run the network, each with the precisions that it knows."""

ON_OOM = ("error", "cpu")
"""What happens where a GPU cannot be used: its memory does not suffice for one frame and one prompt, or it is wrong."""

GPU_GRAPHS = ("auto", "off")
"""Whether a GPU replays recordings of the network; "off" launches one operation after the other."""
