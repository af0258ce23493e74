# SPDX-License-Identifier: Apache-2.0
"""How much arithmetic an image and a prompt take, from the network's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from open_clip.model import CLIPVisionCfg

from clipseg_ros.clipseg.model import CLIPSegConfig


class Product(NamedTuple):
    """The matrix product (rows, inner) @ (inner, columns)."""

    rows: int
    inner: int
    columns: int

    @property
    def flop(self) -> int:
        """Its floating-point operations."""
        return 2 * self.rows * self.inner * self.columns


@dataclass(frozen=True)
class Arithmetic:
    """Floating-point operations of matrix products and convolutions, two for each multiplication with its addition.

    What goes element by element (norms, softmax, GELU, FiLM's product) is not counted, nor are resizing the image and
    embedding a prompt, which is done once.

    Attributes
    ----------
    encoder : of an image: the patches' embedding and the blocks up to the last one that the decoder reads.
    reductions : of an image, the same for every prompt: the decoder's reductions, its coordinates and a stem's cells.
    prompt : of one prompt on an encoded image.
    """

    encoder: int
    reductions: int
    prompt: int

    def image(self, prompts: int) -> int:
        """All that a new image with so many known prompts takes."""
        return self.encoder + self.reductions + prompts * self.prompt


def count_arithmetic(config: CLIPSegConfig, side: int) -> Arithmetic:
    """Count for images squashed to side x side pixels, a multiple of the patch size."""
    vision = CLIPVisionCfg(**config.clip["vision_cfg"])
    cells = (side // vision.patch_size) ** 2
    patches = Product(cells, 3 * vision.patch_size**2, vision.width)
    block = _total(block_products(config, side)) + _attention(cells + 1, vision.width)
    reduction = Product(cells + 1, vision.width, config.reduce_dim)
    return Arithmetic(
        encoder=patches.flop + (config.extract_layers[-1] + 1) * block + _count_stem(config, cells),
        reductions=len(config.extract_layers) * reduction.flop + _count_additions(config, cells),
        prompt=_count_prompt(config, cells, vision.patch_size),
    )


def block_products(config: CLIPSegConfig, side: int) -> tuple[Product, ...]:
    """The products with weights of one block of the image encoder: the attention's two and the feed-forward's two."""
    vision = CLIPVisionCfg(**config.clip["vision_cfg"])
    tokens = (side // vision.patch_size) ** 2 + 1
    return _layer_products(tokens, vision.width, int(vision.width * vision.mlp_ratio))


def _count_prompt(config: CLIPSegConfig, cells: int, patch: int) -> int:
    tokens, width = cells + 1, config.reduce_dim
    film = 2 * Product(1, config.clip["embed_dim"], width).flop
    layer = _total(_layer_products(tokens, width, config.decoder_intermediate)) + _attention(tokens, width)
    presence = Product(1, width, 1).flop if config.presence else 0
    return film + len(config.extract_layers) * layer + presence + _total(_head_products(config, cells, patch))


def _count_stem(config: CLIPSegConfig, cells: int) -> int:
    """The convolutions of `Stem`, at a half of the pictures' size and at four cells along a patch's side."""
    if not config.stem:
        return 0
    vision = CLIPVisionCfg(**config.clip["vision_cfg"])
    halves, fine = cells * (vision.patch_size // 2) ** 2, 16 * cells
    return _total((Product(halves, 27, 16), Product(fine, 9 * 16, 32), Product(cells, 16 * 32, vision.width),
                   Product(fine, 9 * 32, config.reduce_dim // 16)))


def _count_additions(config: CLIPSegConfig, cells: int) -> int:
    """What a decoder with coordinates and a stem adds to tokens and to their cells."""
    where = Product(cells + 1, 2, config.reduce_dim)
    fine = Product(16 * cells, config.reduce_dim // 16, config.reduce_dim // 2)
    return config.coordinates * where.flop + config.stem * fine.flop


def _layer_products(tokens: int, width: int, hidden: int) -> tuple[Product, ...]:
    """The products with weights of a transformer layer."""
    return (Product(tokens, width, 3 * width), Product(tokens, width, width),
            Product(tokens, width, hidden), Product(tokens, hidden, width))


def _attention(tokens: int, width: int) -> int:
    """Of the two products without weights, queries with keys and shares with values, over all heads."""
    return Product(tokens, width, tokens).flop + Product(tokens, tokens, width).flop


def _head_products(config: CLIPSegConfig, cells: int, patch: int) -> tuple[Product, ...]:
    """The head's convolutions as matrix products; transposed ones have a kernel as large as their stride."""
    width = config.reduce_dim
    if not config.refined:
        return (Product(cells, width, patch**2),)
    first, second = 4, patch // 4
    return (Product(cells, 9 * width, width), Product(cells, width, width // 2 * first**2),
            Product(cells * first**2, width // 2, second**2))


def _total(products: tuple[Product, ...]) -> int:
    return sum(product.flop for product in products)
