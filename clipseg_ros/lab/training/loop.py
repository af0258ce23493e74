# SPDX-License-Identifier: Apache-2.0
"""The training loop: one for the paper's recipe and for small networks end to end."""
from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from clipseg_ros.clipseg.decoder import gated
from clipseg_ros.clipseg.model import CLIPSeg, ImageFeatures
from clipseg_ros.clipseg.preprocessing import normalise
from clipseg_ros.clipseg.tokenizer import Tokenizer
from clipseg_ros.clipseg.weights.checkpoints import save_checkpoint
from clipseg_ros.lab.training.auxiliary import AuxiliaryHeads
from clipseg_ros.lab.training.batch import Batch
from clipseg_ros.lab.training.conditioning import PromptEncoder
from clipseg_ros.lab.training.config import TrainingConfig
from clipseg_ros.lab.training.ema import WeightAverage
from clipseg_ros.lab.training.feed import endless_batches
from clipseg_ros.lab.training.losses import choice_loss, presence_loss, segmentation_loss
from clipseg_ros.lab.training.metrics import KindScores, MetricsLog
from clipseg_ros.lab.training.network import trainable_parameters
from clipseg_ros.lab.training.optimisers import Optimisers
from clipseg_ros.lab.training.precision import training_precision
from clipseg_ros.lab.training.replicas import Replicas
from clipseg_ros.lab.training.report import Reporter
from clipseg_ros.lab.training.schedule import Budget, learning_rate, value_at
from clipseg_ros.lab.training.sources import Sources
from clipseg_ros.lab.training.state import load_state, save_state

_MOST_BAD_STEPS = 10
_FEW_PATCHES = 160


