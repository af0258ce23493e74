# SPDX-License-Identifier: Apache-2.0
"""Every layout of a checkpoint loads to the same network; a broken one ends in a sentence that says why."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.clipseg.model import SMALL, CLIPSeg, CLIPSegConfig
from clipseg_ros.clipseg.weights import checkpoints
from clipseg_ros.clipseg.weights.checkpoints import CheckpointError, load_checkpoint, save_checkpoint

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = CLIPSegConfig(
    clip={
        "embed_dim": 16,
        "quick_gelu": False,
        "vision_cfg": {
            "image_size": 32,
            "layers": 2,
            "width": 32,
            "head_width": 16,
            "patch_size": 8,
            "mlp_ratio": 2.0,
        },
        "text_cfg": {"context_length": 6, "vocab_size": 5, "width": 16, "heads": 2, "layers": 1},
    },
    extract_layers=(0, 1),
    reduce_dim=8,
    decoder_heads=2,
    decoder_intermediate=16,
    refined=True,
    presence=True,
    coordinates=True,
    image_size=32,
    image_mean=(0.5, 0.4, 0.3),
    image_std=(0.2, 0.3, 0.4),
    token_ids=(320, 49406, 49407),
)


def tower(**changes) -> dict:
    return {
        "hidden_size": 64,
        "num_attention_heads": 1,
        "num_hidden_layers": 1,
        "intermediate_size": 256,
        **changes,
    }


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers")


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "refined"])
def published(request, transformers, tmp_path_factory):
    """A small random network in the published layout: its directory and the reference's network."""
    torch.manual_seed(0)
    config = transformers.CLIPSegConfig(
        vision_config=tower(num_hidden_layers=10, image_size=32, patch_size=16),
        text_config=tower(),
        projection_dim=24,
        reduce_dim=16,
        decoder_intermediate_size=40,
        use_complex_transposed_convolution=request.param,
    )
    reference = transformers.CLIPSegForImageSegmentation(config).eval()
    with torch.no_grad():
        for parameter in reference.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    folder = tmp_path_factory.mktemp("published")
    reference.save_pretrained(folder)
    return folder, reference


