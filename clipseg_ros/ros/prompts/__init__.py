# SPDX-License-Identifier: Apache-2.0
"""What is looked for: on the topic, in requests, in the store."""