class Trainer:
    """Trains `model` on `sources` as `config` says and writes everything into `directory`.

    It leaves there: model.safetensors (the newest weights, averaged if that is on), best.safetensors (those with the
    best validation IoU), state.pt to resume from, metrics.csv, and pictures of validation prompts.
    """

    def __init__(self, model: CLIPSeg, config: TrainingConfig, sources: Sources, directory: str | Path, *,
                 device: torch.device = torch.device("cpu"), resume: bool = False, quiet: bool = False,
                 replicas: Replicas | None = None) -> None:
        self.config, self.sources, self.device = config, sources, device
        self.replicas = replicas or Replicas()
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        self.model = model.to(device)
        self.parameters = trainable_parameters(model, end_to_end=config.end_to_end)
        self.heads = self._build_heads()
        options = config.optimiser
        named = [*model.named_parameters(), *(self.heads.named_parameters() if self.heads else [])]
        named = [(name, parameter) for name, parameter in named if parameter.requires_grad]
        self.learned = [parameter for _, parameter in named]
        self.optimiser = Optimisers(named, options, decay_vectors=not config.end_to_end)
        self.average = WeightAverage(self.parameters, options.average) if options.average else None
        tokenizer = Tokenizer(model.context_length, model.config.token_ids)
        self.encoder = PromptEncoder(model, tokenizer, frozen=not config.end_to_end)
        self.precision = training_precision(config.run.precision, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == torch.float16)
        self.iteration, self.elapsed, self.best, self._bad_steps = 0, 0.0, 0.0, 0
        self.figures: dict[str, float] = {}
        self._validated = -1
        if resume:
            self._restore()
        if self.replicas.leads:
            self.log = MetricsLog(self.directory)
            self.reporter = Reporter(self.directory, config.run, quiet=quiet,
                                     tensorboard_missing=self.log.tensorboard_missing)

    def run(self) -> dict[str, float]:
        """Train to the end of the budget; return the last validation's figures."""
        run = self.config.run
        budget = Budget(run.iterations, run.max_minutes, elapsed=self.elapsed)
        self.sources.progress.fill_(budget.progress(self.iteration))
        done = self.iteration * self.config.optimiser.accumulate
        batches = endless_batches(self.sources.training, first=done * self.replicas.size + self.replicas.rank,
                                  stride=self.replicas.size, workers=self.config.data.workers,
                                  pin_memory=self.device.type == "cuda")
        try:
            while (progress := self.replicas.agree(budget.progress(self.iteration), self.device)) < 1.0:
                waited = time.perf_counter()
                parts = [next(batches) for _ in range(self.config.optimiser.accumulate)]
                waited = time.perf_counter() - waited
                rate = self._set_rate(progress)
                losses, logits, masks = self.step(parts)
                self.iteration += 1
                self.elapsed = budget.elapsed
                self.sources.progress.fill_(progress)
                if self.replicas.leads:
                    self.reporter.step(self, losses, logits, masks, rate=rate, waited=waited, progress=progress)
                    self._save_and_measure()
            if not self.replicas.leads:
                return {}
            self.checkpoint()
            return self.figures if self._validated == self.iteration else self.validate()
        finally:
            if self.replicas.leads:
                self.reporter.close()
                self.log.close()

    def _save_and_measure(self) -> None:
        """Write a checkpoint and validate where it is time for it."""
        if self.iteration % self.config.run.checkpoint_every == 0:
            self.checkpoint()
        if self.iteration % self.config.run.validate_every == 0:
            self.validate()

    def step(self, parts: list[Batch]):
        """One optimiser step over the gradients of `parts`; returns its losses by name, last logits and masks.

        A step with a loss or gradient that is not finite is left out; ten in a row raise ValueError.
        """
        self.model.train(self.config.end_to_end)
        self.model.decoder.train()
        self.optimiser.zero_grad()
        sums: dict[str, float] = {}
        for batch in parts:
            with self._attention(batch):
                losses, logits, masks = self._losses(batch.to(self.device))
                self.scaler.scale(sum(losses.values()) / len(parts)).backward()
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value.item() / len(parts)
        self.replicas.average_gradients(self.learned)
        self.optimiser.unscale(self.scaler)
        limit = self.config.optimiser.clip or float("inf")
        norm = torch.nn.utils.clip_grad_norm_(self.learned, limit)
        self._guard(bool(torch.isfinite(norm)))
        return sums, logits, masks

    def _guard(self, finite: bool) -> None:
        if finite:
            self._bad_steps = 0
            self.optimiser.step(self.scaler)
            if self.average:
                self.average.update()
        else:
            self._bad_steps += 1
            if self._bad_steps >= _MOST_BAD_STEPS:
                raise ValueError(f"the loss was not finite {_MOST_BAD_STEPS} times in a row, up to step "
                                 f"{self.iteration}; a lower learning rate (optimiser.peak) or gradient clipping "
                                 "(optimiser.clip) helps.")
        self.scaler.update()

    def _losses(self, batch: Batch):
        config = self.config
        with self._autocast():
            features = self._encode(batch)
            conditioning = self.encoder(batch)
            if self.config.auxiliary.image_text:
                conditioning = conditioning._replace(pictures=self._embed_pictures(features))
            losses = self.heads(features, conditioning, batch) if self.heads else {}
            if not batch.masks.shape[1]:
                return losses, None, batch.masks
            logits, presence = self.model.answers(self.model.reduce(features), conditioning.prompts)
        loss = config.loss
        losses["segmentation"] = segmentation_loss(
            logits, batch.masks, balance=value_at(loss.balance, float(self.sources.progress[0])),
            absent_weight=loss.absent, dice_weight=loss.dice, absent_dice_weight=loss.absent_dice, smooth=loss.smooth)
        if loss.choice and batch.ids is not None:
            losses["choice"] = loss.choice * choice_loss(*map(_thinned, (logits, batch.masks, batch.ids)))
        if presence is not None:
            losses["presence"] = loss.presence * presence_loss(presence, batch.masks)
        return losses, gated(logits, presence).detach(), batch.masks

    def _embed_pictures(self, features: ImageFeatures) -> Tensor:
        """(B, D), as visual prompts are embedded, from the last activation."""
        visual = self.model.clip.visual
        if self.model.config.extract_layers[-1] != len(visual.transformer.resblocks) - 1:
            raise ValueError("auxiliary.image_text needs a decoder that reads the image tower's last block.")
        return visual.ln_post(features.activations[-1][:, 0]) @ visual.proj

    def _encode(self, batch: Batch):
        network = self.model.config
        pixels = normalise(batch.pixels, network.image_mean, network.image_std)
        with nullcontext() if self.config.end_to_end else torch.no_grad():
            return self.model.encode_image(pixels)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Measure on the validation batches with the averaged weights; {} without any."""
        if not self.sources.validation:
            return {}
        scores = KindScores()
        self.model.eval()
        with self.average.applied() if self.average else nullcontext():
            for number, batch in enumerate(self.sources.validation):
                batch = batch.to(self.device)
                with self._autocast():
                    logits = self.model.decode(self._encode(batch), self.encoder(batch).prompts).float()
                scores.add(logits, batch.masks, batch.kinds)
                if number == 0:
                    self.reporter.pictures(self.iteration, batch, logits)
            figures = scores.means()
            if figures.get("iou", 0.0) >= self.best:
                self.best = figures.get("iou", 0.0)
                save_checkpoint(self.model, self.directory / "best.safetensors", half=self.config.run.half_weights)
        self.log.add(self.iteration, {f"validation/{name}": value for name, value in figures.items()})
        self.reporter.validation(self.iteration, figures)
        self.figures, self._validated = figures, self.iteration
        return figures

    def checkpoint(self) -> None:
        """Write the weights and the state to resume from."""
        with self.average.applied() if self.average else nullcontext():
            save_checkpoint(self.model, self.directory / "model.safetensors", half=self.config.run.half_weights)
        save_state(self.directory, {
            "iteration": self.iteration, "elapsed": self.elapsed, "best": self.best, "rng": torch.get_rng_state(),
            "parameters": [p.detach() for p in self.parameters], "optimiser": self.optimiser.state_dict(),
            "heads": self.heads.state_dict() if self.heads else None, "scaler": self.scaler.state_dict(),
            "average": [self.average.averages, self.average.steps] if self.average else None})

    def _restore(self) -> None:
        state = load_state(self.directory)
        if state is None:
            raise FileNotFoundError(f"there is no state.pt in {self.directory} to resume from.")
        shapes = [tuple(tensor.shape) for tensor in state["parameters"]]
        if shapes != [tuple(parameter.shape) for parameter in self.parameters]:
            raise ValueError(f"the state in {self.directory} is of another network; resume with its configuration.")
        with torch.no_grad():
            for mine, loaded in zip(self.parameters, state["parameters"]):
                mine.copy_(loaded)
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        if self.heads and state["heads"]:
            self.heads.load_state_dict(state["heads"])
        if self.average and state["average"]:
            self.average.load(*state["average"])
        torch.set_rng_state(state["rng"])
        self.iteration, self.elapsed, self.best = state["iteration"], state["elapsed"], state["best"]

    def _build_heads(self) -> AuxiliaryHeads | None:
        if not self.config.auxiliary.any:
            return None
        return AuxiliaryHeads(
            self.model.clip.visual.conv1.out_channels, self.model.config.clip["embed_dim"],
            classes=self.sources.classes, colours=self.sources.colours, config=self.config.auxiliary).to(self.device)

    def _attention(self, batch: Batch):
        """On a CPU in bfloat16 PyTorch's fused attention has a slow gradient: plain attention wins for short inputs."""
        patches = batch.pixels.shape[-2] * batch.pixels.shape[-1] // self.model.patch_size**2
        plain = self.device.type == "cpu" and self.precision == torch.bfloat16 and patches <= _FEW_PATCHES
        return sdpa_kernel(SDPBackend.MATH) if plain else nullcontext()

    def _autocast(self):
        return torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)

    def _set_rate(self, progress: float) -> float:
        options = self.config.optimiser
        rate = learning_rate(progress, peak=options.peak, floor=options.floor, warmup=options.warmup)
        self.optimiser.set_rate(rate)
        return rate


def _thinned(image: Tensor) -> Tensor:
    """Every second pixel both ways, (..., h, w): enough for means over objects, at a quarter of their time."""
    return image[..., ::2, ::2]
