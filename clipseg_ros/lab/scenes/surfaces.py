# SPDX-License-Identifier: Apache-2.0
"""Procedural textures of floors, walls, table tops, rugs and pictures: (side, side, 3) uint8 RGB."""

from __future__ import annotations

import cv2
import numpy as np

SIDE = 256


def floor_texture(rng: np.random.Generator) -> np.ndarray:
    """Planks, tiles, carpet or concrete; one picture covers 2 m x 2 m."""
    kind = rng.choice(["planks", "planks", "tiles", "carpet", "concrete"])
    if kind == "planks":
        return _planks(rng, rows=int(rng.integers(8, 16)))
    if kind == "tiles":
        return _tiles(rng, count=int(rng.integers(3, 8)))
    if kind == "carpet":
        return _tinted(rng, _noise(rng, 40) * 0.10 + _noise(rng, 120) * 0.12, _muted(rng))
    return _tinted(rng, _noise(rng, 4) * 0.12 + _noise(rng, 30) * 0.05, _muted(rng, saturation=0.08))


def wall_texture(rng: np.random.Generator) -> np.ndarray:
    """Plaster, wallpaper stripes, bricks or panels; one picture covers 2 m x 2 m."""
    kind = rng.choice(["plain", "plain", "plain", "stripes", "bricks", "panels"])
    base = _muted(rng, value=(0.55, 0.97), saturation=0.22)
    if kind == "plain":
        return _tinted(rng, _noise(rng, 30) * 0.03, base)
    if kind == "stripes":
        x = np.arange(SIDE) * int(rng.integers(6, 16)) * 2 * np.pi / SIDE
        return _tinted(rng, np.tile(np.sign(np.sin(x)) * rng.uniform(0.02, 0.06), (SIDE, 1)), base)
    if kind == "bricks":
        return _bricks(rng, base)
    return _planks(rng, rows=int(rng.integers(6, 12)), contrast=0.05, base=base).transpose(1, 0, 2)


def rug_texture(rng: np.random.Generator) -> np.ndarray:
    """A patterned rug."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    edge = np.minimum.reduce([x, 1 - x, y, 1 - y])
    a, b, c = (np.array(_muted(rng, value=(0.25, 0.9), saturation=0.6)) for _ in range(3))
    freq = rng.integers(2, 7, 2)
    pattern = (np.sin(x * 2 * np.pi * freq[0]) * np.sin(y * 2 * np.pi * freq[1]) > 0)[..., None]
    image = np.where(pattern, a, b * 0.5 + a * 0.5)
    image = np.where(((edge > 0.04) & (edge < 0.09))[..., None], c, image)
    return np.clip(image * 255 + _noise(rng, 100)[..., None] * 14, 0, 255).astype(np.uint8)


def picture_texture(rng: np.random.Generator) -> np.ndarray:
    """An abstract picture or a view, in a frame."""
    low = rng.uniform(0, 1, (int(rng.integers(2, 6)), int(rng.integers(2, 6)), 3)).astype(np.float32)
    image = cv2.resize(
        low, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_NEAREST
    )
    image = np.clip(image, 0, 1) * rng.uniform(0.5, 1)
    frame = np.array(_muted(rng, value=(0.05, 0.95), saturation=0.3))
    image[:18], image[-18:], image[:, :18], image[:, -18:] = frame, frame, frame, frame
    return (image * 255).astype(np.uint8)


def _noise(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Smooth tiling noise in about [-1, 1], (SIDE, SIDE) float32."""
    cells = min(cells, SIDE)
    grid = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    padded = np.pad(grid, 2, mode="wrap")
    scale = SIDE / cells
    big = cv2.resize(padded, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    start = round(2 * scale)
    return big[start : start + SIDE, start : start + SIDE]


def _planks(rng: np.random.Generator, *, rows: int, contrast: float = 0.12, base=None) -> np.ndarray:
    base = base or _rgb(rng.uniform(18, 36), rng.uniform(0.2, 0.55), rng.uniform(0.35, 0.85))
    shade = np.zeros((SIDE, SIDE), np.float32)
    bounds = np.linspace(0, SIDE, rows + 1).astype(int)
    for top, bottom in zip(bounds[:-1], bounds[1:]):
        cuts = np.sort(rng.integers(0, SIDE, 2))
        for left, right in ((0, cuts[0]), (cuts[0], cuts[1]), (cuts[1], SIDE)):
            shade[top:bottom, left:right] = rng.normal(0, contrast / 2)
            shade[top:bottom, left : left + 1] -= 0.2
        shade[top : top + 1] -= 0.22
    grain = cv2.GaussianBlur(_noise(rng, 128), (0, 0), sigmaX=9, sigmaY=0.7)
    return _tinted(rng, shade + grain / (grain.std() + 1e-6) * 0.03, base)


def _tiles(rng: np.random.Generator, *, count: int) -> np.ndarray:
    light, dark = (
        _muted(rng, value=(0.6, 0.95), saturation=0.15),
        _muted(rng, value=(0.3, 0.9), saturation=0.25),
    )
    chequered = rng.random() < 0.35
    index = np.arange(SIDE) * count * 2 // SIDE // (1 if chequered else 2)
    parity = (index[:, None] + index[None, :]) % 2 if chequered else np.zeros((SIDE, SIDE))
    image = np.where(parity[..., None] == 0, light, dark)
    period = SIDE / (count * (2 if chequered else 1))
    joint = np.minimum(np.arange(SIDE) % period, period - np.arange(SIDE) % period) < 1.0
    image = image * (1 - 0.25 * (joint[:, None] | joint[None, :]))[..., None]
    return np.clip(image * 255 + _noise(rng, 20)[..., None] * 8, 0, 255).astype(np.uint8)


def _bricks(rng: np.random.Generator, base) -> np.ndarray:
    rows, columns = 16, 6
    shade = np.zeros((SIDE, SIDE), np.float32)
    for r in range(rows):
        top, bottom = r * SIDE // rows, (r + 1) * SIDE // rows
        for c in range(columns):
            left = int((c + 0.5 * (r % 2)) * SIDE / columns)
            shade[top:bottom, np.arange(left, left + SIDE // columns) % SIDE] = rng.normal(0, 0.05)
            shade[top:bottom, left % SIDE] -= 0.12
        shade[top : top + 1] -= 0.12
    return _tinted(rng, shade, base)


def _tinted(rng: np.random.Generator, shade: np.ndarray, base) -> np.ndarray:
    image = np.asarray(base, np.float32)[None, None] * (1 + shade[..., None])
    return np.clip(image * 255, 0, 255).astype(np.uint8)


def _muted(
    rng: np.random.Generator, *, value=(0.35, 0.9), saturation: float = 0.3
) -> tuple[float, float, float]:
    return _rgb(rng.uniform(0, 360), rng.uniform(0, saturation), rng.uniform(*value))


def _rgb(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    pixel = np.array([[[hue % 360, saturation, value]]], np.float32)
    return tuple(float(v) for v in cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0])
