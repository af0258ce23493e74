# SPDX-License-Identifier: Apache-2.0
"""The network of a run: from a checkpoint, or fresh from a description."""

from __future__ import annotations

import copy

import torch

from clipseg_ros.clipseg.model import CLIPSeg, CLIPSegConfig
from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint
from clipseg_ros.lab.training.config import TrainingConfig
from clipseg_ros.lab.training.token_ids import home_token_ids


def build_network(config: TrainingConfig) -> CLIPSeg:
    """Return the network that a run starts from, on the CPU, in float32.

    `weights` wins over `network`. Raises ValueError when neither is given or the description is wrong.
    """
    if config.weights:
        model = load_checkpoint(config.weights).model
        if config.grow:
            model = grown(model, config.grow, seed=config.seed)
        return model if config.decoder is None else with_fresh_decoder(model, config.decoder, seed=config.seed)
    if not config.network:
        raise ValueError("the training configuration names neither weights to start from nor a network to build.")
    torch.manual_seed(config.seed)
    return CLIPSeg(network_config(config.network, config.vocabulary))


def with_fresh_decoder(model: CLIPSeg, changes: dict, *, seed: int) -> CLIPSeg:
    """Return a network with the towers of `model` and a fresh decoder, with `changes` to its CLIPSegConfig."""
    if "clip" in changes:
        raise ValueError("'clip' cannot be changed under 'decoder': the towers come from the checkpoint.")
    torch.manual_seed(seed)
    fresh = CLIPSeg(CLIPSegConfig.from_dict({**model.config.to_dict(), **changes}))
    fresh.clip.load_state_dict(model.clip.state_dict())
    return fresh


def grown(model: CLIPSeg, changes: dict, *, seed: int) -> CLIPSeg:
    """Return a network with all weights of `model` and `changes` to its CLIPSegConfig, which may only add layers.

    Raises ValueError where they would drop or reshape any.
    """
    torch.manual_seed(seed)
    larger = CLIPSeg(CLIPSegConfig.from_dict({**model.config.to_dict(), **changes}))
    try:
        lost = larger.load_state_dict(model.state_dict(), strict=False).unexpected_keys
    except RuntimeError as error:
        raise ValueError(f"a network cannot grow by {changes}: it reshapes layers.") from error
    if lost:
        raise ValueError(f"a network cannot grow by {changes}: {lost[0]} would have no place.")
    return larger


def network_config(description: dict, vocabulary: str | None) -> CLIPSegConfig:
    """Return the CLIPSegConfig of `description`; `vocabulary` "home" closes it to the simulated home's words."""
    description = copy.deepcopy(description)
    if vocabulary == "home":
        description["token_ids"] = home_token_ids()
    elif vocabulary is not None:
        raise ValueError(f"vocabulary is {vocabulary!r}; it must be 'home', or nothing for all of CLIP's words.")
    known = description.get("token_ids")
    if known is not None:
        description.setdefault("clip", {}).setdefault("text_cfg", {})["vocab_size"] = len(known) + 2
    return CLIPSegConfig.from_dict(description)


def trainable_parameters(model: CLIPSeg, *, end_to_end: bool) -> list[torch.nn.Parameter]:
    """Mark what is trained, all of it or the decoder alone, and return it. CLIP's logit scale is used by neither."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_((end_to_end or name.startswith("decoder.")) and name != "clip.logit_scale")
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
