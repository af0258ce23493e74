# SPDX-License-Identifier: Apache-2.0
"""The GPU's steps, taken on a CPU without recordings: the plain network's masks, whatever the memory allows."""

from __future__ import annotations

import copy
import logging

import numpy as np
import pytest
import torch
from networks import ALL_PARTS, SIDE, network, picture

from clipseg_ros.clipseg.agreement import measure
from clipseg_ros.clipseg.backend import TorchBackend
from clipseg_ros.clipseg.cuda import OutOfMemoryError
from clipseg_ros.clipseg.cuda import backend as cuda_backend
from clipseg_ros.clipseg.cuda.backend import PICTURE_BUCKETS, PROMPT_BUCKETS, GpuBackend
from clipseg_ros.clipseg.cuda.graphs import Captured
from clipseg_ros.clipseg.tokenizer import Tokenizer
from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE = (SIDE, SIDE)


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def model():
    return network(**ALL_PARTS)


@pytest.fixture
def told():
    return []


@pytest.fixture
def backend(model, told):
    return GpuBackend(model, SIZE, progress=told.append)


def embeddings(model, count):
    texts = [f"thing {number}" for number in range(count)]
    return model.encode_text(Tokenizer(model.context_length, model.config.token_ids)(texts))


def logits(backend, images, prompts):
    return backend.decode(backend.encode(images), prompts)


@pytest.mark.parametrize("pictures", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("prompts", [1, 3, 16, 17])
def test_any_number_of_pictures_and_prompts(model, backend, pictures, prompts):
    images = [picture(*SIZE, seed=seed) for seed in range(pictures)]  # nothing to resize, so nothing to round
    wanted = embeddings(model, prompts)
    found, expected = logits(backend, images, wanted), logits(TorchBackend(model, SIZE), images, wanted)
    assert found.shape == (pictures, prompts, *SIZE)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.std()))


@pytest.mark.parametrize("shape", [(48, 80), (480, 640), (1080, 1920), (20, 31)])
def test_pictures_of_any_size(model, backend, shape):
    given, wanted = [picture(*shape)], embeddings(model, 2)
    pixels = backend._squash(given[0])
    assert (pixels == pixels.round()).all()
    found, expected = logits(backend, given, wanted), logits(TorchBackend(model, SIZE), given, wanted)
    assert (found - expected).abs().max() < 0.05 * expected.std()


def test_views_and_read_only_pictures(model, backend):
    whole = picture(SIDE, 2 * SIDE)
    view = whole[:, ::-2]
    frozen = np.ascontiguousarray(view)
    frozen.flags.writeable = False
    wanted = embeddings(model, 1)
    torch.testing.assert_close(logits(backend, [view], wanted), logits(backend, [frozen], wanted))


def test_earlier_results_do_not_change(model, backend):
    wanted = embeddings(model, 2)
    features = backend.encode([picture(seed=1)])
    first = backend.decode(features, wanted)
    kept = first.clone()
    logits(backend, [picture(seed=2)], embeddings(model, 1))
    assert torch.equal(first, kept)
    assert torch.equal(backend.decode(features, wanted), kept)


def test_preparing_records_what_frames_of_so_many_cameras_need(backend, told):
    backend.prepare(3)
    assert sorted(backend._encoders) == [1, 2, 4]
    assert sorted(backend._decoders) == [(batch, prompts) for batch in (1, 2, 4) for prompts in PROMPT_BUCKETS]
    assert not told


@pytest.fixture
def memory(monkeypatch):
    """Set how many rows (pictures x prompts) a recording may have."""
    limit = [10**9]
    monkeypatch.delattr(torch, "OutOfMemoryError", raising=False)  # as in torch 2.4

    def record(function, inputs, **kwargs):
        pictures, *prompts = (len(given) for given in inputs)
        if pictures * (prompts[0] if prompts else 1) > limit[0]:
            raise OutOfMemoryError("CUDA out of memory")
        return Captured(function, inputs, **kwargs)

    monkeypatch.setattr(cuda_backend, "Captured", record)
    return limit


