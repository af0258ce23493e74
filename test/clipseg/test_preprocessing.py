# SPDX-License-Identifier: Apache-2.0
"""The input equals the reference's, whatever the array's memory looks like."""

import warnings

import numpy as np
import pytest
import torch
import torchvision
from packaging.version import Version

from clipseg_ros.clipseg.model import IMAGENET_MEAN, IMAGENET_STD
from clipseg_ros.clipseg.preprocessing import normalise, squash


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(480, 640), (352, 352), (200, 300), (481, 33), (1, 1)])
def test_squash_equals_the_reference_to_the_bit(shape):
    transformers = pytest.importorskip("transformers")
    # Before 5.0 the plain name is that of the one on Pillow, whose rounding is another.
    processor = transformers.ViTImageProcessorFast(
        size={"height": 352, "width": 352}, do_rescale=False, do_normalize=False
    )
    image = picture(*shape)
    expected = processor(images=image, return_tensors="pt", input_data_format="channels_last")["pixel_values"][0]
    difference = (squash(image, (352, 352)).int() - expected.int()).abs().max()
    # Before 0.24 torchvision resizes floats on processors with AVX-512.
    assert difference <= (0 if Version(torchvision.__version__) >= Version("0.24") else 1)


def test_input_equals_the_reference():
    transformers = pytest.importorskip("transformers")
    image = picture(48, 64)
    processor = transformers.ViTImageProcessor(
        size={"height": 32, "width": 32}, image_mean=list(IMAGENET_MEAN), image_std=list(IMAGENET_STD)
    )
    expected = processor(images=image, return_tensors="pt")["pixel_values"][0]
    pixels = normalise(squash(image, (32, 32)), IMAGENET_MEAN, IMAGENET_STD)
    torch.testing.assert_close(pixels, expected, rtol=0, atol=1e-5)


def test_squash_to_an_oblong():
    assert squash(picture(48, 64), (32, 80)).shape == (3, 32, 80)


@pytest.mark.parametrize(
    "view",
    [lambda a: a[:, :, ::-1], lambda a: a[::-1], lambda a: a[:, ::2], lambda a: np.asfortranarray(a)],
    ids=["channels flipped", "upside down", "every second column", "fortran order"],
)
def test_any_memory_layout(view):
    image = view(picture(40, 60))
    assert squash(image, (16, 16)).equal(squash(np.ascontiguousarray(image), (16, 16)))


def test_read_only_memory_gives_no_warning():
    image = np.frombuffer(picture(40, 60).tobytes(), np.uint8).reshape(40, 60, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        squash(image, (16, 16))


def test_normalise_by_hand():
    pixels = torch.tensor([0, 255, 51], dtype=torch.uint8).view(3, 1, 1)
    result = normalise(pixels, (0.5, 0.5, 0.2), (0.5, 0.25, 0.1))
    torch.testing.assert_close(result.flatten(), torch.tensor([-1.0, 2.0, 0.0]), atol=1e-6, rtol=0)
    assert normalise(pixels.expand(4, 3, 2, 2), (0.5, 0.5, 0.2), (0.5, 0.25, 0.1)).shape == (4, 3, 2, 2)
