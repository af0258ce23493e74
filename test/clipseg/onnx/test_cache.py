# SPDX-License-Identifier: Apache-2.0
"""Exports: verified before they are kept, found by their weights, made again when damaged, refused when wrong."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import SIDE, network, picture

from clipseg_ros.clipseg.agreement import measure
from clipseg_ros.clipseg.model import ImageFeatures
from clipseg_ros.clipseg.onnx import cache, writing
from clipseg_ros.clipseg.onnx.cache import MANIFEST, Exporter, hash_weights, read_manifest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture(scope="module")
def written(model, tmp_path_factory):
    """A folder with the two graphs of the network, as they are written."""
    folder = tmp_path_factory.mktemp("graphs")
    writing.write_graphs(model, folder, side=SIDE)
    return folder


@pytest.fixture
def builds(written, monkeypatch, tmp_path):
    """How often the graphs were written; copying replaces the writing, and the cache is the test's own."""
    calls = []

    def copy_graphs(model, folder, *, side):
        calls.append(folder)
        for name in (writing.ENCODER, writing.DECODER):
            shutil.copy(written / name, folder / name)

    monkeypatch.setattr(writing, "write_graphs", copy_graphs)
    monkeypatch.setattr(cache, "cached_assets_path", lambda *parts: tmp_path.joinpath("cache", *parts))
    return calls


