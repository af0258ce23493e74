# SPDX-License-Identifier: Apache-2.0
"""What a processor needs: layers with packed weights."""
