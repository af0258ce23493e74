# SPDX-License-Identifier: Apache-2.0
"""Training: the paper's recipe for anyone's data, and small networks end to end from scratch."""