def exporter(model, *, backend="onnxruntime", precision="float32", side=SIDE, progress=lambda sentence: None, **others):
    return Exporter(model, side=side, backend=backend, precision=precision, progress=progress, **others)


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_graphs_take_uint8_pixels_and_any_number_of_prompts(written):
    onnxruntime = pytest.importorskip("onnxruntime")
    encoder, decoder = (onnxruntime.InferenceSession(str(written / name)) for name in (writing.ENCODER, writing.DECODER))
    (pixels,) = encoder.get_inputs()
    assert (pixels.name, pixels.type, pixels.shape) == ("pixels", "tensor(uint8)", [1, SIDE, SIDE, 3])
    reduced = [(one.name, one.shape) for one in encoder.get_outputs()]
    assert reduced == [(f"reduced_{index}", [1, 1 + (SIDE // 16) ** 2, 32]) for index in range(3)]
    embeddings, *rest = decoder.get_inputs()
    assert (embeddings.name, embeddings.shape) == ("embeddings", ["prompts", 64])
    assert [(one.name, one.shape) for one in rest] == reduced
    outputs = dict(zip((name for name, _ in reduced), encoder.run(None, {"pixels": picture(SIDE, SIDE)[None]})))
    for prompts in (1, 2, 7):
        rows = np.ones((prompts, 64), np.float32)
        assert decoder.run(["logits"], {"embeddings": rows, **outputs})[0].shape == (1, prompts, SIDE, SIDE)


def test_one_file_each_without_what_is_not_used(written, model):
    assert everything_in(written) == [writing.DECODER, writing.ENCODER]
    names = {tensor.name for tensor in onnx.load(written / writing.ENCODER).graph.initializer}
    assert not [name for name in names if "resblocks.3" in name or "token_embedding" in name]
    assert (written / writing.ENCODER).stat().st_size < 4 * sum(p.numel() for p in model.clip.visual.parameters())


def test_the_second_time_it_comes_from_the_cache(model, builds, tmp_path):
    told = []
    exporter(model, progress=told.append).open_cached()
    folder = exporter(model).cached_folder
    assert folder == tmp_path / "cache" / "clipseg_ros" / "exports" / hash_weights(model) / f"{SIDE}-float32"
    assert everything_in(tmp_path) == sorted(
        str((folder / name).relative_to(tmp_path)) for name in (writing.DECODER, writing.ENCODER, MANIFEST))
    assert "exporting the network as ONNX" in told[0] and "logits differ by at most" in told[-1]
    before = everything_in(tmp_path), (folder / MANIFEST).read_bytes()
    again = exporter(model).open_cached()
    assert len(builds) == 1 and before == (everything_in(tmp_path), (folder / MANIFEST).read_bytes())
    assert again.encode([picture()]).grid == (SIDE // 16, SIDE // 16)


def _truncate(folder):
    file = folder / writing.ENCODER
    file.write_bytes(file.read_bytes()[:-100])


def _flip_a_bit(folder):
    content = bytearray((folder / writing.DECODER).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / writing.DECODER).write_bytes(content)


def _of_other_weights(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "weights": "0" * 64}))


def _without_figures(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "agreement": {"a runtime": {"spread": 1}}}))


@pytest.mark.parametrize("damage", [
    _truncate, _flip_a_bit, _of_other_weights, _without_figures,
    lambda folder: (folder / writing.ENCODER).unlink(),
    lambda folder: (folder / MANIFEST).unlink(),
    lambda folder: (folder / MANIFEST).write_text("{"),
    lambda folder: (folder / MANIFEST).write_text("[]"),
])
def test_a_damaged_export_is_made_anew(model, builds, tmp_path, damage):
    exporter(model).open_cached()
    folder, whole = exporter(model).cached_folder, everything_in(tmp_path)
    damage(folder)
    exporter(model).open_cached()
    assert len(builds) == 2 and everything_in(tmp_path) == whole
    assert read_manifest(folder, hash_weights(model)) is not None


def test_another_process_may_be_faster(model, builds, monkeypatch, tmp_path):
    exporter(model).open_cached()
    found, real = [], read_manifest
    monkeypatch.setattr(cache, "read_manifest", lambda *given: real(*given) if found else found.append(None))
    exporter(model).open_cached()
    assert len(builds) == 2 and len(everything_in(tmp_path)) == 3


def test_weights_sizes_and_configurations_have_exports_of_their_own(model):
    other = network(seed=1)
    refined = network(refined=True)
    assert len({hash_weights(one) for one in (model, other, refined, network())}) == 3
    folders = {exporter(one, side=side, precision=precision).cached_folder for one in (model, other)
               for side in (SIDE, 48) for precision in ("float32", "int8")}
    assert len(folders) == 8


def test_each_runtime_is_verified_once(model, builds):
    pytest.importorskip("openvino")
    exporter(model).open_cached()
    told = []
    for _ in range(2):
        exporter(model, backend="openvino", progress=told.append).open_cached()
    assert len(builds) == 1
    assert [sentence.split()[0] for sentence in told] == ["comparing", "openvino", "openvino"]
    manifest = json.loads((exporter(model).cached_folder / MANIFEST).read_text())
    assert [name.split()[0] for name in manifest["agreement"]] == ["onnxruntime", "openvino"]
    assert all(figures["mask_disagreement"] == 0 for figures in manifest["agreement"].values())


def test_a_runtime_that_computes_something_else_is_refused(builds, tmp_path):
    with pytest.raises(ValueError, match="is refused, since it does not compute what PyTorch does: logits differ by"):
        exporter(network(seed=1)).open_cached()
    assert builds and not everything_in(tmp_path)


def test_results_that_are_not_finite_are_refused(model, builds, monkeypatch, tmp_path):
    run = cache.ExportedBackend.decode
    monkeypatch.setattr(cache.ExportedBackend, "decode", lambda *given: run(*given).fill_(float("nan")))
    for precision in ("float32", "int8"):
        with pytest.raises(ValueError, match=f"{precision} is refused: with these weights its logits are not finite"):
            exporter(model, precision=precision).open_cached()
    assert not everything_in(tmp_path)


def test_a_folder_of_ones_own(model, builds, tmp_path):
    exporter(model).write(tmp_path / "new" / "mine")
    assert everything_in(tmp_path) == [f"new/mine/{name}" for name in (writing.DECODER, writing.ENCODER, MANIFEST)]
    with pytest.raises(ValueError, match="mine exists; name a folder that does not"):
        exporter(model).write(tmp_path / "new" / "mine")
    assert len(builds) == 1


def test_int8_encoder_is_smaller(model, builds):
    exporter(model).open_cached()
    exporter(model, precision="int8").open_cached()
    exact, small = (exporter(model, precision=name).cached_folder for name in ("float32", "int8"))
    kinds = kinds_of(small / writing.ENCODER)
    assert kinds.count("DynamicQuantizeLinear") and kinds.count("MatMulInteger")
    assert (small / writing.ENCODER).stat().st_size < 0.6 * (exact / writing.ENCODER).stat().st_size
    assert (small / writing.DECODER).read_bytes() == (exact / writing.DECODER).read_bytes()
    assert everything_in(small) == [writing.DECODER, writing.ENCODER, MANIFEST]


def kinds_of(file):
    return [node.op_type for node in onnx.load(file).graph.node]


def test_openvino_has_an_int8_encoder_of_its_own(model, builds):
    pytest.importorskip("openvino")
    folders = []
    for backend in ("openvino", "onnxruntime"):
        given = exporter(model, precision="int8", backend=backend)
        given.open_cached()
        folders.append(given.cached_folder)
    calibrated = kinds_of(folders[0] / writing.ENCODER)
    products = len(model.config.extract_layers) + 4 * (max(model.config.extract_layers) + 1)
    assert calibrated.count("QuantizeLinear") == products, "the products with weights, none of the attention's"
    assert not calibrated.count("DynamicQuantizeLinear") and len(set(folders)) == 2


def test_a_calibration_of_ones_own_replaces_the_export(model, builds):
    pytest.importorskip("openvino")

    def scales(**given):
        made = exporter(model, precision="int8", backend="openvino", **given)
        made.open_cached()
        constants = onnx.load(made.cached_folder / writing.ENCODER).graph.initializer
        return [float(onnx.numpy_helper.to_array(each).max()) for each in constants if each.name.endswith("_scale")]

    first = scales()
    dark = [np.zeros((40, 60, 3), np.uint8)]
    own = scales(calibration=dark)
    assert len(own) == len(first) and own != first
    assert scales() == own and len(builds) == 2, "without a calibration, what is there is taken"


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_missing_exporters_are_named_where_they_are_needed(model, builds, monkeypatch, package):
    exporter(model).open_cached()
    monkeypatch.setitem(sys.modules, package, None)
    exporter(model).open_cached()
    with pytest.raises(ImportError, match="to export the network as ONNX, .*: pip install onnx onnxscript"):
        exporter(network(seed=1)).open_cached()


def test_an_exporter_that_fails_is_one_sentence(model, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise RuntimeError("no such operator\nand much more")

    monkeypatch.setattr(torch.onnx, "export", fail)
    fused = torch.backends.mha.get_fastpath_enabled()
    with pytest.raises(ValueError, match=r"PyTorch \S+ cannot write this network as ONNX: no such operator$"):
        writing.write_graphs(model, tmp_path, side=SIDE)
    assert torch.backends.mha.get_fastpath_enabled() == fused


class Constant:
    """A backend whose logits are the same everywhere but in the upper rows."""

    def __init__(self, value, *, upper, rows):
        self._values = value, upper, rows

    def encode(self, images):
        return ImageFeatures((torch.zeros(len(images), 1, 1),), (4, 4))

    def decode(self, features, embeddings):
        value, upper, rows = self._values
        logits = torch.full((1, len(embeddings), 4, 4), value)
        logits[:, :, :rows] = upper
        return logits


def test_figures_of_agreement(model):
    agreement = measure(Constant(-1.0, upper=2.0, rows=1), Constant(-1.0, upper=-3.0, rows=1), model)
    assert agreement.max_difference == 5
    assert agreement.mask_disagreement == 0.25
    assert agreement.spread == pytest.approx(np.sqrt(0.75), rel=0.01)  # a quarter is 2 away from the rest
    assert str(agreement) == ("logits differ by at most 5 (their spread is 0.87), masks in 25.0000 % of the pixels")
    assert np.isnan(measure(Constant(-1.0, upper=float("nan"), rows=1), Constant(0.0, upper=0.0, rows=1), model)
                    .max_difference)
