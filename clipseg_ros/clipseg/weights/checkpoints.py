# SPDX-License-Identifier: Apache-2.0
"""Find, check, convert, load and save the weights of a CLIPSeg network."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from clipseg_ros.clipseg.model import SMALL, CLIPSeg, CLIPSegConfig
from clipseg_ros.clipseg.weights import hub, layouts
from clipseg_ros.clipseg.weights.shards import INDEX_SUFFIX, ShardedFile, find_file, open_tensors, read_json
from clipseg_ros.clipseg.weights.tensorfile import CheckpointError, TensorFile
from clipseg_ros.clipseg.whole_files import replacing

__all__ = ["Checkpoint", "CheckpointError", "DEMO_FILE", "load_checkpoint", "save_checkpoint"]

DEMO_FILE = Path(__file__).with_name("demo.safetensors")
"""The bundled network of the simulated home."""

FORMAT = "clipseg_ros"
FORMAT_VERSION = "1"
"""`format` and `version` in the metadata of our own files."""

PUBLISHED_THRESHOLD = 0.3
"""Probability from which on a pixel is meant, for published weights: that of most of the paper's tables (section 4),
which warns that the best one can be far from 0.5."""

LARGEST_IMAGE = 4096
"""Largest side, in pixels, to which a file may ask for pictures to be scaled; the published network's is 352."""

_UNTRAINED_SEED = 0
_ORIGINAL_MARK = "film_mul.weight"
_OPEN_CLIP_MARK = "visual.conv1.weight"


@dataclass(frozen=True)
class Checkpoint:
    """A network with where it came from.

    Attributes
    ----------
    model : the network, float32, on the CPU, in evaluation mode.
    name : what was asked for, or the name of the file.
    source : file or directory that was read; None for a fresh network.
    trained : False for a randomly initialised network.
    metadata : what `save_checkpoint` was given.
    threshold : probability in (0, 1) from which on a pixel is meant where nobody says another one; a file of
        `save_checkpoint` names its own as the metadata's "threshold".
    """

    model: CLIPSeg
    name: str
    source: Path | None
    trained: bool = True
    metadata: dict[str, Any] = field(default_factory=dict)
    threshold: float = 0.5


class _Part(NamedTuple):
    """One file, and how it names our tensors."""

    file: TensorFile | ShardedFile
    layout: layouts.Layout


def load_checkpoint(
    weights: str | Path,
    *,
    allow_download: bool = False,
    cache_dir: str | Path | None = None,
    backbone: str | Path | None = None,
) -> Checkpoint:
    """Load a network.

    Parameters
    ----------
    weights : "demo" (bundled), "untrained" (small, random), "published" or another name of `hub.RELEASES`,
        "OWNER/NAME@COMMIT" of the Hugging Face hub, or a path: a directory or file in the published Hugging
        Face layout, one of the authors' decoder files, or a file of `save_checkpoint`.
    allow_download : fetch what is neither a path nor in the cache; the network is not touched otherwise.
    cache_dir : cache of the Hugging Face hub; None for the user's.
    backbone : CLIP ViT-B/16 for an authors' decoder file, as a file with open_clip's names or a Hugging Face
        directory; None for OpenAI's from the cache.

    Raises CheckpointError for weights that are not there or cannot be used, FileNotFoundError for a path that
    does not exist.
    """
    weights = os.fspath(weights)
    if weights == "untrained":
        return Checkpoint(_fresh(SMALL), weights, None, trained=False)
    if weights == "demo":
        return _load_demo()
    release = hub.find_release(weights)
    if release is not None:
        path = hub.obtain(release, allow_download=allow_download, cache_dir=cache_dir)
        return replace(_load_path(path), name=weights)
    path = Path(weights).expanduser()
    if not path.exists():
        names = ", ".join(["demo", "untrained", *hub.names()])
        raise FileNotFoundError(
            f"no file or directory {weights!r}, and no known weights of that name (known: {names})"
        )
    return _load_path(path, backbone=backbone, allow_download=allow_download, cache_dir=cache_dir)


def _load_demo() -> Checkpoint:
    if not DEMO_FILE.is_file():
        raise CheckpointError(
            "the demo weights are not bundled with this installation; use 'published' or 'untrained'"
        )
    return replace(_load_path(DEMO_FILE), name="demo")


def save_checkpoint(
    model: CLIPSeg, path: str | Path, *, half: bool = False, metadata: dict[str, Any] | None = None
) -> None:
    """Write `model` and its configuration to one safetensors file, replacing `path` at once or not at all.

    Parameters
    ----------
    half : store float16, which halves the size; ValueError when a value does not fit.
    metadata : plain JSON values, returned by `load_checkpoint`; `{"trained": False}` marks random weights, a
        "threshold" is that of `Checkpoint`.

    Raises OSError where the file cannot be written, such as on a full disk.
    """
    path = Path(path)
    tensors = {}
    for name, tensor in model.state_dict().items():
        stored = tensor.detach().to("cpu", torch.float16 if half else torch.float32).contiguous()
        if not torch.isfinite(stored).all():
            raise ValueError(f"tensor {name} has values that are not finite{' in float16' if half else ''}")
        tensors[name] = stored
    header = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "config": json.dumps(model.config.to_dict()),
        "metadata": json.dumps(metadata or {}),
    }
    with replacing(path) as part:
        save_file(tensors, part, metadata=header)


