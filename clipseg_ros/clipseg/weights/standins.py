# SPDX-License-Identifier: Apache-2.0
"""What lies where weights should be: a Git LFS pointer, a web page, an error message, nothing."""

from __future__ import annotations

import re

HEAD_BYTES = 1024
"""So much of a file's beginning tells what it is."""

_LFS = b"version https://git-lfs.github.com/spec/"
_PAGE = re.compile(rb"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e]+")


def stand_in(head: bytes) -> str | None:
    """What is wrong with a file that begins with `head`, to follow its path; None for what may be weights or JSON.

    head : up to `HEAD_BYTES` bytes, fewer only where the file is no longer.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head:
        return "is empty; copy or download it again"
    if text.startswith(_LFS):
        size = re.search(rb"^size (\d+)$", text, re.MULTILINE)
        what = f"the {int(size[1]):,} bytes" if size else "the file"
        return f"is a Git LFS pointer and not {what} that it stands for; `git lfs pull` in its folder fetches them"
    if _PAGE.match(text):
        return ("is a web page (HTML) instead of the file; download the file itself, on the Hugging Face hub "
                "from /resolve/ instead of /blob/")
    return None


def text_in_place_of_tensors(head: bytes) -> str | None:
    """Likewise, for a file that must hold tensors: those are never plain text."""
    if not _TEXT.fullmatch(head):
        return None
    begins = " ".join(head.decode("ascii").split())[:40]
    return f"is a text file that begins with {begins!r} instead of weights; download it again"
