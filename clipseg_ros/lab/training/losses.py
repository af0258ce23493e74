# SPDX-License-Identifier: Apache-2.0
"""Losses on full-resolution logits: binary cross-entropy with optional balancing, Dice, the choice among objects."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def is_present(masks: Tensor) -> Tensor:
    """(B, P) bool: whether there is anything to find, of masks (B, P, H, W), nonzero = object."""
    return masks.bool().flatten(2).any(dim=-1)


def balanced_bce(logits: Tensor, masks: Tensor, *, balance: float = 0.0, max_weight: float = 20.0) -> Tensor:
    """Binary cross-entropy per prompt, (B, P); the pixels of small masks weigh more.

    Parameters
    ----------
    logits : (B, P, H, W) float
    masks : (B, P, H, W) bool or uint8, nonzero = object
    balance : 0 is the plain mean over pixels; with b > 0 an object pixel weighs (background / object pixels) ** b,
        at least 1 and at most `max_weight`, and the weighted mean is taken; 0.5 suits objects of 1% of the picture
    """
    target = masks.to(logits.dtype)
    per_pixel = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if balance <= 0.0:
        return per_pixel.mean(dim=(-2, -1))
    pixels = target.shape[-2] * target.shape[-1]
    inside = target.sum(dim=(-2, -1))
    weight = ((pixels - inside) / inside.clamp(min=1.0)).pow(balance).clamp(1.0, max_weight)
    total = per_pixel.sum(dim=(-2, -1))
    on_object = torch.einsum("bphw,bphw->bp", per_pixel, target)
    return (total + (weight - 1.0) * on_object) / (pixels + (weight - 1.0) * inside)


def dice(logits: Tensor, masks: Tensor, *, smooth: float = 0.002) -> Tensor:
    """Dice loss per prompt, (B, P), in [0, 1]: 1 - (2 |p m| + s) / (|p| + |m| + s) with s = `smooth` x pixels.

    For an empty mask this is |p| / (|p| + s): the gradient is largest where the predicted area is about `smooth`
    of the picture, so it presses small false alarms out of prompts that name nothing in the picture.
    """
    probability = logits.sigmoid()
    target = masks.to(logits.dtype)
    overlap = torch.einsum("bphw,bphw->bp", probability, target)
    size = probability.sum(dim=(-2, -1)) + target.sum(dim=(-2, -1))
    constant = smooth * logits.shape[-2] * logits.shape[-1]
    return 1.0 - (2.0 * overlap + constant) / (size + constant)


def segmentation_loss(
    logits: Tensor,
    masks: Tensor,
    *,
    balance: float = 0.0,
    absent_weight: float = 1.0,
    dice_weight: float = 0.0,
    absent_dice_weight: float = 0.0,
    smooth: float = 0.002,
) -> Tensor:
    """Mean over all prompts of cross-entropy plus Dice, each weighted apart for present and for absent prompts; scalar.

    The cross-entropy of present prompts weighs 1. The defaults are the paper's loss: plain binary cross-entropy.
    """
    logits = logits.float()
    present = is_present(masks)
    loss = (torch.where(present, 1.0, absent_weight) * balanced_bce(logits, masks, balance=balance)).mean()
    if dice_weight <= 0.0 and absent_dice_weight <= 0.0:
        return loss
    weight = torch.where(present, dice_weight, absent_dice_weight)
    return loss + (weight * dice(logits, masks, smooth=smooth)).mean()


def choice_loss(logits: Tensor, masks: Tensor, ids: Tensor, *, smallest: float = 0.0005) -> Tensor:
    """Cross-entropy of choosing an object that the prompt means among those of the picture; scalar.

    The choice follows the objects' scores, the mean probability over their pixels, as the measure "right object" of
    an evaluation does: the chance of an object is its odds, p / (1 - p), over the sum of all objects' odds. Prompts
    that mean every object of their picture or none say nothing; without any other the loss is 0.

    Parameters
    ----------
    logits : (B, P, H, W) float
    masks : (B, P, H, W), nonzero = object; an object is meant when at least half of its pixels are
    ids : (B, H, W) uint8, the number of the object at each pixel, 0 = none
    smallest : objects of a smaller share of the picture do not take part
    """
    owner = F.one_hot(ids.long().flatten(1))[..., 1:].float()
    area = owner.sum(dim=1)[:, None]
    known = area >= max(1.0, smallest * ids[0].numel())
    area = area.clamp(min=1.0)
    score = logits.float().sigmoid().flatten(2) @ owner / area
    meant = known & (masks.float().flatten(2) @ owner >= 0.5 * area)
    matters = meant.any(dim=-1) & (known & ~meant).any(dim=-1)
    if not bool(matters.any()):
        return logits.sum() * 0.0
    odds = torch.logit(score, eps=1e-6)
    among = torch.logsumexp(odds.masked_fill(~known, -torch.inf)[matters], dim=-1)
    right = torch.logsumexp(odds.masked_fill(~meant, -torch.inf)[matters], dim=-1)
    return (among - right).mean()


def presence_loss(presence: Tensor, masks: Tensor) -> Tensor:
    """Cross-entropy of saying whether there is anything to find; scalar.

    Parameters
    ----------
    presence : (B, P) logits
    masks : (B, P, H, W), nonzero = object
    """
    return F.binary_cross_entropy_with_logits(presence.float(), is_present(masks).float())


@torch.no_grad()
def batch_iou(logits: Tensor, masks: Tensor, *, threshold: float = 0.5) -> tuple[float, float]:
    """Mean intersection over union of the present prompts, and the share of absent prompts left empty.

    "Empty" means that less than 0.2% of the pixels reach `threshold`. A part without prompts is NaN.
    """
    cut = torch.logit(torch.tensor(threshold)).item()
    found = logits >= cut
    truth = masks.bool()
    overlap = (found & truth).sum(dim=(-2, -1)).float()
    union = (found | truth).sum(dim=(-2, -1)).float()
    present = is_present(masks)
    iou = (overlap / union.clamp(min=1.0))[present].mean().item()
    empty = (union[~present] < 0.002 * truth.shape[-2] * truth.shape[-1]).float().mean().item()
    return iou, empty