def _load_path(
    path: Path,
    *,
    backbone: str | Path | None = None,
    allow_download: bool = False,
    cache_dir: str | Path | None = None,
) -> Checkpoint:
    if path.is_dir():
        config, file = _open_directory(path)
        return _load_hugging_face(config, file, path)
    file = open_tensors(path)
    if file.metadata.get("format") == FORMAT:
        return _load_own(file)
    if _ORIGINAL_MARK in file.names:
        towers, part = _open_backbone(file, backbone, allow_download=allow_download, cache_dir=cache_dir)
        config = layouts.config_of_original_decoder(file, towers)
        return Checkpoint(_build(config, [_Part(file, layouts.original_decoder), part]), path.stem, path,
                          threshold=PUBLISHED_THRESHOLD)
    config = find_file(path.parent, "config.json")
    if config is None:
        raise CheckpointError(
            f"{path} is neither a file of this package nor one of the authors' decoders, "
            "and no config.json lies beside it"
        )
    return _load_hugging_face(config, file, path)


def _load_own(file: TensorFile) -> Checkpoint:
    if file.metadata.get("version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{file.path} has format version {file.metadata.get('version')}; "
            f"this package reads {FORMAT_VERSION}"
        )
    try:
        config = CLIPSegConfig.from_dict(json.loads(file.metadata["config"]))
        metadata = dict(json.loads(file.metadata.get("metadata", "{}")))
    except KeyError as error:
        raise CheckpointError(f"{file.path} lacks {error} in its metadata") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{file.path}: the configuration in the metadata is unusable: {error}"
        ) from error
    threshold = metadata.get("threshold", 0.5)
    if not isinstance(threshold, float) or not 0 < threshold < 1:
        raise CheckpointError(f"{file.path} names the threshold {threshold!r}; it must be a number between 0 and 1")
    model = _build(config, [_Part(file, layouts.own)])
    return Checkpoint(model, file.path.stem, file.path, bool(metadata.get("trained", True)), metadata, threshold)


def _load_hugging_face(config_path: Path, file: TensorFile | ShardedFile, source: Path) -> Checkpoint:
    config = layouts.config_of_hugging_face_clipseg(read_json(config_path), origin=str(config_path))
    config = replace(config, **_read_processor(config_path.parent))
    return Checkpoint(_build(config, [_Part(file, layouts.hugging_face_clipseg)]), source.stem, source,
                      threshold=PUBLISHED_THRESHOLD)


def _open_directory(directory: Path) -> tuple[Path, TensorFile | ShardedFile]:
    """The configuration's path and the weights of a directory in the Hugging Face layout."""
    config = find_file(directory, "config.json")
    if config is None:
        raise CheckpointError(
            f"{directory} lacks config.json, so it is not a checkpoint in the Hugging Face layout"
        )
    for name in hub.WEIGHT_FILES:
        for file in (find_file(directory, name), find_file(directory, f"{name}{INDEX_SUFFIX}")):
            if file is not None:
                return config, open_tensors(file)
    raise CheckpointError(
        f"{directory} holds no weights: neither {' nor '.join(hub.WEIGHT_FILES)}, whole or in parts with an index"
    )


def _open_backbone(
    decoder: TensorFile | ShardedFile, backbone: str | Path | None, *, allow_download: bool,
    cache_dir: str | Path | None
) -> tuple[dict[str, Any], _Part]:
    """open_clip's configuration and the tensors of the towers that belong to an authors' decoder file."""
    if backbone is None and f"clip_model.{_OPEN_CLIP_MARK}" in decoder.names:
        return layouts.config_of_open_clip(decoder, "clip_model."), _Part(
            decoder, layouts.open_clip_in_original
        )
    if backbone is None:
        backbone = (
            hub.obtain(hub.BACKBONE, allow_download=allow_download, cache_dir=cache_dir) / hub.BACKBONE_FILE
        )
    path = Path(backbone).expanduser()
    if path.is_dir():
        config, file = _open_directory(path)
    else:
        config, file = find_file(path.parent, "config.json"), open_tensors(path)
    if _OPEN_CLIP_MARK in file.names:
        return layouts.config_of_open_clip(file), _Part(file, layouts.open_clip)
    if config is None:
        raise CheckpointError(
            f"{path} holds no tensor {_OPEN_CLIP_MARK}, so it is no CLIP vision transformer of open_clip"
        )
    values = read_json(config)
    layouts.require_model_type(values, "clip", origin=str(config))
    return layouts.config_of_hugging_face_clip(values, origin=str(config)), _Part(
        file, layouts.hugging_face_clip
    )


