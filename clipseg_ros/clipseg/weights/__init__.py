# SPDX-License-Identifier: Apache-2.0
"""Finding, reading and writing weights; the bundled file lies beside."""
