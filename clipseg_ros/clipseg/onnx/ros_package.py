# SPDX-License-Identifier: Apache-2.0
"""A ROS package that holds the network's ONNX files, for programs that run it themselves.

    NAME/package.xml, CMakeLists.txt   installs models/ to share/NAME/models/
    NAME/README.md                     every input and output, and a program that combines the files
    NAME/models/                       the graphs of `writing`, export.json, tokens.json
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from string import Template
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import torch

from clipseg_ros import __version__
from clipseg_ros.clipseg.onnx import writing
from clipseg_ros.clipseg.onnx.cache import MANIFEST, MAX_DIFFERENCE, Exporter
from clipseg_ros.clipseg.onnx.runtimes import open_session
from clipseg_ros.clipseg.tokenizer import END_ID, PADDING, START_ID, UNKNOWN, Tokenizer
from clipseg_ros.clipseg.weights.checkpoints import Checkpoint

TOKENS = "tokens.json"
"""What a tokenizer needs to know."""

EXAMPLE = "a mug"
"""The text whose tokens the README shows."""

_NAME = re.compile(r"(?!.*__)[a-z][a-z0-9_]*[a-z0-9]")
_TEMPLATES = Path(__file__).parent / "templates"

VALUES = {
    "tokens": "CLIP's token ids of a text, see Texts",
    "embeddings": "CLIP's embedding of a prompt, not normalised",
    "pixels": "RGB, 0 to 255, see Pictures; not normalised, that is inside",
    "logits": "any number; the probability is 1 / (1 + exp(-logit))",
    "reduced": "any number; only for the decoder",
}

_OPEN = "The ids are CLIP's own, as every CLIP tokenizer gives them (`CLIPTokenizer` of `transformers`, for one)."
_CLOSED = Template(
    "The vocabulary is closed: `clip_ids` in `models/tokens.json` lists, in ascending order, the $count of CLIP's ids "
    "that this network knows, with CLIP's start ($start_id) and end ($end_id). The first of them has the id 2, the "
    "next 3 and so on; every other id of CLIP's becomes 1.")


def check_name(name: str) -> None:
    """Raise ValueError unless a ROS package may have that name (REP 144) and ours does not have it."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"the folder's name {name!r} would be the package's, and that has two or more small letters, "
                         "digits and single underscores, with a letter first and no underscore last (REP 144)")
    if name == "clipseg_ros":
        raise ValueError("the folder's name 'clipseg_ros' would be the package's, and that is ours; take another one")


def check_folder(folder: Path) -> None:
    """Raise ValueError unless a package of that name can be made there without touching anything."""
    check_name(folder.resolve().name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} has something in it, which is left as it is; name a new or empty folder")


def write_package(folder: Path, checkpoint: Checkpoint, exporter: Exporter, *, backend: str) -> None:
    """Make `folder` the package, at once or not at all, of the graphs that `exporter` has in its cache or puts there.

    checkpoint : of which the exporter exports the model
    backend : on which the texts' graph is compared with PyTorch, as everything else is by the exporter

    Raises ValueError as `check_folder` and where the runtime does not compute what PyTorch does; ImportError and
    OSError as `Exporter.open_cached`.
    """
    check_folder(folder)
    folder = folder.resolve()
    exporter.open_cached()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        package = Path(scratch) / folder.name
        models = package / "models"
        models.mkdir(parents=True)
        for name in (writing.ENCODER, writing.DECODER, MANIFEST):
            shutil.copyfile(exporter.cached_folder / name, models / name)
        writing.write_text_encoder(checkpoint.model, models)
        _verify_texts(checkpoint, models, backend)
        (models / TOKENS).write_text(json.dumps(describe_tokens(checkpoint), indent=1) + "\n", encoding="utf-8")
        _write_texts(package, checkpoint)
        package.rename(folder)


