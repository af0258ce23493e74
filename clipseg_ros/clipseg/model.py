# SPDX-License-Identifier: Apache-2.0
"""CLIPSeg: CLIP's two towers (open_clip's) and the decoder, in calls that encode nothing twice."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from torch import Tensor, nn

from clipseg_ros.clipseg.decoder import Decoder
from clipseg_ros.clipseg.stem import Stem

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

HIDDEN_BYTES = 32 * 1024 * 1024
"""Largest activation of the decoder on a CPU, which decides how many prompts are decoded at once. The C library returns
larger blocks to the system after use, so that each use fetches them anew and a prompt costs 1.3 to 1.6 times as much."""


@dataclass(frozen=True)
class CLIPSegConfig:
    """Everything that decides the shapes of a CLIPSeg network and of its input.

    `clip` holds open_clip's model configuration (`embed_dim`, `quick_gelu`, `vision_cfg`, `text_cfg`).
    `extract_layers` are the image blocks, counted from 0, whose outputs the decoder reads; their number is
    its depth. `refined` asks for a head in two steps, `presence` for an answer whether there is anything to find,
    `coordinates` for tokens that know where they are (`Decoder`), `stem` for convolutions beside the patches (`Stem`).
    `image_size` is the side, in pixels, to which a picture is squashed, `visual_prompt_size` that of an example
    picture (None: the same). `token_ids` lists the BPE ids that a closed vocabulary knows (None: all of CLIP's).
    """

    clip: dict[str, Any]
    extract_layers: tuple[int, ...] = (3, 6, 9)
    reduce_dim: int = 64
    decoder_heads: int = 4
    decoder_intermediate: int = 2048
    conditional_layer: int = 0
    refined: bool = False
    presence: bool = False
    stem: bool = False
    coordinates: bool = False
    image_size: int = 352
    visual_prompt_size: int | None = None
    image_mean: tuple[float, float, float] = IMAGENET_MEAN
    image_std: tuple[float, float, float] = IMAGENET_STD
    token_ids: tuple[int, ...] | None = None

    @property
    def reduced_count(self) -> int:
        """How many tensors `CLIPSeg.reduce` returns."""
        return len(self.extract_layers) + self.stem

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain JSON types; `from_dict` turns it back."""
        values = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CLIPSegConfig:
        """Return the configuration in `values`; raise ValueError for unknown names or a missing `clip`."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            names = ", ".join(sorted(known))
            raise ValueError(f"unknown configuration name {unknown[0]!r}; known are {names}")
        if "clip" not in values:
            raise ValueError("the configuration lacks 'clip', the description of the CLIP towers")
        return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


VIT_B_16 = CLIPSegConfig(
    clip={
        "embed_dim": 512,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12},
    }
)

SMALL = CLIPSegConfig(
    clip={
        "embed_dim": 64,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 224, "layers": 4, "width": 64, "head_width": 32, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
    },
    extract_layers=(0, 1, 2),
    reduce_dim=32,
    decoder_intermediate=128,
    image_size=224,
)


class ImageFeatures(NamedTuple):
    """What the decoder needs of a batch of images.

    activations : (B, 1 + rows * cols, width) each, in the order of `extract_layers`, CLS token first; before them what
        a stem shows to the head, if there is one.
    grid : (rows, cols) of patches.
    """

    activations: tuple[Tensor, ...]
    grid: tuple[int, int]

    def split(self) -> list[ImageFeatures]:
        """Return the features of each image, a batch of one each that does not keep the others in memory."""
        if len(self.activations[0]) == 1:
            return [self]
        images = zip(*(activation.split(1) for activation in self.activations))
        return [ImageFeatures(tuple(part.clone() for part in parts), self.grid) for parts in images]

    @classmethod
    def join(cls, batches: Sequence[ImageFeatures]) -> ImageFeatures:
        """Return one batch of at least one batch, all of the same grid, in their order."""
        if len(batches) == 1:
            return batches[0]
        layers = zip(*(batch.activations for batch in batches))
        return cls(tuple(torch.cat(parts) for parts in layers), batches[0].grid)


class CLIPSeg(nn.Module):
    """CLIPSeg (Lueddecke & Ecker, CVPR 2022): segmentation by text and image prompts.

    `clip` is open_clip's CLIP with plain transformer towers, `decoder` is ours. A fresh network is randomly
    initialised; `checkpoints.load_checkpoint` returns trained ones.
    """

    def __init__(self, config: CLIPSegConfig):
        super().__init__()
        self.config = config
        self.clip = build_towers(config)
        blocks = len(self.clip.visual.transformer.resblocks)
        if not config.extract_layers or not all(0 <= layer < blocks for layer in config.extract_layers):
            raise ValueError(
                f"extract_layers is {config.extract_layers}, but the image tower has blocks 0 to {blocks - 1}"
            )
        if list(config.extract_layers) != sorted(set(config.extract_layers)):
            raise ValueError(f"extract_layers is {config.extract_layers}, but must ascend without repeats")
        self.decoder = Decoder(
            self.clip.visual.conv1.out_channels, config.clip["embed_dim"], patch_size=self.patch_size,
            depth=len(config.extract_layers), reduce_dim=config.reduce_dim, heads=config.decoder_heads,
            intermediate=config.decoder_intermediate, conditional_layer=config.conditional_layer,
            refined=config.refined, presence=config.presence, stem=config.stem,
            coordinates=config.coordinates,
        )
        self.stem = (Stem(self.clip.visual.conv1.out_channels, config.reduce_dim, self.patch_size)
                     if config.stem else None)

    @property
    def patch_size(self) -> int:
        """Side of an image patch in pixels."""
        return self.clip.visual.patch_size[0]

    @property
    def context_length(self) -> int:
        """Number of tokens that a text prompt may have, start and end tokens included."""
        return self.clip.context_length

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of the patches of an input of `size` (h, w) in pixels."""
        return size[0] // self.patch_size, size[1] // self.patch_size

    def encode_image(self, pixels: Tensor) -> ImageFeatures:
        """Encode normalised pixels (B, 3, h, w), with the blocks that the decoder reads and no more.

        Raises ValueError when h or w is not a multiple of the patch size.
        """
        tokens, grid, fine = self._embed_patches(pixels)
        activations = [] if fine is None else [fine]
        for index, block in enumerate(self.clip.visual.transformer.resblocks):
            tokens = block(tokens)
            if index in self.config.extract_layers:
                activations.append(tokens)
            if index == self.config.extract_layers[-1]:
                break
        return ImageFeatures(tuple(activations), grid)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Embed token ids (P, context_length), int64, as (P, embed_dim), not normalised.

        The largest id of a row is its end token, as in CLIP. Attention is causal, so the columns behind the
        last end token cannot change the result and are not computed.
        """
        length = int(tokens.argmax(dim=-1).max()) + 1 if len(tokens) else 1
        return self.encode_columns(tokens[:, :length])

    def encode_columns(self, tokens: Tensor) -> Tensor:
        """As `encode_text`, of all columns whatever is in them, as an exporter wants it."""
        clip, length = self.clip, tokens.shape[1]
        ends = tokens.argmax(dim=-1)
        hidden = clip.token_embedding(tokens) + clip.positional_embedding[:length]
        hidden = clip.transformer(hidden, attn_mask=clip.attn_mask[:length, :length])
        hidden = clip.ln_final(hidden)
        rows = torch.arange(tokens.shape[0], device=tokens.device)  # of len() an exporter makes a constant
        return hidden[rows, ends] @ clip.text_projection

    def encode_visual_prompt(self, pixels: Tensor) -> Tensor:
        """Embed example pictures, normalised (P, 3, h, w), as (P, embed_dim), not normalised."""
        visual = self.clip.visual
        tokens, _, _ = self._embed_patches(pixels)
        for block in visual.transformer.resblocks:
            tokens = block(tokens)
        return visual.ln_post(tokens[:, 0]) @ visual.proj

    def decode(self, features: ImageFeatures, embeddings: Tensor) -> Tensor:
        """Return logits (B, P, h, w) of P prompts in B encoded images.

        embeddings : (P, embed_dim), the same prompts for all images, or (B, P, embed_dim).
        """
        return self.paint(self.reduce(features), embeddings)

    def reduce(self, features: ImageFeatures) -> ImageFeatures:
        """All that `paint` needs of encoded images, whatever the prompt: `reduce_dim` wide, the deepest layer first,
        what a stem shows to the head last."""
        return ImageFeatures(self.decoder.reduce(features.activations, features.grid), features.grid)

    def answers(self, features: ImageFeatures, embeddings: Tensor) -> tuple[Tensor, Tensor | None]:
        """What `paint` makes one of: `Decoder.answers` of what `reduce` returned."""
        return self.decoder.answers(features.activations, features.grid, embeddings)

    def paint(self, features: ImageFeatures, embeddings: Tensor) -> Tensor:
        """Return the logits of `decode` from what `reduce` returned."""
        if embeddings.shape[-2] == 0:
            rows, cols = features.grid
            shape = (features.activations[0].shape[0], 0, rows * self.patch_size, cols * self.patch_size)
            return features.activations[0].new_empty(shape)
        activation = features.activations[0]
        if activation.device.type != "cpu" or torch.is_grad_enabled():
            return self.decoder.paint(features.activations, features.grid, embeddings)
        at_once = self.prompts_at_once(features.grid, len(activation), activation.element_size())
        parts = embeddings.split(at_once, dim=-2)
        return torch.cat([self.decoder.paint(features.activations, features.grid, part) for part in parts], dim=1)

    def prompts_at_once(self, grid: tuple[int, int], images: int = 1, bytes_per_number: int = 4) -> int:
        """Number of prompts, at least 1, whose feed-forward activations fit in `HIDDEN_BYTES`."""
        tokens = 1 + grid[0] * grid[1]
        return max(1, HIDDEN_BYTES // (images * tokens * self.config.decoder_intermediate * bytes_per_number))

    def _embed_patches(self, pixels: Tensor) -> tuple[Tensor, tuple[int, int], Tensor | None]:
        """Return the first block's input (B, 1 + rows * cols, width), the grid (rows, cols), what the head sees."""
        patch = self.patch_size
        height, width = pixels.shape[-2:]
        if not height or not width or height % patch or width % patch:
            raise ValueError(
                f"the input is {width}x{height} pixels, but both sides must be multiples of {patch}"
            )
        visual = self.clip.visual
        patches = visual.conv1(pixels)  # (B, width, rows, cols)
        grid = (patches.shape[2], patches.shape[3])
        fine = None
        if self.stem is not None:
            more, fine = self.stem(pixels)
            patches = patches + more
        patches = patches.flatten(2).transpose(1, 2)
        cls = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        positions = interpolate_positions(visual.positional_embedding, visual.grid_size, grid)
        return visual.ln_pre(torch.cat([cls, patches], dim=1) + positions.to(patches.dtype)), grid, fine


def interpolate_positions(positions: Tensor, trained: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Return positional embeddings (1 + rows * cols, width) for `grid` from those of the `trained` grid.

    Bicubic, align_corners=False, no antialiasing: open_clip's own resizing antialiases, which shifts the
    published network's logits by more than their spread.
    """
    if grid == tuple(trained):
        return positions
    image = positions[1:].unflatten(0, trained).permute(2, 0, 1).unsqueeze(0)
    image = nn.functional.interpolate(image.float(), size=grid, mode="bicubic", align_corners=False)
    resized = image.squeeze(0).permute(1, 2, 0).flatten(0, 1)
    return torch.cat([positions[:1], resized.to(positions.dtype)])


def twin_of(model: CLIPSeg) -> CLIPSeg:
    """A network of other layers with the same tensors: to replace one in a layer leaves `model` as it is."""
    return copy.deepcopy(model, {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())})


def with_positions(model: CLIPSeg, grid: tuple[int, int]) -> CLIPSeg:
    """A twin with the same weights, whose positional embeddings are those of `grid`, so that they are not resized."""
    twin = twin_of(model)
    visual = twin.clip.visual
    positions = interpolate_positions(visual.positional_embedding.detach(), visual.grid_size, grid)
    visual.positional_embedding = nn.Parameter(positions, requires_grad=False)
    visual.grid_size = grid
    return twin


def build_towers(config: CLIPSegConfig) -> CLIP:
    """Return open_clip's CLIP for `config.clip`, randomly initialised; raise ValueError for what it lacks."""
    for name in ("embed_dim", "vision_cfg", "text_cfg"):
        if name not in config.clip:
            raise ValueError(f"the description of the CLIP towers lacks {name!r}")
    try:
        vision = CLIPVisionCfg(**config.clip["vision_cfg"])
        text = CLIPTextCfg(**config.clip["text_cfg"])
    except TypeError as error:
        raise ValueError(f"open_clip does not know this description of a CLIP tower: {error}") from error
    return CLIP(config.clip["embed_dim"], vision, text, quick_gelu=config.clip.get("quick_gelu", False))