@pytest.fixture
def copy(published, tmp_path):
    """A copy of the published files that a test may break."""
    for file in published[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@torch.no_grad()
def logits(model: CLIPSeg) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(1, 3, 48, 48, generator=generator)
    tokens = torch.zeros(2, 77, dtype=torch.int64)
    tokens[:, :4] = torch.tensor([[49406, 320, 7, 49407], [49406, 11, 300, 49407]])
    embeddings = torch.cat([model.encode_text(tokens), model.encode_visual_prompt(pixels)])
    return model.decode(model.encode_image(pixels), embeddings)


def edit_json(path, **changes):
    values = json.loads(path.read_text())
    for dotted, value in changes.items():
        *parents, name = dotted.split("__")
        inner = values
        for parent in parents:
            inner = inner[parent]
        if value is None:
            del inner[name]
        else:
            inner[name] = value
    path.write_text(json.dumps(values))


@pytest.mark.parametrize("half", [False, True])
def test_our_own_file_keeps_network_configuration_and_metadata(tmp_path, half):
    torch.manual_seed(0)
    model = CLIPSeg(TINY).eval()
    path = tmp_path / "home.safetensors"
    save_checkpoint(model, path, half=half, metadata={"scenes": 3, "trained": False})
    loaded = load_checkpoint(path)
    assert loaded.model.config == TINY
    assert (loaded.name, loaded.source, loaded.trained, loaded.metadata["scenes"]) == ("home", path, False, 3)
    assert not loaded.model.training
    for name, tensor in model.state_dict().items():
        expected = tensor.half().float() if half else tensor
        assert loaded.model.state_dict()[name].dtype == torch.float32
        assert torch.equal(loaded.model.state_dict()[name], expected), name
    with torch.no_grad():
        tokens = torch.tensor([[3, 2, 4, 0, 0, 0]])
        torch.testing.assert_close(
            loaded.model.encode_text(tokens),
            model.encode_text(tokens),
            rtol=1e-2 if half else 1e-4,
            atol=1e-2 if half else 1e-5,
        )


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path):
    model = CLIPSeg(TINY)
    path = tmp_path / "a.safetensors"
    save_checkpoint(model, path)
    before = path.read_bytes()
    with torch.no_grad():
        model.decoder.film_mul.bias[0] = 1e6
    with pytest.raises(ValueError, match="decoder.film_mul.bias.*float16"):
        save_checkpoint(model, path, half=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_untrained_is_the_same_small_network_every_time():
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    first, second = load_checkpoint("untrained"), load_checkpoint("untrained")
    assert first.model.config == SMALL
    assert not first.trained and first.source is None
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(tensor, second.model.state_dict()[name])
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_demo_says_whether_it_is_there(tmp_path, monkeypatch):
    path = tmp_path / "demo.safetensors"
    monkeypatch.setattr(checkpoints, "DEMO_FILE", path)
    with pytest.raises(CheckpointError, match="not bundled"):
        load_checkpoint("demo")
    save_checkpoint(CLIPSeg(TINY), path)
    assert load_checkpoint("demo").name == "demo"


def test_published_layout_gives_the_reference_logits(published):
    folder, reference = published
    model = load_checkpoint(folder).model
    pixels = torch.randn(1, 3, 48, 48)
    tokens = torch.tensor([[49406, 320, 7, 49407]])
    with torch.no_grad():
        expected = reference(pixel_values=pixels, input_ids=tokens).logits
        found = model.decode(model.encode_image(pixels), model.encode_text(tokens))[:, 0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * expected.std().item())


def test_published_weights_have_the_papers_threshold(published):
    assert load_checkpoint(published[0]).threshold == 0.3


def test_directory_file_and_pickle_are_the_same(copy):
    expected = logits(load_checkpoint(copy).model)
    tensors = load_file(copy / "model.safetensors")
    assert torch.equal(logits(load_checkpoint(copy / "model.safetensors").model), expected)
    tensors["clip.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    tensors["clip.vision_model.embeddings.position_ids"] = torch.arange(5)[None]
    torch.save(tensors, copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    assert torch.equal(logits(load_checkpoint(copy).model), expected)
    assert torch.equal(logits(load_checkpoint(copy / "pytorch_model.bin").model), expected)


@pytest.mark.parametrize(("weights", "config"), [
    ("MODEL.SAFETENSORS", "CONFIG.JSON"), ("Model.SafeTensors", "config.json"), ("model.safetensors", "Config.json")])
def test_upper_case_names_are_found(copy, weights, config):
    expected = logits(load_checkpoint(copy).model)
    (copy / "model.safetensors").rename(copy / weights)
    (copy / "config.json").rename(copy / config)
    assert torch.equal(logits(load_checkpoint(copy).model), expected)
    assert torch.equal(logits(load_checkpoint(copy / weights).model), expected)


@pytest.mark.parametrize("nested", [False, True])
def test_the_processor_tells_size_mean_and_deviation(copy, nested):
    assert load_checkpoint(copy).model.config.image_size == 352
    assert load_checkpoint(copy).model.config.image_mean == (0.485, 0.456, 0.406)
    values = {"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 2, 3], "size": {"height": 224, "width": 224}}
    name = "processor_config.json" if nested else "preprocessor_config.json"
    (copy / name).write_text(json.dumps({"image_processor": values} if nested else values))
    config = load_checkpoint(copy).model.config
    assert (config.image_size, config.image_mean, config.image_std) == (224, (0.1, 0.2, 0.3), (1.0, 2.0, 3.0))


def authors_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The decoder of a published checkpoint under the names of github.com/timojl/clipseg."""
    renamed = {}
    for name in [name for name in tensors if name.startswith("decoder.")]:
        tensor, short = tensors[name], name.removeprefix("decoder.")
        if ".self_attn.q_proj." in short:
            parts = [tensors[name.replace("q_proj", f"{part}_proj")] for part in "qkv"]
            short, tensor = short.replace("q_proj.", "in_proj_"), torch.cat(parts)
        elif ".k_proj." in short or ".v_proj." in short:
            continue
        for old, new in (
            ("layers.", "blocks."),
            ("transposed_convolution", "trans_conv"),
            ("mlp.fc", "linear"),
            ("layer_norm", "norm"),
        ):
            short = short.replace(old, new)
        renamed[short] = tensor.clone()
    renamed["reduce.weight"], renamed["reduce.bias"] = torch.zeros(16, 64), torch.zeros(16)
    return renamed


@pytest.fixture(
    params=["open_clip safetensors", "open_clip pickle", "Hugging Face directory", "Hugging Face file"]
)
def backbone(request, copy, transformers):
    """The towers of the published network in a file of their own, and the network's directory."""
    towers = copy / "towers"
    towers.mkdir()
    model = load_checkpoint(copy).model
    if request.param.startswith("open_clip"):
        state = {name: tensor.contiguous() for name, tensor in model.clip.state_dict().items()}
        path = towers / ("clip.safetensors" if request.param.endswith("safetensors") else "clip.pt")
        save_file(state, path) if path.suffix == ".safetensors" else torch.save({"state_dict": state}, path)
        return path, copy
    values = json.loads((copy / "config.json").read_text())
    (towers / "config.json").write_text(json.dumps({**values, "model_type": "clip"}))
    tensors = load_file(copy / "model.safetensors")
    save_file(
        {name.removeprefix("clip."): t for name, t in tensors.items() if name.startswith("clip.")},
        towers / "model.safetensors",
    )
    return towers if request.param.endswith("directory") else towers / "model.safetensors", copy


def test_the_authors_decoder_on_any_backbone_equals_the_published_layout(backbone):
    towers, folder = backbone
    torch.save(authors_names(load_file(folder / "model.safetensors")), folder / "rd64-uni.pth")
    loaded = load_checkpoint(folder / "rd64-uni.pth", backbone=towers)
    published = load_checkpoint(folder).model
    assert loaded.name == "rd64-uni"
    assert loaded.model.config.refined == published.config.refined
    assert torch.equal(logits(loaded.model), logits(published))


def test_the_authors_decoder_needs_its_backbone(copy, tmp_path):
    torch.save(authors_names(load_file(copy / "model.safetensors")), copy / "rd64-uni.pth")
    with pytest.raises(CheckpointError, match="weights download clip-vit-b-16"):
        load_checkpoint(copy / "rd64-uni.pth", cache_dir=tmp_path / "empty")
    extra = authors_names(load_file(copy / "model.safetensors"))
    extra["upsample_proj.weight"] = torch.zeros(1)
    torch.save(extra, copy / "rd64-uni.pth")
    save_file(load_checkpoint(copy).model.clip.state_dict(), copy / "clip.safetensors")
    with pytest.raises(CheckpointError, match="rd64-uni.pth has unknown tensor upsample_proj.weight"):
        load_checkpoint(copy / "rd64-uni.pth", backbone=copy / "clip.safetensors")


def drop(tensors, name):
    del tensors[name]


def widen(tensors, name):
    tensors[name] = torch.cat([tensors[name], tensors[name]])


def count(tensors, name):
    tensors[name] = tensors[name].int()


def add(tensors, name):
    tensors[name] = torch.zeros(1)


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        (drop, "decoder.film_mul.bias", "lacks tensor decoder.film_mul.bias$"),
        (
            drop,
            "clip.vision_model.encoder.layers.3.self_attn.k_proj.weight",
            "lacks tensor clip.vision_model.*k_proj",
        ),
        (
            widen,
            "clip.visual_projection.weight",
            r"visual_projection.weight has shape \(48, 64\), but needs \(24, 64\)",
        ),
        (
            widen,
            "decoder.layers.1.self_attn.v_proj.bias",
            r"v_proj.bias has shape \(32,\), but needs \(16,\)",
        ),
        (count, "decoder.reduces.2.weight", "reduces.2.weight holds torch.int32"),
        (add, "decoder.extra_blocks.0.weight", "unknown tensor decoder.extra_blocks.0.weight$"),
    ],
)
@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_a_wrong_tensor_is_named(copy, change, name, message, suffix):
    tensors = load_file(copy / "model.safetensors")
    change(tensors, name)
    (copy / "model.safetensors").unlink()
    file = copy / ("model.safetensors" if suffix == "safetensors" else "pytorch_model.bin")
    save_file(tensors, file) if suffix == "safetensors" else torch.save(tensors, file)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(copy)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vision_config": [1]}, r"vision_config is \[1\], but must be of type dict"),
        ({"text_config__num_attention_heads": "8"}, "text_config.num_attention_heads is '8', but must be of type int"),
        ({"conditional_layer": [0]}, r"conditional_layer is \[0\], but must be of type int"),
        ({"reduce_dim": "64"}, "reduce_dim is '64', but must be of type int"),
        ({"model_type": "clip"}, "model_type is 'clip', but only 'clipseg'"),
        ({"vision_config__hidden_act": "gelu"}, "hidden_act is gelu and quick_gelu"),
        ({"vision_config__layer_norm_eps": 1e-6}, "layer_norm_eps is 1e-06"),
        ({"vision_config__num_attention_heads": 5}, "64 is no multiple"),
        ({"text_config__vocab_size": 100}, "vocab_size is 100"),
        ({"extract_layers": [3, 6, 12]}, "not supported: extract_layers"),
        ({"decoder_num_attention_heads": 5}, "not supported"),
        ({"use_complex_transposed_convolution": "flip"}, "transposed_convolution"),
    ],
)
def test_a_wrong_configuration_is_named(copy, changes, message):
    if changes.get("use_complex_transposed_convolution"):
        changes = {"use_complex_transposed_convolution": not load_checkpoint(copy).model.config.refined}
    edit_json(copy / "config.json", **changes)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(copy)
    assert str(copy) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"{", "config.json is not valid JSON"),
        ("config.json", b"[]", "holds a list"),
        ("preprocessor_config.json", b'{"image_mean": [1, 2]}', r"image_mean is \[1, 2\]"),
        ("preprocessor_config.json", b'{"image_std": [1, 0, 1]}', "image_std is"),
        ("preprocessor_config.json", b'{"size": {"height": 352, "width": 224}}', "size is .*square"),
        ("model.safetensors", b"", "model.safetensors is empty"),
        ("config.json", b"<!DOCTYPE html>", "config.json is a web page"),
        ("model.safetensors", b"\xff" * 100, "not a readable safetensors file"),
        ("model.safetensors", (9).to_bytes(8, "little") + b"{broken..", "not a readable safetensors file"),
    ],
)
def test_a_corrupt_file_is_named(copy, name, content, message):
    (copy / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(copy)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"version": "2"}, "format version 2; this package reads 1"),
        ({"version": "1"}, "lacks 'config'"),
        ({"version": "1", "config": "{"}, "unusable"),
        (
            {"version": "1", "config": '{"clip": {}, "colour": 3}'},
            "unusable: unknown configuration name 'colour'",
        ),
        ({"version": "1", "config": '{"clip": {}}'}, "not supported: .*lacks 'embed_dim'"),
        ({"version": "1", "config": json.dumps(replace(TINY, reduce_dim=24).to_dict())}, "shape"),
    ],
)
def test_a_bad_file_of_our_own_is_named(tmp_path, header, message):
    path = tmp_path / "own.safetensors"
    save_file(CLIPSeg(TINY).state_dict(), path, metadata={"format": "clipseg_ros", **header})
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)


def test_paths_and_names_that_do_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match="known: demo, untrained, published"):
        load_checkpoint(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="lacks config.json"):
        load_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="neither model.safetensors nor pytorch_model.bin"):
        load_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="'published' are not in the cache.*weights download published"):
        load_checkpoint("published", cache_dir=tmp_path)


@pytest.mark.parametrize(("metadata", "threshold"), [({}, 0.5), ({"threshold": 0.35}, 0.35)])
def test_a_file_names_its_own_threshold(tmp_path, metadata, threshold):
    save_checkpoint(CLIPSeg(SMALL), tmp_path / "own.safetensors", metadata=metadata)
    assert load_checkpoint(tmp_path / "own.safetensors").threshold == threshold
    assert Segmenter.load(tmp_path / "own.safetensors", device="cpu").threshold == threshold


@pytest.mark.parametrize("threshold", [0.0, 1.5, "high"])
def test_a_threshold_that_cannot_be_is_refused(tmp_path, threshold):
    save_checkpoint(CLIPSeg(SMALL), tmp_path / "own.safetensors", metadata={"threshold": threshold})
    with pytest.raises(CheckpointError, match=f"names the threshold {threshold!r}; it must be a number between 0 and"):
        load_checkpoint(tmp_path / "own.safetensors")
