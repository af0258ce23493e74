# SPDX-License-Identifier: Apache-2.0
"""Which network it is: features that were kept are of use to the one that made them alone."""

from __future__ import annotations

import hashlib
import json

from clipseg_ros.clipseg.model import CLIPSeg


def fingerprint(model: CLIPSeg) -> str:
    """SHA-256 of a network with plain layers: of its configuration and of the layers at both ends of its two halves.

    The whole network would take a second; no two trainings leave these layers alike.
    """
    digest = hashlib.sha256(json.dumps(model.config.to_dict(), sort_keys=True).encode())
    layers = (model.clip.visual.conv1, model.clip.visual.ln_pre, *model.decoder.reduces, model.decoder.film_mul)
    for layer in layers:
        for tensor in layer.state_dict().values():
            digest.update(tensor.detach().float().cpu().contiguous().numpy().data)
    return digest.hexdigest()
