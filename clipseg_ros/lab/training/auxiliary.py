# SPDX-License-Identifier: Apache-2.0
"""Auxiliary losses that teach small towers from scratch; their heads are thrown away after training."""
from __future__ import annotations

from dataclasses import astuple, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipseg_ros.clipseg.model import ImageFeatures
from clipseg_ros.lab.training.batch import Batch
from clipseg_ros.lab.training.conditioning import Conditioning

_SCALE = 10.0
_BACKGROUND_WEIGHT = 0.25


@dataclass(frozen=True)
class AuxiliaryConfig:
    """Weights of the auxiliary losses, 0 = off. The first three read the last activation that the decoder reads.

    Attributes
    ----------
    patch_class, patch_colour : classify what fills a patch, and its colour, with a linear layer
    patch_text : among the texts of all classes, a patch's projection must be closest to its own class's
    image_text : among the texts of all classes, a whole picture's embedding must be closest to those of what it shows
    support_text : among the texts of all classes, a support picture's embedding must be closest to its own class's
    """

    patch_class: float = 0.0
    patch_colour: float = 0.0
    patch_text: float = 0.0
    image_text: float = 0.0
    support_text: float = 0.0

    @property
    def any(self) -> bool:
        """Whether any of them is on."""
        return max(astuple(self)) > 0.0


class AuxiliaryHeads(nn.Module):
    """The layers that the auxiliary losses need on top of the network.

    Parameters
    ----------
    width, embed_dim : of the image tower and of prompt embeddings
    classes, colours : how many of each, background not counted
    """

    def __init__(self, width: int, embed_dim: int, *, classes: int, colours: int, config: AuxiliaryConfig) -> None:
        super().__init__()
        self._config = config
        self.norm = nn.LayerNorm(width)
        self.patch_class = nn.Linear(width, classes + 1)
        self.patch_colour = nn.Linear(width, colours + 1)
        self.projection = nn.Linear(width, embed_dim, bias=False)
        self.background = nn.Parameter(0.02 * torch.randn(1, embed_dim))

    def forward(self, features: ImageFeatures, conditioning: Conditioning, batch: Batch) -> dict[str, Tensor]:
        """Return the weighted losses that are on and that the batch has labels for, by name; scalars."""
        config, losses = self._config, {}
        patches = self.norm(features.activations[-1][:, 1:]).flatten(0, 1)
        if config.patch_class and batch.patch_class is not None:
            losses["patch_class"] = config.patch_class * _classify(self.patch_class(patches), batch.patch_class)
        if config.patch_colour and batch.patch_colour is not None:
            losses["patch_colour"] = config.patch_colour * _classify(self.patch_colour(patches), batch.patch_colour)
        if config.patch_text and batch.patch_class is not None and len(conditioning.classes):
            known = torch.cat([self.background.to(conditioning.classes.dtype), conditioning.classes])
            likeness = _SCALE * _cosines(self.projection(patches), known)
            losses["patch_text"] = config.patch_text * _classify(likeness, batch.patch_class)
        shown = conditioning.pictures is not None and batch.patch_class is not None
        if config.image_text and shown and len(conditioning.classes):
            cosines = _cosines(conditioning.pictures, conditioning.classes)
            losses["image_text"] = config.image_text * _name_all(cosines, batch.patch_class)
        if config.support_text and len(conditioning.supports) and len(conditioning.classes):
            cosines = _cosines(conditioning.supports, conditioning.classes)
            target = batch.support_class - 1
            own = cosines.gather(1, target[:, None])
            aligned = F.cross_entropy(_SCALE * cosines, target) + (1.0 - own).mean()
            losses["support_text"] = config.support_text * aligned
        return losses


def _cosines(left: Tensor, right: Tensor) -> Tensor:
    return F.normalize(left.float(), dim=-1) @ F.normalize(right.float(), dim=-1).T


def _name_all(cosines: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy between (B, C) cosines and an even distribution over the classes among labels (B, rows, cols)."""
    present = torch.zeros(len(cosines), cosines.shape[1] + 1, device=cosines.device)
    present.scatter_(1, labels.clamp(min=0).flatten(1), 1.0)
    present = present[:, 1:]
    shown = present.any(dim=1)
    if not bool(shown.any()):
        return cosines.sum() * 0.0
    target = present[shown] / present[shown].sum(dim=1, keepdim=True)
    return F.cross_entropy(_SCALE * cosines[shown], target)


def _classify(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy over the labelled patches; background, which most patches are, counts a quarter."""
    labels = labels.flatten()
    if not bool((labels >= 0).any()):
        return logits.sum() * 0.0
    weight = torch.ones(logits.shape[-1], device=logits.device)
    weight[0] = _BACKGROUND_WEIGHT
    return F.cross_entropy(logits.float(), labels, weight=weight, ignore_index=-1)
