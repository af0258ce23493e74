# SPDX-License-Identifier: Apache-2.0
"""What the node remembers, and who asks for it."""
