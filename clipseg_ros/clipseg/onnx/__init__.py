# SPDX-License-Identifier: Apache-2.0
"""The network as ONNX files, and the runtimes that run them on a CPU."""
