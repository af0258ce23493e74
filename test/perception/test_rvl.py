# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from clipseg_ros.perception.rvl import MOST_PIXELS, decode_rvl

# Row by row: 2 zeros, 3 nonzeros (5, 7, 4), 2 zeros, 1 nonzero (9), stored as
#   2  3  +5  +2  -3  2  1  +5, with the sign lowest: 2  3  10  4  5  2  1  10
# 10 is 001 010 in groups of three bits: A (010, more follow), 1 (001). The nibbles are therefore
#   2 3 A 1 4 5 2 1, A 1 and six zeros, which are the words 23A14521 and A1000000.
BY_HAND = bytes.fromhex("2145a123 000000a1")
BY_HAND_IMAGE = [[0, 0, 5, 7], [4, 0, 0, 9]]


def nibbles_of(value: int) -> list[int]:
    nibbles = [value % 8]
    while value := value // 8:
        nibbles[-1] += 8
        nibbles.append(value % 8)
    return nibbles


def packed(integers: list[int]) -> bytes:
    """Integers of any size as RVL stores them."""
    digits = "".join(f"{nibble:x}" for value in integers for nibble in nibbles_of(value))
    digits += "0" * (-len(digits) % 8)
    return b"".join(bytes.fromhex(digits[i:i + 8])[::-1] for i in range(0, len(digits), 8))


def encode(image: np.ndarray) -> bytes:
    """RVL of a depth image, one pixel after the other."""
    integers: list[int] = []
    previous = 0
    pixels = image.ravel().tolist()
    while pixels:
        zeros = next((i for i, value in enumerate(pixels) if value), len(pixels))
        nonzeros = next((i for i, value in enumerate(pixels[zeros:]) if not value), len(pixels) - zeros)
        integers += [zeros, nonzeros]
        for value in pixels[zeros:zeros + nonzeros]:
            step = value - previous
            integers.append(2 * step if step >= 0 else -2 * step - 1)
            previous = value
        pixels = pixels[zeros + nonzeros:]
    return packed(integers)


def with_holes(shape: tuple[int, int], *, holes: float, spread: int, seed: int) -> np.ndarray:
    """A depth image that wanders by up to `spread` from pixel to pixel, with a share of `holes`."""
    rng = np.random.default_rng(seed)
    walk = 30000 + np.cumsum(rng.integers(-spread, spread + 1, shape).ravel()).reshape(shape)
    return np.where(rng.random(shape) < holes, 0, np.clip(walk, 1, 65535)).astype(np.uint16)


def test_worked_by_hand():
    image = decode_rvl(BY_HAND, width=4, height=2)
    assert (image.dtype, image.tolist()) == (np.uint16, BY_HAND_IMAGE)
    assert encode(image) == BY_HAND


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: np.frombuffer(data, np.uint8)])
def test_every_kind_of_buffer(kind):
    assert decode_rvl(kind(BY_HAND), width=4, height=2).tolist() == BY_HAND_IMAGE


@pytest.mark.parametrize("image", [
    [[0]],
    [[1]],
    [[65535]],
    [[0] * 5] * 3,
    [[7] * 5] * 3,
    [[1, 65535, 1], [65535, 0, 65535]],
    [[0, 3, 0, 3], [0, 3, 0, 3]],
    [[3, 0, 3, 0], [3, 0, 3, 0]],
    [[0] * 600],
    [[9] * 600],
])
def test_extremes_come_back(image):
    image = np.array(image, np.uint16)
    assert (decode_rvl(encode(image), width=image.shape[1], height=image.shape[0]) == image).all()


@pytest.mark.parametrize(("shape", "holes", "spread"), [
    ((48, 64), 0.0, 3),
    ((48, 64), 0.02, 12),
    ((31, 57), 0.5, 200),
    ((31, 57), 0.98, 5000),
    ((20, 20), 0.3, 60000),
    ((1, 997), 0.1, 40),
    ((997, 1), 0.1, 40),
])
@pytest.mark.parametrize("seed", range(3))
def test_random_images_come_back(shape, holes, spread, seed):
    image = with_holes(shape, holes=holes, spread=spread, seed=seed)
    assert (decode_rvl(encode(image), width=shape[1], height=shape[0]) == image).all()


@pytest.mark.parametrize("rest", [b"\x00", b"\xff" * 3, b"\xff" * 4, b"\xff" * 1000, b"\x00" * 1000])
def test_what_follows_the_last_pixel_is_ignored(rest):
    assert decode_rvl(BY_HAND + rest, width=4, height=2).tolist() == BY_HAND_IMAGE


LONGEST = 8 ** 10 - 1
CUT_OFF, LEAVES, OUTSIDE = "is cut off: its data ends before", "that leaves the image", "must be within 1 and 65535"


