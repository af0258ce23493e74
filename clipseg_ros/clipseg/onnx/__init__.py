# SPDX-License-Identifier: Apache-2.0
"""The network as ONNX files, and the runtimes that run them on a CPU."""
import os

# Otherwise ONNX Runtime tells its makers, over the network, that it is used; it asks when it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
