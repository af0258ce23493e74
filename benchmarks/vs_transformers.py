# SPDX-License-Identifier: Apache-2.0
"""Our Segmenter against transformers' CLIPSeg as people call it: time per frame, and whether the masks agree.

Both load the same checkpoint, which transformers writes: the published size with random weights, the decoder as PyTorch
initialises it (transformers' own initialisation barely reacts to the prompt). They take turns in one process. Every
call gets a new 640x480 frame. Timed is all of the way from the frame to (n, 480, 640) probabilities in NumPy.

With random weights probabilities crowd around one value, so the masks are compared at the median of the reference's
float32 probabilities, where half of the pixels lie on either side and a difference shows the most.

    python benchmarks/vs_transformers.py                       # table
    python benchmarks/vs_transformers.py --json result.json    # and every figure
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import transformers
from open_clip.tokenizer import SimpleTokenizer

from clipseg_ros.clipseg import Segmenter

PROMPTS = (
    "red mug", "something to sit on", "a plate", "the lamp", "book", "potted plant", "the leftmost bottle", "shoes",
)
SIZE = (480, 640)


class Reference:
    """transformers' CLIPSeg, called as its documentation shows."""

    def __init__(self, folder: Path, *, dtype: torch.dtype, device: torch.device) -> None:
        self.model = transformers.CLIPSegForImageSegmentation.from_pretrained(folder, dtype=dtype).to(device).eval()
        image_processor = transformers.ViTImageProcessor.from_pretrained(folder)
        self.processor = transformers.CLIPSegProcessor(image_processor, clip_tokenizer())
        self.dtype = dtype

    @torch.no_grad()
    def segment(self, image: np.ndarray, prompts: Sequence[str]) -> np.ndarray:
        """(H, W, 3) uint8 -> (n, H, W) float32 probabilities."""
        inputs = self.processor(
            text=list(prompts), images=[image] * len(prompts), return_tensors="pt", padding="max_length", max_length=77
        ).to(self.model.device)
        inputs["pixel_values"] = inputs["pixel_values"].to(self.dtype)
        logits = self.model(**inputs).logits.float()
        probabilities = torch.sigmoid(logits.reshape(len(prompts), 1, *logits.shape[-2:]))
        resized = torch.nn.functional.interpolate(probabilities, size=image.shape[:2], mode="bilinear")
        return resized[:, 0].cpu().numpy()


def clip_tokenizer() -> transformers.CLIPTokenizer:
    """transformers' CLIP tokenizer, made from the merges that open_clip brings."""
    bpe = SimpleTokenizer()
    names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    vocabulary = {names.get(piece, piece): index for piece, index in bpe.encoder.items()}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=sorted(bpe.bpe_ranks, key=bpe.bpe_ranks.get))


def write_checkpoint(folder: Path, *, refined: bool) -> None:
    """Save a random network of the published size that reacts to its prompts."""
    torch.manual_seed(0)
    config = transformers.CLIPSegConfig(vision_config={"patch_size": 16}, use_complex_transposed_convolution=refined)
    model = transformers.CLIPSegForImageSegmentation(config)
    with torch.no_grad():
        for module in model.decoder.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        model.clip.text_model.embeddings.token_embedding.weight.mul_(5)
    model.save_pretrained(folder)
    processor = transformers.ViTImageProcessor(
        size={"height": 352, "width": 352}, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]
    )
    processor.save_pretrained(folder)


def new_frames(seed: int) -> Iterator[np.ndarray]:
    """Endless 640x480 frames, none twice: coarse patches of colour with some noise."""
    rng = np.random.default_rng(seed)
    while True:
        coarse = rng.integers(0, 224, (12, 16, 3), dtype=np.uint8).repeat(40, axis=0).repeat(40, axis=1)
        yield coarse + rng.integers(0, 32, (*SIZE, 3), dtype=np.uint8)


