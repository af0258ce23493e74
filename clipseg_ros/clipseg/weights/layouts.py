# SPDX-License-Identifier: Apache-2.0
"""How published checkpoints name and describe what our network calls otherwise.

A layout turns the name of one of our tensors into a `Source`: the tensors of a file that it is made of.
"""

from __future__ import annotations

import re
from typing import Any, Callable, NamedTuple

from clipseg_ros.clipseg.model import VIT_B_16, CLIPSegConfig
from clipseg_ros.clipseg.weights.tensorfile import CheckpointError, TensorFile

NORM_EPSILON = 1e-5
"""Added to the variance in every layer normalisation of CLIP and of the decoder."""

CLIP_VOCABULARY = 49408
"""Number of ids of CLIP's tokenizer."""

HEAD_WIDTH = 64
"""Channels of an attention head in OpenAI's CLIP models, which their weights do not tell."""

IGNORED = re.compile(
    r"(.*\.)?position_ids|(clip_model\.)?(attn_mask|input_resolution|context_length|vocab_size)|reduce\..*"
)
"""Names of buffers and leftovers that files hold and the network does not use."""


CLIPSEG_DEFAULTS: dict[str, Any] = {
    "projection_dim": 512, "extract_layers": [3, 6, 9], "reduce_dim": 64, "decoder_num_attention_heads": 4,
    "decoder_intermediate_size": 2048, "conditional_layer": 0, "use_complex_transposed_convolution": False,
}
"""Of `transformers`' CLIPSegConfig; some versions of it write only what differs from them. CLIPConfig has the same."""

TOWER_DEFAULTS: dict[str, dict[str, Any]] = {
    "text_config": {
        "vocab_size": CLIP_VOCABULARY, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12,
        "num_attention_heads": 8, "max_position_embeddings": 77, "hidden_act": "quick_gelu",
        "layer_norm_eps": NORM_EPSILON,
    },
    "vision_config": {
        "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
        "num_channels": 3, "image_size": 224, "patch_size": 32, "hidden_act": "quick_gelu",
        "layer_norm_eps": NORM_EPSILON,
    },
}
"""Of its CLIPSegTextConfig and CLIPSegVisionConfig; the published networks' patch_size is 16."""


class Source(NamedTuple):
    """The tensors, by name, that make up one of ours: concatenated along axis 0, then transposed or not."""

    names: tuple[str, ...]
    transposed: bool = False


Layout = Callable[[str], "Source | None"]
"""Function of one of our tensor names; None when a file of this layout does not hold that tensor."""