@pytest.mark.parametrize(("data", "says"), [
    (b"", CUT_OFF),
    (b"\x00\x00\x00", CUT_OFF),
    (BY_HAND[:4], CUT_OFF),
    (BY_HAND[:7], CUT_OFF),
    (b"\xff" * 40, CUT_OFF),  # an integer without an end
    (b"\x00" * 40, CUT_OFF),  # runs of no pixels
    (packed([0, 8, 2, 2, 2]), CUT_OFF),
    (packed([9, 0]), LEAVES),
    (packed([7, 2, 2, 2]), LEAVES),
    (packed([0, 9] + [2] * 9), LEAVES),
    (packed([2, 3, 10, 4, 5, 4, 0]), LEAVES),
    (packed([LONGEST, 0]), LEAVES),
    (packed([LONGEST, LONGEST]), LEAVES),
    (packed([0, LONGEST]), LEAVES),
    (packed([LONGEST + 1, 0]), LEAVES),
    (packed([8 ** 20, 8 ** 20]), LEAVES),
    (packed([7, 1, 1]), OUTSIDE),  # -1
    (packed([7, 1, 0]), OUTSIDE),  # 0 is not measured
    (packed([6, 2, 2 * 65535, 2]), OUTSIDE),  # 65536
    (packed([6, 2, 2 * 300, 2 * 301 - 1]), OUTSIDE),  # 300 - 301
    (packed([7, 1, LONGEST]), OUTSIDE),
    (packed([7, 1, 8 ** 20]), OUTSIDE),
])
def test_faulty_data_is_refused_with_a_sentence(data, says):
    with pytest.raises(ValueError, match=f"the depth image .*{says}"):
        decode_rvl(data, width=4, height=2)


@pytest.mark.parametrize(("width", "height"), [
    (0, 2), (4, 0), (-4, -2), (-4, 2), (MOST_PIXELS + 1, 1), (2 ** 32 - 1, 2 ** 32 - 1), (2 ** 31, 2),
])
def test_an_impossible_size_is_named(width, height):
    with pytest.raises(ValueError, match=f"said to be {width}x{height} pixels; both numbers must be positive"):
        decode_rvl(BY_HAND, width=width, height=height)


@pytest.mark.parametrize(("width", "height", "says"), [(4, 3, CUT_OFF), (3, 2, LEAVES), (1, 1, LEAVES)])
def test_a_size_that_is_not_the_datas_is_refused(width, height, says):
    with pytest.raises(ValueError, match=says):
        decode_rvl(BY_HAND, width=width, height=height)


@pytest.mark.parametrize(("data", "width", "height", "bytes_allowed"), [
    (BY_HAND, 4096, 8192, 100_000),
    (packed([5, LONGEST]), 4096, 8192, 100_000),
    (b"\xff" * 10_000_000, 4, 2, 100_000),
    (b"\x00" * 10_000_000, 4, 2, 100_000),
])
def test_hostile_sizes_cost_no_memory(data, width, height, bytes_allowed):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="the depth image"):
            decode_rvl(data, width=width, height=height)
        assert tracemalloc.get_traced_memory()[1] < bytes_allowed
    finally:
        tracemalloc.stop()


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """`data` with a few bytes changed, taken out, put in or cut off."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(len(changed) + 1))
        kind = rng.integers(4)
        if kind == 0:
            changed[place:place + 1] = rng.bytes(1)
        elif kind == 1:
            del changed[place:place + int(rng.integers(1, 5))]
        elif kind == 2:
            changed[place:place] = rng.bytes(int(rng.integers(1, 5)))
        else:
            del changed[place:]
    return bytes(changed)


def test_damaged_data_gives_an_image_or_a_sentence():
    rng = np.random.default_rng(4)
    image = with_holes((12, 16), holes=0.2, spread=300, seed=5)
    data = encode(image)
    refused = 0
    for _ in range(1500):
        try:
            found = decode_rvl(mutated(data, rng), width=16, height=12)
        except ValueError as error:
            assert str(error).startswith("the depth image ")
            refused += 1
        else:
            assert (found.shape, found.dtype) == ((12, 16), np.uint16)
    assert 750 < refused < 1500


def test_random_bytes_give_an_image_or_a_sentence():
    rng = np.random.default_rng(6)
    sentences = set()
    for _ in range(1500):
        width, height = (int(n) for n in rng.integers(1, 7, 2))
        try:
            found = decode_rvl(rng.bytes(int(rng.integers(40))), width=width, height=height)
        except ValueError as error:
            sentences.add(next(says for says in (CUT_OFF, LEAVES, OUTSIDE) if says in str(error)))
        else:
            assert (found.shape, found.dtype) == ((height, width), np.uint16)
    assert sentences == {CUT_OFF, LEAVES, OUTSIDE}