@pytest.mark.parametrize(
    "rows, cameras, pictures, prompts, sentences",
    [
        (64, 4, (1, 2, 4), (1, 2, 4, 8, 16), []),
        (8, 1, (1,), (1, 2, 4, 8), ["does not suffice for 16 prompts at once; 8 are computed at a time"]),
        (2, 2, (1, 2), (1,), ["for 4 prompts at once; 2 are", "for 2 prompts at once; 1 are"]),
        (2, 4, (1, 2), (1,), ["for 4 prompts at once; 2 are", "for 2 prompts at once; 1 are",
                              "for frames of 4 cameras at once; 2 are computed at a time"]),
        (1, 4, (1,), (1,), ["for 2 prompts at once; 1 are computed", "for frames of 2 cameras at once; 1 are"]),
    ],
)
def test_less_at_once_where_memory_is_short(model, backend, told, memory, rows, cameras, pictures, prompts, sentences):
    memory[0] = rows
    backend.prepare(cameras)
    assert (tuple(backend._pictures), tuple(backend._prompts)) == (pictures, prompts)
    assert len(told) == len(sentences)
    assert all(sentence in line for sentence, line in zip(sentences, told))
    assert all(batch in pictures and count in prompts for batch, count in backend._decoders)
    images, wanted = [picture(*SIZE, seed=seed) for seed in range(5)], embeddings(model, 17)
    expected = logits(TorchBackend(model, SIZE), images, wanted)
    torch.testing.assert_close(logits(backend, images, wanted), expected, rtol=0, atol=1e-4 * float(expected.std()))


def test_no_memory_for_one_frame_and_one_prompt(backend, memory):
    memory[0] = 0
    with pytest.raises(OutOfMemoryError):
        backend.prepare(1)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_half_precision_agrees_with_float32(precision):
    """The bundled weights on the recorded scenes and noise: at most 1 % of the pixels of the masks differ."""
    exact = load_checkpoint("demo").model.eval()
    side = exact.config.image_size // 2
    half = GpuBackend(copy.deepcopy(exact).to(precision), (side, side), progress=logging.info)

    class AsHalf:
        encode = half.encode

        def decode(self, features, prompts):
            return half.decode(features, prompts.to(precision))

    agreement = measure(AsHalf(), TorchBackend(exact, (side, side)), exact)
    assert np.isfinite(agreement.max_difference)
    assert agreement.max_difference > 0, "this is not half precision"
    assert agreement.mask_disagreement <= 0.01


def test_buckets_grow_and_begin_with_one():
    assert PROMPT_BUCKETS[0] == PICTURE_BUCKETS[0] == 1
    assert list(PROMPT_BUCKETS) == sorted(set(PROMPT_BUCKETS))
    assert list(PICTURE_BUCKETS) == sorted(set(PICTURE_BUCKETS))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_recordings_equal_the_plain_network(model, told):
    there = copy.deepcopy(model).cuda()
    backend = GpuBackend(there, SIZE, progress=told.append)
    backend.prepare(4)
    for pictures, prompts in ((1, 1), (3, 5), (5, 17), (1, 2)):
        images, wanted = [picture(*SIZE, seed=seed) for seed in range(pictures)], embeddings(model, prompts)
        found = logits(backend, images, wanted.cuda()).cpu()
        expected = logits(TorchBackend(model, SIZE), images, wanted)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-2 * float(expected.std()))


def test_reduced_features_come_back_from_another_number_format(model, backend):
    images, wanted = [picture(*SIZE, seed=seed) for seed in range(3)], embeddings(model, 2)
    features = backend.encode(images)
    kept = backend.packed(features).half()
    found = backend.decode(backend.unpacked(kept, model.grid(SIZE)), wanted)
    plain = TorchBackend(model, SIZE)
    torch.testing.assert_close(plain.packed(plain.encode(images)).half(), kept, rtol=0, atol=0.01)
    torch.testing.assert_close(found, backend.decode(features, wanted), rtol=0, atol=0.05 * float(found.std()))
