# SPDX-License-Identifier: Apache-2.0
"""The network as ONNX files, and the runtimes that run them on a CPU."""
from __future__ import annotations

import os
import sys

# Both runtimes tell their makers over the network, unasked, that they are used, and decide on it when they are loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
if "openvino" not in sys.modules:
    sys.modules.setdefault("openvino_telemetry", None)  # OpenVINO then goes without it
