# SPDX-License-Identifier: Apache-2.0
"""A result as text for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clipseg_ros.lab.benchmarking.cases import NEW_PROMPTS, OURS, REUSING


def to_text(result: Mapping[str, Any]) -> str:
    """What `suite.run_suite` returned as lines: machine, limit, a table for each network, what was left out."""
    blocks = ["\n".join(_head(result)), *(_network(network, result["reference"]) for network in result["networks"])]
    notes = [*result["remarks"], *result["left_out"]]
    return "\n\n".join([*blocks, "\n".join(notes)] if notes else blocks)


def _head(result: Mapping[str, Any]) -> list[str]:
    machine, settings, flop = result["machine"], result["settings"], result["arithmetic"]
    processor = [machine["processor"], _count(machine["cores"], "core"), f"{_count(machine['threads'], 'thread')} used",
                 *machine["instruction_sets"]]
    if machine["memory_gib"] is not None:
        processor.append(f"{machine['memory_gib']:.0f} GiB")
    width, height = settings["image"]
    rows = {
        "processor": ", ".join(processor),
        "GPU": machine["gpu"] or "not used",
        "system": machine["system"],
        "versions": ", ".join(f"{name} {version}" for name, version in result["versions"].items()),
        "weights": f"{settings['weights']}{' (random)' if settings['random'] else ''}, "
                   f"{'x'.join(map(str, settings['input_size']))} pixels in",
        "images": f"{width}x{height}; medians of {settings['repeats']}, from the image to probabilities of its size",
        "arithmetic": f"{_gflop(flop['encoder'])} GFLOP to encode an image, {_gflop(flop['reductions'])} to reduce it, "
                      f"{_gflop(flop['prompt'])} a prompt",
        "limit": "; ".join(f"{device}: " + ", ".join(f"{rate / 1e9:.4g} GFLOP/s {name}" for name, rate in rates.items())
                           for device, rates in result["limits"].items()) + " (the encoder's matrix products)",
    }
    width = max(map(len, rows))
    return [f"{name.ljust(width)}  {text}" for name, text in rows.items()]


def _network(network: Mapping[str, Any], reference: str | None) -> str:
    peers = list(network["new_prompt"]["ratios"])
    table = [["", "ms", "quartiles", "GFLOP/s", "of limit", "prompts new, ms",
              *(heading for peer in peers for heading in (f"{peer}, ms", "ratio"))]]
    for case in network["images"]:
        table.append([_count(case["prompts"], "prompt"), *_cells(case, peers)])
    table.append(["new prompt, image seen", *_cells(network["new_prompt"], peers)])
    theirs = network["peers_precision"]
    others = f" ({' and '.join(peers)} in {theirs})" if peers and theirs != network["precision"] else ""
    lines = [f"{network['backend']}, {network['precision']}, on {network['device']}{others}", *_align(table)]
    if network["extra_prompt"] is not None:
        lines.append(f"one prompt more costs {100 * network['extra_prompt']:.1f} % of an image with "
                     f"{_count(network['images'][0]['prompts'], 'prompt')}")
    still, reusing = (network["unchanged"]["ms"][name]["median"] for name in (OURS, REUSING))
    lines.append(f"a scene at rest, 1 prompt: {still:.1f} ms, with reuse_features {reusing:.1f} ms")
    if reference:
        shares = ", ".join(f"{name} {100 * share:.4f}" for name, share in network["disagreement"].items())
        lines.append(f"% of the pixels in which masks differ from those of {reference}: {shares}")
    return "\n".join(lines)


def _cells(case: Mapping[str, Any], peers: Sequence[str]) -> list[str]:
    times = case["ms"]
    lower, upper = times[OURS]["quartiles"]
    share = case["share_of_limit"]
    cells = [
        f"{times[OURS]['median']:.1f}", f"{lower:.1f}-{upper:.1f}",
        "-" if case["gflops"] is None else f"{case['gflops']:.4g}", "-" if share is None else f"{100 * share:.0f} %",
        f"{times[NEW_PROMPTS]['median']:.1f}" if NEW_PROMPTS in times else "-",
    ]
    for peer in peers:
        cells += [f"{times[peer]['median']:.1f}", f"{case['ratios'][peer]:.2f}"]
    return cells


def _align(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = []
    for first, *others in table:
        right = [cell.rjust(width) for cell, width in zip(others, widths[1:])]
        lines.append("  ".join([first.ljust(widths[0]), *right]))
    return lines


def _gflop(flop: int) -> str:
    return f"{flop / 1e9:.3g}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