def describe_tokens(checkpoint: Checkpoint) -> dict[str, Any]:
    """What of CLIP's tokenizer is this network's own: its context, and a closed vocabulary's ids (None: CLIP's own)."""
    known = checkpoint.model.config.token_ids
    tokenizer = Tokenizer(checkpoint.model.context_length, known)
    row = tokenizer([EXAMPLE])[0].tolist()
    return {"context_length": tokenizer.context_length, "start": row[0], "end": max(row), "padding": PADDING,
            "unknown": None if known is None else UNKNOWN,
            "clip_ids": None if known is None else sorted(known),
            "example": {"text": EXAMPLE, "tokens": row[:row.index(max(row)) + 1]}}


def describe_graph(file: Path) -> list[tuple[str, str, str, str]]:
    """(in or out, name, shape, type) of everything that goes into an ONNX file and comes out of it, in its order."""
    onnx = import_module("onnx")
    graph = onnx.load(file).graph
    rows = []
    for direction, values in (("in", graph.input), ("out", graph.output)):
        for value in values:
            tensor = value.type.tensor_type
            shape = ", ".join(dimension.dim_param or str(dimension.dim_value) for dimension in tensor.shape.dim)
            kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
            rows.append((direction, value.name, f"({shape})", kind))
    return rows


def _verify_texts(checkpoint: Checkpoint, models: Path, backend: str) -> None:
    """ValueError where the texts' graph does not give PyTorch's embeddings."""
    model = checkpoint.model
    tokens = _tokens_of_some_lengths(Tokenizer(model.context_length, model.config.token_ids)([EXAMPLE])[0])
    with torch.inference_mode():
        expected = model.encode_text(tokens).numpy()
    session = open_session(backend, models / writing.TEXT_ENCODER, precision="float32", threads=torch.get_num_threads())
    difference = np.abs(session([tokens.numpy()])[0] - expected).max()
    if not difference <= MAX_DIFFERENCE * expected.std():
        raise ValueError(f"{backend} is refused, since its embeddings of texts are not PyTorch's: they differ by "
                         f"{difference:.2g}; allowed are {MAX_DIFFERENCE * expected.std():.2g}")


def _tokens_of_some_lengths(row: torch.Tensor) -> torch.Tensor:
    """(texts, context_length) int64: any tokens, as few and as many as go in, with the start and end token of `row`."""
    start, end, longest = row[0], row.max(), len(row) - 2
    lengths = sorted({1, 2, 5, longest // 2, longest} & set(range(1, longest + 1)))
    rows = torch.randint(UNKNOWN, int(end), (len(lengths), len(row)), generator=torch.Generator().manual_seed(0))
    rows[:, 0] = start
    for length, text in zip(lengths, rows):
        text[length + 1] = end
        text[length + 2:] = PADDING
    return rows


def _write_texts(package: Path, checkpoint: Checkpoint) -> None:
    """package.xml, CMakeLists.txt and README.md."""
    tokens = describe_tokens(checkpoint)
    files = (writing.TEXT_ENCODER, writing.ENCODER, writing.DECODER)
    graphs = {name: describe_graph(package / "models" / name) for name in files}
    manifest = json.loads((package / "models" / MANIFEST).read_text(encoding="utf-8"))
    filled = {
        "name": package.name, "version": __version__, "weights": checkpoint.name,
        "side": manifest["side"], "precision": manifest["precision"], "threshold": checkpoint.threshold,
        "context": tokens["context_length"], "start": tokens["start"], "end": tokens["end"],
        "example": EXAMPLE, "example_tokens": tokens["example"]["tokens"],
        "vocabulary": _OPEN if tokens["clip_ids"] is None else _CLOSED.substitute(
            count=len(tokens["clip_ids"]) - 2, start_id=START_ID, end_id=END_ID),
        "table": "\n".join(f"| `models/{file}` | {direction} | `{name}` | {shape} | {kind} | "
                           f"{VALUES[name.partition('_')[0]]} |"
                           for file, rows in graphs.items() for direction, name, shape, kind in rows),
    }
    for template in _TEMPLATES.glob("*.in"):
        file = package / template.stem
        values = {key: escape(str(value)) for key, value in filled.items()} if file.suffix == ".xml" else filled
        file.write_text(Template(template.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
