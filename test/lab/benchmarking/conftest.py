# SPDX-License-Identifier: Apache-2.0
"""What the tests of the benchmark share."""

import pytest


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A small checkpoint in the Hugging Face layout, written by transformers."""
    pytest.importorskip("transformers")
    import tiny_checkpoint

    folder = tmp_path_factory.mktemp("tiny")
    tiny_checkpoint.write(folder)
    return folder
