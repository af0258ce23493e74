# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from pictures import PICTURE, file_of, with_orientation

from clipseg_ros.lab.datasets.image_files import read_cut_out, read_grey, read_image, read_mask
from clipseg_ros.perception.exif import upright

MASK = np.zeros((48, 64), np.uint8)
MASK[5:20, 10:40] = 255
CUT = np.dstack([PICTURE, MASK])


@pytest.fixture
def file(tmp_path):
    """Write bytes to a file and return its path."""
    def write(data: bytes, name: str = "some.png"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_and_masks_are_turned_alike(file, suffix, orientation):
    picture = file(with_orientation(file_of(PICTURE, suffix), orientation))
    mask = file(with_orientation(file_of(MASK, ".png"), orientation), "mask.png")
    difference = np.abs(read_image(picture).astype(int) - upright(PICTURE, orientation))
    assert difference.max() <= (8 if suffix == ".jpg" else 0)
    assert np.array_equal(read_mask(mask), upright(MASK, orientation) > 0)
    assert np.array_equal(read_grey(mask), upright(MASK, orientation))
    assert read_image(picture, as_stored=True).shape == PICTURE.shape


def test_a_cut_out_as_a_mask_and_as_a_picture_with_one(file):
    path = file(with_orientation(file_of(CUT, ".png"), 6))
    for mask in (read_mask(path), read_cut_out(path)):
        assert np.array_equal(mask, upright(MASK > 0, 6))
    assert np.array_equal(read_image(path), upright(PICTURE, 6))


def test_opacity_that_is_the_same_everywhere_is_no_mask(file):
    path = file(file_of(np.dstack([PICTURE, np.full_like(MASK, 100)]), ".png"))
    assert read_cut_out(path) is None
    assert read_mask(path).all()
    assert read_cut_out(file(file_of(PICTURE, ".png"))) is None


def test_grey_with_opacity(file):
    rows = b"".join(b"\0" + row.tobytes() for row in np.dstack([PICTURE[..., 0], MASK]))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 64, 48, 8, 4, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
             for name, body in chunks]
    path = file(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert np.array_equal(read_grey(path), MASK)
    assert np.array_equal(read_cut_out(path), MASK > 0)
    assert np.array_equal(read_image(path), np.repeat(PICTURE[..., :1], 3, axis=-1))


def test_sixteen_bits_that_are_not_all_used(file):
    grey = (PICTURE[..., 0].astype(np.uint16) * 16)
    rgb = read_image(file(file_of(grey, ".png")))
    assert np.abs(rgb.astype(int) - PICTURE[..., :1]).max() <= 1


@pytest.mark.parametrize(("data", "says"), [
    (b"", "is not a picture that can be read; PNG and JPEG can."),
    (b"text", "is not a picture that can be read; PNG and JPEG can."),
    (file_of(PICTURE)[:-200], "is a JPEG file that ends in its data; it must be complete."),
    (file_of(PICTURE, ".png")[:-200], "is a PNG file that ends in its data; it must be complete."),
    (cv2.imencode(".tiff", np.zeros((2, 2), np.float32))[1].tobytes(), "has float32 pixels; "),
])
def test_what_cannot_be_read_is_named(file, data, says):
    path = file(data)
    for read in (read_image, read_mask):
        with pytest.raises(ValueError, match=f"^{path} {says}"):
            read(path)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "nothing.png")
