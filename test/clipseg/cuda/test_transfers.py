# SPDX-License-Identifier: Apache-2.0
"""Pictures arrive on the device as they are, staged or not."""

import numpy as np
import pytest
import torch
from networks import picture

from clipseg_ros.clipseg.cuda.transfers import STAGED, Uploader, download

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(),
                                                                reason="needs a CUDA device"))]


@pytest.fixture(params=DEVICES)
def uploader(request):
    uploader = Uploader(torch.device(request.param))
    uploader.reserve()
    return uploader


def frozen(image):
    image.flags.writeable = False
    return image


@pytest.mark.parametrize("image", [picture(), picture()[:, ::-1], frozen(picture()), picture(1, 1), picture(900, 1600)])
def test_upload(uploader, image):
    np.testing.assert_array_equal(uploader.upload(image).cpu().numpy(), image)


def test_staged_pictures(uploader):
    images = [picture(seed=seed) for seed in range(STAGED + 2)]
    for image in images:
        uploader.stage(image)
        uploader.stage(image)
    for image in reversed(images):
        np.testing.assert_array_equal(uploader.upload(image).cpu().numpy(), image)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_download_keeps_shape_and_type():
    for dtype in (torch.uint8, torch.float32):
        there = torch.arange(24, dtype=dtype, device="cuda").view(2, 3, 4)
        found = download(there)
        assert found.shape == (2, 3, 4)
        np.testing.assert_array_equal(found, there.cpu().numpy())
