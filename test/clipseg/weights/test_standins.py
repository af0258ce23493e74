# SPDX-License-Identifier: Apache-2.0
"""What lies where weights should be is called what it is."""

import pytest

from clipseg_ros.clipseg.weights.standins import stand_in, text_in_place_of_tensors

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 603049496\n"


@pytest.mark.parametrize(("head", "words"), [
    (LFS, "Git LFS pointer and not the 603,049,496 bytes"),
    (LFS[:60], "Git LFS pointer and not the file"),
    (b"", "is empty"),
    (b"<!DOCTYPE html><html>", "a web page"),
    (b"\xef\xbb\xbf\n <html lang='en'>", "a web page"),
    (b'<?xml version="1.0"?>\n<!doctype HTML>', "a web page"),
    (b"<!-- saved -->\n<HTML>", "a web page"),
])
def test_a_stand_in_is_named(head, words):
    assert words in stand_in(head)


@pytest.mark.parametrize("head", [
    b"PK\x03\x04", b"\x80\x02}", b"\x10" + bytes(7) + b'{"a": {}}', b'{"a": 1}', b"<headers"])
def test_what_may_be_right_is_none(head):
    assert stand_in(head) is None


def test_text_is_no_tensors():
    assert "'Access denied'" in text_in_place_of_tensors(b"Access\n  denied\n")
    assert text_in_place_of_tensors(b"PK\x03\x04") is None