_CLIP_TO_HUGGING_FACE = (
    (r"^positional_embedding$", "text_model.embeddings.position_embedding.weight"),
    (r"^token_embedding\.", "text_model.embeddings.token_embedding."),
    (r"^text_projection$", "text_projection.weight"),
    (r"^ln_final\.", "text_model.final_layer_norm."),
    (r"^transformer\.resblocks\.", "text_model.encoder.layers."),
    (r"^visual\.transformer\.resblocks\.", "vision_model.encoder.layers."),
    (r"^visual\.class_embedding$", "vision_model.embeddings.class_embedding"),
    (r"^visual\.positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
    (r"^visual\.conv1\.", "vision_model.embeddings.patch_embedding."),
    (r"^visual\.ln_pre\.", "vision_model.pre_layrnorm."),
    (r"^visual\.ln_post\.", "vision_model.post_layernorm."),
    (r"^visual\.proj$", "visual_projection.weight"),
    (r"\.ln_([12])\.", r".layer_norm\1."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
    (r"\.attn\.", ".self_attn."),
)

_DECODER_TO_HUGGING_FACE = (
    (r"^head\.", "transposed_convolution."),
    (r"\.norm([12])\.", r".layer_norm\1."),
    (r"\.linear([12])\.", r".mlp.fc\1."),
)

_DECODER_TO_ORIGINAL = ((r"^head\.", "trans_conv."), (r"^layers\.", "blocks."))

_FUSED = re.compile(r"\.in_proj_(weight|bias)$")


def own(name: str) -> Source:
    """Our own files: the names of the network itself."""
    return Source((name,))


def hugging_face_clipseg(name: str) -> Source | None:
    """Checkpoints of `transformers`' CLIPSegForImageSegmentation, as published on the Hugging Face hub."""
    if name.startswith("clip."):
        source = hugging_face_clip(name)
        return source._replace(names=tuple(f"clip.{part}" for part in source.names))
    renamed = _rename(name.removeprefix("decoder."), _DECODER_TO_HUGGING_FACE)
    return Source(tuple(f"decoder.{part}" for part in _split_fused(renamed)))


def hugging_face_clip(name: str) -> Source | None:
    """The CLIP towers alone, as `transformers`' CLIPModel names them."""
    if not name.startswith("clip."):
        return None
    ours = name.removeprefix("clip.")
    return Source(
        _split_fused(_rename(ours, _CLIP_TO_HUGGING_FACE)),
        transposed=ours in ("text_projection", "visual.proj"),
    )


def open_clip(name: str) -> Source | None:
    """The CLIP towers alone, as OpenAI and open_clip name them."""
    return Source((name.removeprefix("clip."),)) if name.startswith("clip.") else None


def open_clip_in_original(name: str) -> Source | None:
    """The CLIP towers inside a file that the authors' training script saved whole."""
    return Source(("clip_model." + name.removeprefix("clip."),)) if name.startswith("clip.") else None


def original_decoder(name: str) -> Source | None:
    """The authors' decoder files (github.com/timojl/clipseg: rd64-uni.pth, rd64-uni-refined.pth)."""
    if not name.startswith("decoder."):
        return None
    return Source((_rename(name.removeprefix("decoder."), _DECODER_TO_ORIGINAL),))


def config_of_hugging_face_clipseg(values: dict[str, Any], *, origin: str) -> CLIPSegConfig:
    """Our configuration for the `config.json` of a CLIPSeg checkpoint; `origin` names it in errors."""
    require_model_type(values, "clipseg", origin=origin)
    values = {**CLIPSEG_DEFAULTS, **values}
    return CLIPSegConfig(
        clip=config_of_hugging_face_clip(values, origin=origin),
        extract_layers=tuple(_get(values, "extract_layers", list, origin)),
        reduce_dim=_get(values, "reduce_dim", int, origin),
        decoder_heads=_get(values, "decoder_num_attention_heads", int, origin),
        decoder_intermediate=_get(values, "decoder_intermediate_size", int, origin),
        conditional_layer=_get(values, "conditional_layer", int, origin),
        refined=bool(values["use_complex_transposed_convolution"]),
    )


def config_of_hugging_face_clip(values: dict[str, Any], *, origin: str) -> dict[str, Any]:
    """open_clip's configuration of the towers in a `transformers` configuration of CLIP or CLIPSeg."""
    values = {**CLIPSEG_DEFAULTS, **values}
    vision, text = (_tower_values(values, name, origin) for name in ("vision_config", "text_config"))
    quick_gelu = _check_towers(vision, text, origin)
    width, heads, layers, ratio = _tower(vision, "vision_config", origin)
    text_width, text_heads, text_layers, text_ratio = _tower(text, "text_config", origin)
    return {
        "embed_dim": _get(values, "projection_dim", int, origin),
        "quick_gelu": quick_gelu,
        "vision_cfg": {
            "image_size": _get(vision, "image_size", int, origin, "vision_config."),
            "layers": layers,
            "width": width,
            "head_width": width // heads,
            "patch_size": _get(vision, "patch_size", int, origin, "vision_config."),
            "mlp_ratio": ratio,
        },
        "text_cfg": {
            "context_length": _get(text, "max_position_embeddings", int, origin, "text_config."),
            "vocab_size": CLIP_VOCABULARY,
            "width": text_width,
            "heads": text_heads,
            "layers": text_layers,
            "mlp_ratio": text_ratio,
        },
    }


def _tower_values(values: dict[str, Any], name: str, origin: str) -> dict[str, Any]:
    """The configuration of one tower; that under the older name NAME_dict counts if there is one, as there."""
    older = f"{name}_dict"
    name = name if values.get(older) is None else older
    given = {} if values.get(name) is None else _get(values, name, dict, origin)
    return {**TOWER_DEFAULTS[name.removesuffix("_dict")], **given}


def _check_towers(vision: dict[str, Any], text: dict[str, Any], origin: str) -> bool:
    """Raise CheckpointError for towers that open_clip's are not; return whether their activation is QuickGELU."""
    activations = {str(tower["hidden_act"]) for tower in (vision, text)}
    if len(activations) > 1 or not activations <= {"quick_gelu", "gelu"}:
        names = " and ".join(sorted(activations))
        raise CheckpointError(
            f"{origin}: hidden_act is {names}, but both towers need quick_gelu, or both gelu"
        )
    for name, tower in (("vision_config", vision), ("text_config", text)):
        if tower["layer_norm_eps"] != NORM_EPSILON:
            raise CheckpointError(
                f"{origin}: {name}.layer_norm_eps is {tower['layer_norm_eps']}, but must be {NORM_EPSILON}"
            )
    if vision["num_channels"] != 3:
        raise CheckpointError(
            f"{origin}: vision_config.num_channels is {vision['num_channels']}; only 3 (RGB) is supported"
        )
    if text["vocab_size"] != CLIP_VOCABULARY:
        raise CheckpointError(
            f"{origin}: text_config.vocab_size is {text['vocab_size']}, but must be CLIP's {CLIP_VOCABULARY}"
        )
    return activations == {"quick_gelu"}


def config_of_open_clip(file: TensorFile, prefix: str = "") -> dict[str, Any]:
    """open_clip's configuration of the OpenAI towers in `file`, read off the shapes of its tensors."""

    def shape(name: str, dimensions: int) -> tuple[int, ...]:
        return _shape(file, prefix + name, dimensions)

    width, _, patch, _ = shape("visual.conv1.weight", 4)
    positions, _ = shape("visual.positional_embedding", 2)
    context_length, text_width = shape("positional_embedding", 2)
    return {
        "embed_dim": shape("text_projection", 2)[1],
        "quick_gelu": True,
        "vision_cfg": {
            "image_size": patch * round((positions - 1) ** 0.5),
            "width": width,
            "head_width": HEAD_WIDTH,
            "patch_size": patch,
            "layers": _count(file, prefix + "visual.transformer.resblocks."),
        },
        "text_cfg": {
            "context_length": context_length,
            "vocab_size": shape("token_embedding.weight", 2)[0],
            "width": text_width,
            "heads": text_width // HEAD_WIDTH,
            "layers": _count(file, prefix + "transformer.resblocks."),
        },
    }


def config_of_original_decoder(file: TensorFile, clip: dict[str, Any]) -> CLIPSegConfig:
    """Our configuration for the authors' decoder in `file` on towers `clip`; the tensors tell the head."""
    depth = _count(file, "blocks.")
    if depth != len(VIT_B_16.extract_layers):
        raise CheckpointError(
            f"{file.path} has {depth} decoder blocks; only 3, on the image blocks 3, 6 and 9, are supported"
        )
    return CLIPSegConfig(
        clip=clip,
        reduce_dim=_shape(file, "film_mul.weight", 2)[0],
        decoder_intermediate=_shape(file, "blocks.0.linear1.weight", 2)[0],
        refined="trans_conv.4.weight" in file.names,
    )


def require_model_type(values: dict[str, Any], supported: str, *, origin: str) -> None:
    """Raise CheckpointError unless a `config.json` describes a model of the type `supported`."""
    found = values.get("model_type")
    if found != supported:
        raise CheckpointError(f"{origin}: model_type is {found!r}, but only {supported!r} is supported")


def _rename(name: str, table: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in table:
        name = re.sub(pattern, replacement, name)
    return name


def _split_fused(name: str) -> tuple[str, ...]:
    """The names of the query, key and value projection for our fused `in_proj_*`; other names as they are."""
    match = _FUSED.search(name)
    return tuple(f"{name[: match.start()]}.{part}_proj.{match[1]}" for part in "qkv") if match else (name,)


def _tower(values: dict[str, Any], name: str, origin: str) -> tuple[int, int, int, float]:
    """Width, heads, layers and width ratio of the hidden layer of a tower."""
    sizes = ("hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size")
    width, heads, layers, hidden = (_get(values, size, int, origin, f"{name}.") for size in sizes)
    if width < 1 or heads < 1 or width % heads:
        raise CheckpointError(
            f"{origin}: {name}.hidden_size {width} is no multiple of num_attention_heads {heads}"
        )
    # open_clip truncates width * ratio, so a ratio that rounds down needs a little more.
    return (
        width,
        heads,
        layers,
        hidden / width if int(width * (hidden / width)) == hidden else (hidden + 0.5) / width,
    )


def _get(values: dict[str, Any], name: str, kind: type, origin: str, parent: str = "") -> Any:
    value = values[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise CheckpointError(f"{origin}: {parent}{name} is {value!r}, but must be of type {kind.__name__}")
    return value


def _shape(file: TensorFile, name: str, dimensions: int) -> tuple[int, ...]:
    if name not in file.names:
        raise CheckpointError(f"{file.path} lacks tensor {name}")
    shape = file.shape(name)
    if len(shape) != dimensions:
        raise CheckpointError(
            f"{file.path}: tensor {name} has shape {shape}, but needs {dimensions} dimensions"
        )
    return shape


def _count(file: TensorFile, prefix: str) -> int:
    """Number of numbered modules below `prefix`."""
    return len({name[len(prefix) :].split(".")[0] for name in file.names if name.startswith(prefix)})
