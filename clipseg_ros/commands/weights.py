# SPDX-License-Identifier: Apache-2.0
"""`clipseg weights`: list, download, verify, convert and average weights."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "List, download, verify, convert and average weights."

_CHOICES = ("list", "download", "verify", "convert", "average")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `clipseg weights`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="|".join(_CHOICES))
    listing = actions.add_parser("list", help="what there is, and what of it is in the cache")
    download = actions.add_parser("download", help="fetch published weights into the cache and check them")
    download.add_argument(
        "name",
        nargs="*",
        default=["published"],
        help=(
            "a name of `clipseg weights list` or OWNER/NAME@COMMIT of the hub (default: published)"
        ),
    )
    verify = actions.add_parser("verify", help="compare SHA-256 of cached weights, or of a file or directory")
    verify.add_argument("target", nargs="?", help="a name or a path (default: everything in the cache)")
    verify.add_argument("--sha256", metavar="HEX", help="what the SHA-256 of the file should be")
    for action in (listing, download, verify):
        action.add_argument(
            "--cache-dir", type=Path, metavar="DIR", help="cache (default: that of the Hugging Face hub)"
        )
    convert = actions.add_parser("convert", help="write weights of any layout as one file of this package")
    convert.add_argument("weights", help="what `--weights` of `clipseg segment` takes")
    convert.add_argument("output", type=Path, help="the safetensors file to write")
    convert.add_argument(
        "--backbone", type=Path, metavar="PATH", help="CLIP ViT-B/16 for one of the authors' decoder files"
    )
    average = actions.add_parser("average", help="the mean of weights and of a further training of them")
    average.add_argument("weights", help="what `--weights` of `clipseg segment` takes")
    average.add_argument("other", help="likewise")
    average.add_argument("output", type=Path, help="the safetensors file to write")
    average.add_argument("--share", type=float, default=0.5, help="of the first ones, 0 to 1 (default: 0.5)")
    for action in (convert, average):
        action.add_argument("--half", action="store_true", help="store float16, half the size")


def run(args: argparse.Namespace) -> int:
    """Run one action; return 0, or 1 when `verify` found something wrong."""
    actions = {"list": _list, "download": _download, "verify": _verify, "convert": _convert, "average": _average}
    return actions[args.action](args)


def _list(args: argparse.Namespace) -> int:
    from clipseg_ros.clipseg.weights import hub

    rows = [("NAME", "SIZE", "REVISION", "SHA-256", "CACHED", "LICENCE"), *_local_rows()]
    for release in (*hub.RELEASES, hub.BACKBONE):
        cached = hub.find_cached(release, cache_dir=args.cache_dir)
        rows.append(
            (
                release.names[0],
                _megabytes(release.size),
                (release.revision or "none pinned")[:12],
                "known" if release.sha256 else "by the hub",
                str(cached or "-"),
                release.licence,
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print(
        "\nSHA-256: files are compared with hashes in this package ('known') or with those of the hub.\n"
        "Names without a pinned revision are downloaded as OWNER/NAME@COMMIT; then the name finds them."
    )
    return 0


def _local_rows() -> list[tuple[str, ...]]:
    from clipseg_ros.clipseg.weights.checkpoints import DEMO_FILE

    bundled = DEMO_FILE.is_file()
    size = _megabytes(DEMO_FILE.stat().st_size) if bundled else "-"
    return [
        ("demo", size, "-", "-", str(DEMO_FILE) if bundled else "not bundled", "Apache-2.0"),
        ("untrained", "-", "-", "-", "made when asked for, random", "-"),
    ]


def _megabytes(size: int | None) -> str:
    return "about 600 MB" if size is None else f"{size / 1e6:.1f} MB"


def _release(name: str):
    """The release called `name`, the CLIP backbone included; raise ValueError for other names."""
    from clipseg_ros.clipseg.weights import hub

    release = hub.BACKBONE if name in (*hub.BACKBONE.names, hub.BACKBONE.repo) else hub.find_release(name)
    if release is None:
        known = ", ".join([*hub.names(), *hub.BACKBONE.names])
        raise ValueError(
            f"unknown weights {name!r}; known are {known}, "
            "and OWNER/NAME@COMMIT with the 40 hexadecimal digits of a commit"
        )
    return release


def _download(args: argparse.Namespace) -> int:
    from clipseg_ros.clipseg.weights import hub

    for name, release in [(name, _release(name)) for name in args.name]:
        directory = hub.download(release, cache_dir=args.cache_dir)
        print(f"{name}: {directory}")
    return 0


def _verify(args: argparse.Namespace) -> int:
    from clipseg_ros.clipseg.weights import hub

    path = Path(args.target).expanduser() if args.target else None
    if path is not None and path.exists():
        return max([_verify_path(file, args.sha256) for file in _files(path)])
    if args.sha256:
        raise ValueError("--sha256 needs the path of one file to compare with")
    releases = [_release(args.target)] if args.target else [*hub.RELEASES, hub.BACKBONE]
    found = [(release, hub.find_cached(release, cache_dir=args.cache_dir)) for release in releases]
    cached = [(release, directory) for release, directory in found if directory is not None]
    if not cached:
        raise ValueError(f"nothing to verify: {args.target or 'no published weights'} in the cache")
    return max([_verify_cached(release, file) for release, directory in cached for file in _files(directory)])


def _files(path: Path) -> list[Path]:
    """The file, or the weights and configuration files of the directory, `path`."""
    if not path.is_dir():
        return [path]
    files = sorted(
        file for file in path.iterdir() if file.suffix in (".safetensors", ".bin", ".json", ".pth", ".pt")
    )
    if not files:
        raise ValueError(f"{path} holds no weights")
    return files


def _verify_cached(release, file: Path) -> int:
    from clipseg_ros.clipseg.weights import hub
    from clipseg_ros.clipseg.weights.typed import typed

    expected = hub.expected_hash(release, file)
    if expected is None:
        return _report(file, hub.hash_file(file), "nothing to compare with", good=True)
    found = hub.hash_file(file, like=expected[0])
    if found == expected[0]:
        return _report(file, found, f"as {expected[1]}", good=True)
    return _report(
        file,
        found,
        f"WRONG, {expected[0]} is {expected[1]}; `{typed(f'weights download {release.names[0]}')}` repairs it",
        good=False,
    )


def _verify_path(file: Path, expected: str | None) -> int:
    from clipseg_ros.clipseg.weights import hub

    found = hub.hash_file(file)
    if expected is not None:
        good = found == expected.lower()
        return _report(file, found, "as given" if good else f"WRONG, {expected.lower()} was given", good=good)
    known = {
        digest: f"{release.repo} {name}"
        for release in (*hub.RELEASES, hub.BACKBONE)
        for name, digest in release.sha256.items()
    }
    known.update({digest: f"the authors' {name}" for digest, name in hub.AUTHORS_DECODERS.items()})
    if found in known:
        return _report(file, found, f"is {known[found]}", good=True)
    return _report(file, found, "equals no published file that this package knows", good=False)


def _report(file: Path, digest: str, verdict: str, *, good: bool) -> int:
    print(f"{file}: {digest} {verdict}")
    return 0 if good else 1


def _convert(args: argparse.Namespace) -> int:
    from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint

    _check_output(args.output)
    _save(load_checkpoint(args.weights, backbone=args.backbone), args)
    return 0


def _average(args: argparse.Namespace) -> int:
    from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint
    from clipseg_ros.lab.training.averaging import average_into

    _check_output(args.output)
    checkpoint = load_checkpoint(args.weights)
    average_into(checkpoint.model, load_checkpoint(args.other).model, share=args.share)
    _save(checkpoint, args)
    return 0


def _check_output(path: Path) -> None:
    if path.suffix != ".safetensors":
        raise ValueError(f"the output {path} must end in .safetensors")


def _save(checkpoint, args: argparse.Namespace) -> None:
    from clipseg_ros.clipseg.weights.checkpoints import save_checkpoint

    save_checkpoint(
        checkpoint.model,
        args.output,
        half=args.half,
        metadata={**checkpoint.metadata, "trained": checkpoint.trained, "threshold": checkpoint.threshold},
    )
    print(f"{args.output}: {_megabytes(args.output.stat().st_size)}")