def _read_processor(directory: Path) -> dict[str, Any]:
    """`image_size`, `image_mean` and `image_std`, as far as a processor's configuration tells them."""
    if (path := find_file(directory, "preprocessor_config.json")) is not None:
        values = read_json(path)
    elif (path := find_file(directory, "processor_config.json")) is not None:
        values = read_json(path).get("image_processor", {})
    else:
        return {}
    found = {}
    for name in ("image_mean", "image_std"):
        if name in values:
            numbers = values[name]
            valid = (
                isinstance(numbers, list)
                and len(numbers) == 3
                and all(isinstance(n, (int, float)) for n in numbers)
            )
            if not valid or (name == "image_std" and min(numbers) <= 0):
                raise CheckpointError(
                    f"{path}: {name} is {numbers!r}, but must be three numbers, positive ones for image_std"
                )
            found[name] = tuple(map(float, numbers))
    size = values.get("size")
    if size is not None:
        sides = (size.get("height"), size.get("width")) if isinstance(size, dict) else (size, size)
        if not isinstance(sides[0], int) or sides[0] != sides[1] or sides[0] < 1:
            raise CheckpointError(
                f"{path}: size is {size!r}, but must be the equal height and width of a square"
            )
        found["image_size"] = sides[0]
    return found


def _fresh(config: CLIPSegConfig) -> CLIPSeg:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_UNTRAINED_SEED)
        return CLIPSeg(config).eval()


def _build(config: CLIPSegConfig, parts: list[_Part]) -> CLIPSeg:
    """The network of `config` with the tensors of `parts`, each of which must be used up."""
    main = parts[0].file.path
    try:
        _require_numbers(config)
        _require_layers(config, sum(len(part.file.names) for part in parts))
        with torch.device("meta"):
            model = CLIPSeg(config)
    except (ValueError, TypeError, ArithmeticError, AttributeError, RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]  # torch's go on with a trace
        raise CheckpointError(f"{main}: this architecture is not supported: {reason}") from error
    unused = {part.file: set(part.file.names) for part in parts}
    tensors = {}
    for name, expected in model.state_dict().items():
        for part in parts:
            source = part.layout(name)
            if source is not None:
                tensors[name] = _read(part.file, source, tuple(expected.shape))
                unused[part.file].difference_update(source.names)
    for file, names in unused.items():
        unknown = sorted(name for name in names if not layouts.IGNORED.fullmatch(name))
        if unknown:
            raise CheckpointError(f"{file.path} has unknown tensor {unknown[0]}{_others(len(unknown) - 1)}")
    model.load_state_dict(tensors, assign=True)
    length = model.context_length
    model.clip.attn_mask = torch.full((length, length), float("-inf")).triu_(1)
    return model.eval()


def _require_numbers(config: CLIPSegConfig) -> None:
    """Raise ValueError, or TypeError, for pictures that cannot be made."""
    for side in (config.image_size, config.visual_prompt_size or 1):
        if not 1 <= side <= LARGEST_IMAGE:
            raise ValueError(f"the size of pictures is {side}, but must be from 1 to {LARGEST_IMAGE}")
    for name in ("image_mean", "image_std"):
        numbers = getattr(config, name)
        if len(numbers) != 3 or not all(math.isfinite(one) and (one > 0 or name == "image_mean") for one in numbers):
            raise ValueError(f"{name} is {numbers!r}, but must be three numbers, positive ones for image_std")
    if config.token_ids is not None and not all(isinstance(one, int) for one in config.token_ids):
        raise ValueError(f"token_ids is {config.token_ids!r}, but must be whole numbers")


def _require_layers(config: CLIPSegConfig, held: int) -> None:
    """Raise ValueError for more layers than there are tensors: to make a billion of them would never end."""
    towers = (config.clip.get(name, {}).get("layers", 0) for name in ("vision_cfg", "text_cfg"))
    layers = sum(towers) + len(config.extract_layers)
    if layers > held:
        raise ValueError(f"it has {layers} layers, but there are {held} tensors")


def _read(file: TensorFile | ShardedFile, source: layouts.Source, shape: tuple[int, ...]) -> Tensor:
    """One of our tensors, of `shape`, from the tensors in `file` that it is made of."""
    whole = shape[::-1] if source.transposed else shape
    each = (whole[0] // len(source.names), *whole[1:]) if len(source.names) > 1 else whole
    pieces = []
    for name in source.names:
        if name not in file.names:
            raise CheckpointError(f"{file.path} lacks tensor {name}")
        if file.shape(name) != each:
            raise CheckpointError(
                f"{file.path}: tensor {name} has shape {file.shape(name)}, but needs {each}"
            )
        pieces.append(file.read(name))
    tensor = torch.cat(pieces) if len(pieces) > 1 else pieces[0]
    return tensor.T.contiguous() if source.transposed else tensor


def _others(count: int) -> str:
    return "" if count == 0 else f" and {count} more"