def seconds(call: Callable[[], object]) -> float:
    """How long `call` takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def time_in_turns(ours: Segmenter, reference: Reference, count: int, *, repeats: int) -> dict[str, float]:
    """Median milliseconds per frame: ours, ours with prompts never seen before, and the reference."""
    frames, number = new_frames(count), iter(range(10**9))
    kept = PROMPTS[:count]
    calls = {
        "ours": lambda: ours.segment(next(frames), kept),
        "ours_new_prompts": lambda: ours.segment(next(frames), [f"{text} number {next(number)}" for text in kept]),
        "transformers": lambda: reference.segment(next(frames), kept),
    }
    for call in calls.values():
        call()
    times = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            times[name].append(seconds(call))
    return {name: 1000 * statistics.median(values) for name, values in times.items()}


def disagreement(ours: Segmenter, reference: Reference, truth: Reference, *, frames: int = 2) -> float:
    """Percent of pixels on different sides of each prompt's median probability (the median of `truth`)."""
    shares = []
    for _, frame in zip(range(frames), new_frames(99)):
        medians = np.median(truth.segment(frame, PROMPTS), axis=(1, 2), keepdims=True)
        masks = [network.segment(frame, PROMPTS) >= medians for network in (ours, reference)]
        shares.append(np.mean(masks[0] != masks[1]))
    return 100 * float(np.mean(shares))


def measure(folder: Path, precision: str, *, device: str, counts: Sequence[int], repeats: int) -> dict:
    """Measure one precision, and print each row as it comes."""
    ours = Segmenter.load(folder, device=device, precision=precision)
    reference = Reference(folder, dtype=getattr(torch, precision), device=ours.device)
    truth = reference
    if precision != "float32":
        truth = Reference(folder, dtype=torch.float32, device=ours.device)
    rows = {}
    for count in counts:
        row = rows[count] = time_in_turns(ours, reference, count, repeats=repeats)
        row["ratio"] = row["transformers"] / row["ours"]
        row["ratio_new_prompts"] = row["transformers"] / row["ours_new_prompts"]
        print(f"{precision:<10}{count:>8}{row['ours']:>10.1f}{row['ours_new_prompts']:>16.1f}"
              f"{row['transformers']:>17.1f}{row['ratio']:>8.2f}{row['ratio_new_prompts']:>11.2f}", flush=True)
    least, most = min(counts), max(counts)
    extra = (rows[most]["ours"] - rows[least]["ours"]) / max(most - least, 1) / rows[least]["ours"]
    differing = disagreement(ours, reference, truth)
    print(f"{precision:<10}an extra prompt costs {100 * extra:.1f} % of a frame; "
          f"masks differ in {differing:.4f} % of the pixels", flush=True)
    return {"rows": rows, "extra_prompt_percent": 100 * extra, "disagreement_percent": differing}


def main() -> None:
    """Measure what was asked for, and store it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, nargs="+", default=[1, 4, 8], choices=range(1, 9), metavar="N")
    parser.add_argument("--precision", nargs="+", default=["float32", "bfloat16"],
                        choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--head", default="refined", choices=["refined", "plain"])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, help="PyTorch's threads (default: its own choice)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print(f"{args.head} head, {args.device}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
          f"transformers {transformers.__version__}; medians of {args.repeats}")
    print(f"{'precision':<10}{'prompts':>8}{'ours ms':>10}{'new prompts ms':>16}{'transformers ms':>17}{'ratio':>8}"
          f"{'ratio new':>11}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_checkpoint(folder, refined=args.head == "refined")
        results = {
            precision: measure(folder, precision, device=args.device, counts=args.prompts, repeats=args.repeats)
            for precision in args.precision
        }
    if args.json:
        about = {"head": args.head, "device": args.device, "threads": torch.get_num_threads(),
                 "torch": torch.__version__, "transformers": transformers.__version__,
                 "machine": platform.machine(), "repeats": args.repeats}
        args.json.write_text(json.dumps({**about, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
