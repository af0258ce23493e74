# SPDX-License-Identifier: Apache-2.0
"""Files in memory: whole ones, cut ones, ones that only lack their end mark, and ones that claim a size."""
from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from pictures import PICTURE, claiming, file_of, with_orientation

from clipseg_ros.perception import encoded
from clipseg_ros.perception.encoded import MOST_PIXELS, decode, opaque, to_rgb

NOISY = np.clip(PICTURE + np.random.default_rng(0).normal(0, 20, PICTURE.shape), 0, 255).astype(np.uint8)
HALF_GREY = np.concatenate([NOISY[:24], np.full_like(NOISY[24:], 128)])
JPEGS = {
    "colour": file_of(NOISY),
    "grey": file_of(NOISY[..., 0]),
    "restarts": file_of(NOISY, ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    "passes": file_of(NOISY, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "passes with restarts": file_of(NOISY, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 3),
    "own tables": file_of(NOISY, ".jpg", cv2.IMWRITE_JPEG_OPTIMIZE, 1, cv2.IMWRITE_JPEG_QUALITY, 30),
    "grey end": file_of(HALF_GREY),
    "turned": with_orientation(file_of(NOISY), 6),
    "one pixel": file_of(NOISY[:1, :1]),
    "odd": file_of(NOISY[:17, :33]),
}
CUT = "is a JPEG file .*; it must be complete"


def decoded(data: bytes) -> np.ndarray:
    return decode(np.frombuffer(data, np.uint8)).pixels


def by_opencv(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize("kind", JPEGS)
def test_a_whole_jpeg_is_decoded_whatever_follows_it(kind):
    expected = by_opencv(JPEGS[kind])
    for tail in (b"", bytes(5000), b"\xff\xd9", JPEGS["colour"]):
        assert np.array_equal(decoded(JPEGS[kind] + tail), expected)


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize(("cut", "tail"), [(2, b""), (1, b""), (2, b"\xff\xff\xd9"), (2, b"\0" * 40), (1, b"\xff\xff")])
def test_a_jpeg_without_its_end_mark_is_mended(kind, cut, tail):
    assert np.array_equal(decoded(JPEGS[kind][:-cut] + tail), by_opencv(JPEGS[kind]))


@pytest.mark.parametrize("kind", [kind for kind in JPEGS if kind not in ("one pixel", "odd")])
def test_a_jpeg_that_ends_anywhere_in_its_data_is_refused(kind):
    whole = JPEGS[kind]
    start = whole.index(b"\xff\xda")
    for end in range(start, len(whole) - 6, 7 if "grey end" != kind else 31):
        try:
            found = decoded(whole[:end])
        except ValueError as error:
            assert str(error).endswith("it must be complete")
        else:  # but for the last block, whose colours reach a pixel farther
            assert np.array_equal(found[:-17], by_opencv(whole)[:-17]), end
            assert np.array_equal(found[:, :-17], by_opencv(whole)[:, :-17]), end


@pytest.mark.parametrize("kind", ["colour", "grey", "restarts", "passes", "own tables", "turned"])
def test_an_end_mark_behind_half_of_the_data_does_not_make_a_jpeg_whole(kind):
    start, length = JPEGS[kind].index(b"\xff\xda"), len(JPEGS[kind])
    with pytest.raises(ValueError, match=CUT):
        decoded(JPEGS[kind][:(start + length) // 2] + b"\xff\xd9")


def test_a_jpeg_of_which_passes_are_missing_is_refused_without_its_end_mark_alone():
    whole = JPEGS["passes"]
    scans = [place for place in range(len(whole)) if whole[place:place + 2] == b"\xff\xda"]
    tables = whole.rindex(b"\xff\xc4", 0, scans[-1])
    behind_a_scan = whole[:tables if tables > scans[-2] else scans[-1]]
    with pytest.raises(ValueError, match=CUT):
        decoded(behind_a_scan)
    assert np.array_equal(decoded(behind_a_scan + b"\xff\xd9"), by_opencv(behind_a_scan + b"\xff\xd9"))


def test_a_jpeg_that_lost_a_piece_between_two_restarts_is_refused():
    whole = JPEGS["restarts"]
    lost = slice(whole.index(b"\xff\xd2"), whole.index(b"\xff\xd4"))
    with pytest.raises(ValueError, match="ends in its data"):
        decoded(whole[:lost.start] + whole[lost.stop:])


@pytest.mark.parametrize("data", [
    b"\xff\xd8\xff", b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xd9", JPEGS["colour"][:100], JPEGS["colour"][:300],
    JPEGS["colour"][:JPEGS["colour"].index(b"\xff\xda")], JPEGS["colour"][:JPEGS["colour"].index(b"\xff\xda") + 5],
    b"\xff\xd8\xff\xc0\0\4\0\0", b"\xff\xd8\xff\xc0\0\1",
])
def test_a_jpeg_that_ends_before_its_data_is_refused(data):
    with pytest.raises(ValueError, match=CUT):
        decoded(data)


PNGS = {"colour": file_of(NOISY, ".png"), "grey": file_of(NOISY[..., 0], ".png"),
        "16 bits": file_of(NOISY[..., 0].astype(np.uint16) * 200, ".png"),
        "turned": with_orientation(file_of(NOISY, ".png"), 8)}


@pytest.mark.parametrize("kind", PNGS)
@pytest.mark.parametrize("cut", [0, 1, 4, 11, 12])
def test_a_png_without_its_end_mark_is_mended(kind, cut):
    whole = PNGS[kind]
    assert np.array_equal(decoded(whole[:len(whole) - cut]), by_opencv(whole))
    assert np.array_equal(decoded(whole + b"rubbish"), by_opencv(whole))


@pytest.mark.parametrize("kind", PNGS)
def test_a_png_that_ends_anywhere_is_refused(kind):
    for end in (9, 20, 33, 45, len(PNGS[kind]) // 2, len(PNGS[kind]) - 13):
        with pytest.raises(ValueError, match="is a PNG file that ends in its (header|data); it must be complete"):
            decoded(PNGS[kind][:end])


def test_a_png_that_lacks_one_of_its_pieces_of_data_is_refused():
    whole = PNGS["colour"]
    place = whole.index(b"IDAT")
    piece = whole[place + 4:place + 400]
    chunk = len(piece).to_bytes(4, "big") + b"IDAT" + piece + zlib.crc32(b"IDAT" + piece).to_bytes(4, "big")
    with pytest.raises(ValueError, match="is a PNG file that ends in its data"):
        decoded(whole[:place - 4] + chunk)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_png(orientation):
    assert decode(np.frombuffer(with_orientation(PNGS["grey"], orientation), np.uint8)).orientation == orientation


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("size", [(60000, 60000), (65535, 1526), (0, 5), (5, 0)])
def test_a_size_is_judged_before_anything_is_decoded(monkeypatch, suffix, size):
    monkeypatch.setattr(encoded.cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(ValueError, match=f"file of {size[0]}x{size[1]} pixels; both .* at most {MOST_PIXELS} pixels"):
        decoded(claiming(file_of(NOISY, suffix), *size))


@pytest.mark.parametrize(("suffix", "change"), [
    (".bmp", lambda data: data[:18] + struct.pack("<ii", 60000, 60000) + data[26:]),
    (".bmp", lambda data: data[:18] + struct.pack("<ii", 60000, -60000) + data[26:]),
    (".webp", lambda data: data[:12] + b"VP8X" + bytes(8) + (59999).to_bytes(3, "little") * 2 + data),
    (".webp", lambda data: data[:12] + b"VP8L" + bytes(5) + b"\xff" * 4 + data),
    (".webp", lambda data: data[:12] + b"VP8 " + bytes(10) + b"\xff" * 4 + data),
])
def test_the_size_of_other_files_is_judged_as_well(monkeypatch, suffix, change):
    data = file_of(NOISY, suffix)
    assert decoded(data).shape == NOISY.shape
    monkeypatch.setattr(encoded.cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(ValueError, match=r"is a picture of (60000x60000|16384x16384|16383x16383) pixels; .* at most"):
        decoded(change(data))


@pytest.mark.parametrize(("order", "number"), [("<", b"II*\0"), (">", b"MM\0*")])
def test_the_size_of_a_tiff_is_judged_as_well(monkeypatch, order, number):
    data = number + struct.pack(f"{order}IHHHIIHHII", 8, 2, 256, 4, 1, 60000, 257, 4, 1, 60000)
    monkeypatch.setattr(encoded.cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(ValueError, match="is a picture of 60000x60000 pixels"):
        decoded(data)
    with pytest.raises(ValueError, match="is a picture that ends in its header"):
        decoded(data[:-5])


def test_what_opencv_alone_knows_is_decoded_where_it_may_be():
    data = np.frombuffer(b"P5\n2 2\n255\n" + bytes([1, 2, 3, 4]), np.uint8)
    assert decode(data).pixels.tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match="is not a picture that can be read; PNG and JPEG can"):
        decode(data, only_measured=True)


@pytest.mark.parametrize(("pixels", "rgb"), [
    (np.array([[3]], np.uint8), [3, 3, 3]),
    (np.array([[[3, 7]]], np.uint8), [3, 3, 3]),
    (np.array([[[3, 4, 5]]], np.uint8), [5, 4, 3]),
    (np.array([[[3, 4, 5, 0]]], np.uint8), [5, 4, 3]),
    (np.array([[4095]], np.uint16), [255, 255, 255]),
    (np.array([[[0, 4095, 2048]]], np.uint16), [128, 255, 0]),
])
def test_rgb_of_all_that_is_decoded(pixels, rgb):
    assert to_rgb(pixels).tolist() == [[rgb]]


def test_opacity_is_a_mask_where_it_differs():
    assert opaque(np.array([[0, 60, 140, 255]], np.uint8)).tolist() == [[False, False, True, True]]
    assert opaque(np.array([[0, 10, 20]], np.uint8)).tolist() == [[False, False, True]]
    assert opaque(np.array([[254, 255]], np.uint8)).tolist() == [[True, True]]
    assert opaque(np.full((2, 2), 255, np.uint8)) is None
    assert opaque(np.zeros((2, 2), np.uint16)) is None
