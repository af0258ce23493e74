# SPDX-License-Identifier: Apache-2.0
"""Exported networks in the user's cache: found by the SHA-256 of the weights, made and verified where there is none."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import cached_assets_path

from clipseg_ros.clipseg.agreement import Agreement, calibration_pictures, measure
from clipseg_ros.clipseg.backend import TorchBackend
from clipseg_ros.clipseg.model import CLIPSeg
from clipseg_ros.clipseg.onnx import quantising, writing
from clipseg_ros.clipseg.onnx.backend import ExportedBackend, to_encoder_input
from clipseg_ros.clipseg.onnx.runtimes import describe
from clipseg_ros.clipseg.weights import hub
from clipseg_ros.clipseg.whole_files import replacing

MANIFEST = "export.json"
"""Beside the graphs: of which weights they are, their hashes, and how far each runtime is from PyTorch."""

FORMAT = 2
"""Changes whenever the same weights would be exported in another way."""

MAX_DIFFERENCE = 0.01
"""Largest difference of two float32 logits, in spreads of the logits; what is measured is five hundred times less."""

MAX_MASK_DISAGREEMENT = 1e-3
"""Largest share of the pixels on which float32 masks may disagree."""

Progress = Callable[[str], None]


class Exporter:
    """Exports one network for one runtime.

    Parameters
    ----------
    model : float32, on the CPU, with plain layers.
    side : of the input in pixels, a multiple of the patch size.
    backend, precision : openvino or onnxruntime, and one of its precisions other than auto.
    progress : told, in sentences, what takes long and what was measured.
    calibration : (H, W, 3) uint8 RGB each, to calibrate with what has to be calibrated; the export is then made anew.
        Recorded scenes and noise without it.
    """

    def __init__(self, model: CLIPSeg, *, side: int, backend: str, precision: str, progress: Progress,
                 calibration: Sequence[np.ndarray] = ()) -> None:
        self._model = model
        self._side = side
        self._backend = backend
        self._precision = precision
        self._progress = progress
        self._calibration = calibration
        self._digest = hash_weights(model)
        self._runtime = f"{describe(backend)} {precision}"

    @property
    def cached_folder(self) -> Path:
        """Where the cache keeps this export: beside the hub's cache, so `HF_HOME` moves both."""
        return cached_assets_path("clipseg_ros", "exports", self._digest) / f"{self._side}-{self._stored}"

    def open_cached(self) -> ExportedBackend:
        """Return the network on the runtime, from the cache, or exported, verified and kept there first.

        Raises ImportError for missing packages, ValueError where the runtime's results are refused, OSError where the
        cache cannot be written.
        """
        folder = self.cached_folder
        manifest = read_manifest(folder, self._digest)
        if manifest is None or self._calibration:
            return self._build(folder)
        opened = self._open(folder)
        if self._runtime not in manifest["agreement"]:
            self._progress(f"comparing {self._runtime} with PyTorch, once for these weights")
            manifest["agreement"][self._runtime] = asdict(self._verify(opened))
            _write_manifest(folder, manifest)
        self._tell(Agreement(**manifest["agreement"][self._runtime]))
        return opened

    def write(self, folder: Path) -> None:
        """Export, verify, and make `folder` of it at once or not at all. Raises as `open_cached`.

        ValueError also where `folder` exists.
        """
        if folder.exists():
            raise ValueError(f"{folder} exists; name a folder that does not")
        self._build(folder)

    @property
    def _stored(self) -> str:
        """What the files hold: float32 for any runtime, or int8 for one."""
        return f"int8-{self._backend}" if self._precision == "int8" else "float32"

    def _open(self, folder: Path) -> ExportedBackend:
        grid = self._model.grid((self._side, self._side))
        return ExportedBackend(folder, side=self._side, grid=grid, at_once=self._model.prompts_at_once(grid),
                               backend=self._backend, precision=self._precision)

    def _build(self, folder: Path) -> ExportedBackend:
        """Export into a folder beside `folder`, verify, then move it there at once."""
        writing.require_exporters()
        if self._precision == "int8":
            quantising.require_quantiser()
        self._progress(f"exporting the network as ONNX for {self._runtime}, once for these weights; "
                       "this can take a minute")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
            fresh = Path(scratch) / "fresh"
            fresh.mkdir()
            writing.write_graphs(self._model, fresh, side=self._side)
            if self._precision == "int8":
                self._quantise(fresh / writing.ENCODER)
            opened = self._open(fresh)
            agreement = self._verify(opened)
            _write_manifest(fresh, {
                "weights": self._digest, "side": self._side, "precision": self._stored,
                "files": {name: hub.hash_file(fresh / name) for name in (writing.ENCODER, writing.DECODER)},
                "agreement": {self._runtime: asdict(agreement)},
            })
            self._move(fresh, folder, aside=Path(scratch) / "damaged")
        self._progress(f"the export is kept in {folder}")
        self._tell(agreement)
        return opened

    def _quantise(self, encoder: Path) -> None:
        if self._backend not in quantising.CALIBRATED:
            return quantising.quantise_dynamically(encoder)
        pictures = self._calibration or calibration_pictures()
        self._progress(f"calibrating int8; pictures: {len(pictures)}")
        quantising.quantise_calibrated(encoder, [to_encoder_input(each, (self._side,) * 2) for each in pictures])

    def _verify(self, opened: ExportedBackend) -> Agreement:
        """Compare with PyTorch in float32. ValueError for float32 results that are others, and for any not finite."""
        agreement = measure(opened, TorchBackend(self._model, (self._side,) * 2), self._model)
        allowed = MAX_DIFFERENCE * agreement.spread
        if not math.isfinite(agreement.max_difference):
            raise ValueError(f"{self._runtime} is refused: with these weights its logits are not finite")
        if self._precision == "float32" and (
            agreement.max_difference > allowed or agreement.mask_disagreement > MAX_MASK_DISAGREEMENT
        ):
            raise ValueError(f"{self._runtime} is refused, since it does not compute what PyTorch does: {agreement}; "
                             f"allowed are {allowed:.2g} and {100 * MAX_MASK_DISAGREEMENT:g} %")
        return agreement

    def _move(self, fresh: Path, folder: Path, *, aside: Path) -> None:
        """Put `fresh` in the place of a missing or damaged `folder`, unless another process was faster.

        With a calibration of its own, in the place of any.
        """
        if folder.exists() and (self._calibration or read_manifest(folder, self._digest) is None):
            folder.rename(aside)
        try:
            fresh.rename(folder)
        except OSError:
            if read_manifest(folder, self._digest) is None:
                raise

    def _tell(self, agreement: Agreement) -> None:
        self._progress(f"{self._runtime} against PyTorch in float32: {agreement}")


def hash_weights(model: CLIPSeg) -> str:
    """SHA-256 of what is exported: the configuration, the image tower and the decoder."""
    digest = hashlib.sha256(json.dumps([FORMAT, model.config.to_dict()], sort_keys=True).encode())
    for name, tensor in sorted(model.state_dict().items()):
        if name.startswith(("clip.visual.", "decoder.")):
            digest.update(f"{name} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().contiguous().numpy().data)
    return digest.hexdigest()


def read_manifest(folder: Path, digest: str) -> dict[str, Any] | None:
    """The manifest of a complete and undamaged export of these weights; None without one."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        for figures in manifest["agreement"].values():
            Agreement(**figures)
        whole = manifest["weights"] == digest and all(
            hub.hash_file(folder / name) == manifest["files"][name] for name in (writing.ENCODER, writing.DECODER))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return manifest if whole else None


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Replace the manifest at once; it is read by others at any time."""
    with replacing(folder / MANIFEST) as part:
        part.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
